/* Several short programs at once, each with its output taken: a plan's questions to Ansible cost half a
 * second each, mostly of one processor. Blocking. */
#pragma once
#include "action/ansible.h"
#include "base/error.h"
#include "base/text.h"
#include "mechanism/child.h"
#include <stdint.h>

struct question {
    struct ansible_child child; /* argv, environment, descriptors: the caller fills it */
    struct text out, said;      /* stdout and stderr, at most 8 MiB each */
    struct child_end end;
    char *failure; /* it could not be started, or did not end within the bound; NULL: see `end` */
};

/* Runs all of them in `directory`, at most two at a time, each at most `bound_ns`. Failures are in each
 * question. */
void questions_ask(struct question *questions, size_t count, const char *directory, int64_t bound_ns);
void question_free(struct question *question);
