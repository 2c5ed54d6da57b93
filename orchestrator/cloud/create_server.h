/* A server made once, wherever there is room for it. */
#pragma once
#include "base/words.h"
#include "cloud/api.h"
#include "cloud/lookup.h"

/* The label that says which machine a server is. */
#define CLOUD_MACHINE_LABEL "triphase-machine"

struct cloud_server_wish {
    const struct json *body; /* of POST /servers, with a name and CLOUD_MACHINE_LABEL, without a location */
    const struct words *locations;        /* in order; empty: the cloud's choice */
    const struct cloud_server_type *type; /* NULL: where it can be had is not known */
};

/* Places where the type is said not to be had come last. Where there is no capacity the next place is tried,
 * and then all again, after 15 s, doubled up to 120 s, at most 10 times and for 300 s. After a POST of which
 * nobody knows what came of it the server is looked for; one with our name and label is taken as made, one
 * of that name without it is CLOUD_CONFIGURATION. `server` as the cloud shows it once its actions have ended
 * and it is running. On failure after it was made it is still there, but where there was no capacity for it
 * after all: then it was removed. */
int cloud_create_server(struct cloud_api *api, const struct cloud_server_wish *wish, struct json **server,
                        enum cloud_class *class, struct error *err);
