/* In which order a run takes the ways to its host: as they are listed, but for those that carried an attempt
 * which broke and could not be verified after that. These go behind the others, for this run. Pure. */
#pragma once
#include "base/words.h"
#include "format/json.h"
#include <stdbool.h>

struct way_order {
    char *suspect;       /* carried an attempt that broke, and was not verified since; NULL: none */
    struct words behind; /* failed twice, in that order */
};

/* An attempt broke over this transport (NULL: over none). */
void way_order_broke(struct way_order *order, const char *transport);
/* This one was verified, with the evidence of all that were tried (stage/find_transport.h). Whether the
 * suspect failed once more and goes behind; `from` then gets its name, malloc'ed. */
bool way_order_verified(struct way_order *order, const char *transport, const struct json *evidence,
                        char **from);
/* The names in the order to take them. */
void way_order_list(const struct way_order *order, const struct words *names, struct words *out);
void way_order_clear(struct way_order *order);
