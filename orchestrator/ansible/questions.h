/* Several short programs at once, each with its output taken: a plan's questions to Ansible cost half a
 * second each, mostly of one processor. Blocking. */
#pragma once
#include "ansible/request.h"
#include "base/deadline.h"
#include "base/moment.h"
#include "base/text.h"
#include "process/child.h"
#include <stdint.h>

/* All that Ansible is asked about a target before a run, by whomever: what hangs is told within a minute. A
 * slow machine needs some ten seconds. */
#define QUESTIONS_BOUND (50 * NS_PER_S)

struct question {
    struct ansible_child child; /* argv, environment, descriptors: the caller fills it */
    struct text out, said;      /* stdout and stderr, at most 8 MiB each */
    struct child_end end;
    char *failure; /* it could not be started, or did not end in time; NULL: see `end` */
    /* what it had started and waited for when the time was over, argv by argv; NULL: nothing */
    char *waited_for;
};

/* Runs all of them in `directory`, at most two at a time, until this moment of the monotonic
 * clock: what still runs then is killed with what it started, what has not begun is not begun.
 * Failures are in each question. */
void questions_ask(struct question *questions, size_t count, const char *directory, struct deadline deadline);
/* Of one that failed: why, and what it waited for. malloc'ed. */
char *question_failure(const struct question *question);
void question_clear(struct question *question);
