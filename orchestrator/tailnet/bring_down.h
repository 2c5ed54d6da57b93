/* The way out of what bring_up made: our own node logged out, our own daemon ended, both verified. Nothing
 * else is looked at, let alone ended. */
#pragma once
#include "base/deadline.h"
#include "base/error.h"
#include "base/words.h"
#include "config/tailnet_login.h"

struct bring_down_order {
    const struct operator_settings
        *settings; /* whose API is asked for a device that could not log out; NULL: none */
    const char *directory;
    void (*tell)(void *context, const char *line);
    void *context;
};

struct bring_down_end {
    bool nothing;      /* there was nothing of ours */
    bool had_node;     /* it was joined */
    char *name;        /* of that node; NULL */
    struct words left; /* what could not be made sure of, a line each */
};
#define AUTO_BRING_DOWN_END __attribute__((cleanup(bring_down_end_clear))) struct bring_down_end

/* 0, also where there was nothing. What is in `left` is the control server's alone: here all is gone.
 * ERROR_DEADLINE, ERROR_SYSTEM: the daemon did not end, or its files could not be removed; ERROR_BUSY. */
int bring_down(const struct bring_down_order *order, struct deadline deadline, struct bring_down_end *out,
               struct error *err);
void bring_down_end_clear(struct bring_down_end *end);
