/* The last contact of a run with its host: what is known of the connection that was verified last, and what
 * the next one may find changed. */
#pragma once
#include "event/sink.h"
#include "run/recovery.h"

struct contact {
    char *session, *boot;            /* NULL: not known */
    int64_t host_ticks, verified_ns; /* of that connection, as in struct transport_result */
    bool drop_masters;               /* they may lead nowhere: the next transport is to open its own */
    bool starting;                   /* this run made or rebooted it and has not got through to it since */
    int64_t knocked_ns; /* when a connection was tried that did not log in, monotonic; 0: never */
    /* the one behind which the next transport may find another boot; NULL: none */
    const struct phase *reboots_before;
};

/* A connection was verified; `result` is what the transport's stage said. A host that has booted since leaves
 * a note in step `step` of the run; `phase`: that needs the connection, NULL: none does. */
void contact_verified(struct contact *contact, struct sink *sink, const char *run, int step,
                      const struct phase *phase, const struct json *result);
/* A phase ended well that disturbs connections (network_churn, reboots). */
void contact_disturbed(struct contact *contact, const struct phase *phase);
/* It rebooted, as it was told: neither its masters nor what was known of it go on. */
void contact_rebooted(struct contact *contact);
/* What a stage that will connect is asked: its share of the request (stage/stage.h). */
void contact_ask(const struct contact *contact, const char *stage, struct json *request);
/* For a look at the host; borrowed until the next contact. */
struct recovery_link contact_link(const struct contact *contact);
void contact_clear(struct contact *contact);
