/* What both stages of a join have in hand, and how they ask: before what brings the host into its tailnet
 * (stage/join_look.h), and behind it (stage/join_verify.h). */
#pragma once
#include "base/deadline.h"
#include "stage/sweep.h"
#include "stage/tailnet_sight.h"
#include "tailnet/status.h"

struct joining {
    const struct project *project;
    const struct host *host;
    const struct target *target;
    struct machine *machine;
    const struct json *request;
    struct tailnet_question question;
    struct deadline deadline;
    char *label;           /* what the device is to be called */
    struct json *evidence; /* owned by the result */
    const char *cause;     /* of a failure; static */
};

/* Borrows all; joining_end hands `status` on, with the cause of a failure in `result`, and clears. */
void joining_begin(struct joining *joining, const struct project *project, const struct host *host,
                   struct machine *machine, const struct json *request, struct json *result);
int joining_end(struct joining *joining, int status, struct json *result);

/* The end with this cause, its words behind the target's name. */
int joining_fail(struct joining *joining, enum error_kind kind, const char *cause, struct error *err,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));
/* That a second one of its name is there. */
int joining_fail_twice(struct joining *joining, const char *other, const char *address, struct error *err);

/* Whoever can be asked here for the tailnet's devices; what they say of that name is put into the
 * evidence. */
int joining_look_around(struct joining *joining, struct tailnet_sight *out, struct error *err);
/* The host itself, over `direct`. *there false: no tailscaled answers there. */
int joining_ask_host(struct joining *joining, struct tailnet_status *status, bool *there, struct error *err);
