/* The devices of a target's tailnet, as whoever can be asked from here knows them: the v2 API where there are
 * credentials for it, else the peers of this machine's own tailscaled, where that is in the same tailnet.
 * Blocking: for stages. */
#pragma once
#include "base/deadline.h"
#include "config/config.h"
#include "event/machine.h"
#include "tailnet/api.h"

struct tailnet_seen {
    char *id;       /* the API's, to delete it by; NULL: seen by a peer */
    char *node;     /* node's stable id */
    char *name;     /* its DNS name, "" where it has none */
    char *hostname; /* what it asked to be called */
    struct words addresses, tags;
    bool connected; /* to the control server */
};

struct tailnet_sight {
    const char *source; /* "api", "peers"; NULL: nobody could be asked */
    char *why;          /* why the API, or nobody, could; NULL: nothing to say */
    struct tailnet_seen *devices;
    size_t count;
    struct tailnet_api *api; /* NULL: no credentials, or it could not be asked */
};
#define AUTO_TAILNET_SIGHT __attribute__((cleanup(tailnet_sight_clear))) struct tailnet_sight

/* Of whom this machine asks, and about what. */
struct tailnet_question {
    const struct target *target; /* NULL: its files cannot be read, and there are no credentials */
    const char *directory;       /* the project's folder, for secrets */
    const char *socket;          /* of this machine's tailscaled; NULL: the usual place */
    const char *login_server;    /* that it has to be logged in to; NULL: Tailscale's own */
};

/* Always a sight. Credentials that are refused are an error in `err` only where `strict`, else a reason in
 * `why`. */
int tailnet_sight_take(const struct tailnet_question *question, bool strict, struct deadline deadline,
                       struct tailnet_sight *out, struct error *err);
void tailnet_sight_clear(struct tailnet_sight *sight);

/* Between two sights of what is to change, begun before the first: this machine's tailscaled tells of changes
 * (tailnet/news.h), while the API tells nobody and is asked again, at growing distances. */
struct tailnet_sight_wait {
    int news;
    int64_t pause_ns;
};
#define AUTO_TAILNET_SIGHT_WAIT __attribute__((cleanup(tailnet_sight_wait_end))) struct tailnet_sight_wait
struct tailnet_sight_wait tailnet_sight_wait_begin(const struct tailnet_question *question,
                                                   struct deadline deadline);
void tailnet_sight_wait_on(struct tailnet_sight_wait *wait, const struct tailnet_sight *sight,
                           struct deadline deadline);
void tailnet_sight_wait_end(struct tailnet_sight_wait *wait);

/* What a device that asks for this name is called in the tailnet while the name is free: its first label. */
char *tailnet_sight_label(const char *hostname);
/* Whether the device has that label, or had asked for it and got another one. */
bool tailnet_sight_is_namesake(const struct tailnet_seen *seen, const char *label);
/* Whether the device is called so itself. */
bool tailnet_sight_is_called(const struct tailnet_seen *seen, const char *label);
/* The device of the machine's row, by its address or node; NULL: not among them. Borrowed. */
const struct tailnet_seen *tailnet_sight_of(const struct tailnet_sight *sight, const struct json *device);
/* The first one that is called so; NULL: none is. Borrowed. */
const struct tailnet_seen *tailnet_sight_called(const struct tailnet_sight *sight, const char *label);
/* Whether both lists hold the same words, in whatever order. */
bool tailnet_sight_same_tags(const struct words *a, const struct words *b);
/* {"name", "hostname", "addresses", "tags", "connected"} */
struct json *tailnet_sight_json(const struct tailnet_seen *seen);
/* Words about one for messages: "vault (100.64.0.3, tag:vault, not connected)"; malloc'ed, printable. */
char *tailnet_sight_text(const struct tailnet_seen *seen);
