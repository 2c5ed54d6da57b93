/* This machine in its tailnet: over the daemon that is there where that is in the wanted one, else over a daemon of our
 * own. What triphase did not start is looked at and never changed, logged out or stopped. */
#pragma once
#include "base/deadline.h"
#include "base/error.h"
#include "base/words.h"
#include "config/project.h"
#include "config/tailnet_place.h"
#include "tailnet/sight.h"

enum bring_up_mode { BRING_UP_BY_EVIDENCE, BRING_UP_TUN, BRING_UP_USERSPACE };

struct bring_up_order {
    const struct operator_settings *settings;
    const char *directory; /* whose files its secrets' relative paths are of */
    const char *socket;    /* of a daemon that the user names; NULL: none is named */
    enum bring_up_mode mode;
    bool own;                                      /* a daemon of our own, also where another one answers */
    void (*tell)(void *context, const char *line); /* what is being done */
    void *context;
};

struct bring_up_end {
    bool own;      /* the daemon is the one that triphase started */
    bool changed;  /* something was started, joined or set */
    bool new_node; /* its node was made in this call: nothing of an earlier one is kept */
    int made_keys;
    char *socket;
    struct tailnet_place_daemon daemon; /* where it is our own */
    struct sight sight;                 /* READY */
    struct words notes;                 /* what else the user should know, a line each */
};
#define AUTO_BRING_UP_END __attribute__((cleanup(bring_up_end_clear))) struct bring_up_end

/* ERROR_PROJECT: refused by the settings, by a daemon of somebody else or by the control server; ERROR_MISSING: a
 * program lacks; ERROR_UNREACHABLE: the API; ERROR_DEADLINE: not Running in time; ERROR_BUSY: another one is at it.
 * What it started itself is ended again when it fails. `out` is filled when it is 0. */
int bring_up(const struct bring_up_order *order, struct deadline deadline, struct bring_up_end *out,
             struct error *err);
void bring_up_end_clear(struct bring_up_end *end);
