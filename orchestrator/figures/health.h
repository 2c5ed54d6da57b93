/* From the samples of a run's health to the spans of time between its changes. Pure. */
#pragma once
#include "base/words.h"
#include "store/history.h"
#include "store/history_health.h"

enum health_state {
    HEALTH_NOT_YET,   /* not healthy, and never was before */
    HEALTH_HEALTHY,   /* */
    HEALTH_UNHEALTHY, /* not healthy any more */
};

struct health_span {
    enum health_state state;
    int64_t from_ns, to_ns;          /* wall; to: when the next one begins, of the last one the last look */
    bool open;                       /* it is the last one: nobody saw its end */
    const char *cause;               /* the first one; of HEALTH_HEALTHY NULL, as the next two */
    struct words causes;             /* each once, in order */
    const char *message;             /* of the first */
    const struct history_step *step; /* in or behind which it began; NULL: before all */
};

struct health_account {
    struct health_span *spans;
    size_t count;             /* 0: nothing was looked at */
    int64_t first_healthy_ns; /* wall; 0: never */
    int64_t unhealthy_ns;     /* together, of HEALTH_UNHEALTHY */
    size_t windows;           /* how many of these */
    const char *via;          /* of the last look */
};

/* Both in the order of time, and to outlive the account. */
void health_account_make(const struct history_health *samples, size_t count, const struct history_step *steps,
                         size_t step_count, struct health_account *out);
void health_account_clear(struct health_account *account);
