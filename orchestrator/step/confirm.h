/* Commit-confirm of one step (docs/design.md): armed on the host before the step's process starts, renewed
 * over new connections while it runs, over once a new connection proved the way in behind its end, or once
 * the host has put itself back. Each question is an aside of the worker; the life is the table in
 * confirm.c. */
#pragma once
#include "event/sink.h"
#include "process/loop.h"
#include "process/scope.h"
#include "stage/confirm_host.h"
#include "verdict/verdict.h"

/* Of a step; all is borrowed until confirm_free. */
struct confirm_plan {
    struct confirm_host host; /* time_ns 0: there is none, and the rest does not count */
    int64_t boots_ns;         /* how long the host may take to come up again; 0: it is not to reboot */
};

enum confirm_news {
    CONFIRM_NEWS_ARMED,
    CONFIRM_NEWS_BACK, /* the host has put itself back, while it was renewed: confirm_end is next */
    CONFIRM_NEWS_OVER, /* after confirm_begin: it could not be armed; after confirm_end: all is known */
};
typedef void confirm_function(void *context, enum confirm_news news);

struct confirm;
/* Begins to arm. Notes (kind `confirm`) are of that run and step; `scope` is the run's. */
struct confirm *confirm_begin(struct loop *loop, struct sink *sink, const struct scope *scope,
                              const struct confirm_plan *plan, const char *run, int step,
                              confirm_function *function, void *context);
/* Ends the question that is under way; renewing goes on no more. */
void confirm_pause(struct confirm *confirm);
/* The step is over: proves the way in, or waits until the host has put itself back and answers. false: there
 * is nothing to wait for, it is over. NULL: false. */
bool confirm_end(struct confirm *confirm);
/* Nobody waits any more. */
void confirm_drop(struct confirm *confirm);
/* What is known; NULL for NULL. */
const struct confirm_seen *confirm_seen(const struct confirm *confirm);
void confirm_free(struct confirm **confirm);
