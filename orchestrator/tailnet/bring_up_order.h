/* What is asked of bring_up, and what has come of it: filled by those who each do a part. */
#pragma once
#include "base/words.h"
#include "config/tailnet_login.h"
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
