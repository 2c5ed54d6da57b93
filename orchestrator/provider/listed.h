/* What a provider finds of its own making, whoever made it: for `sweep`, `status --all` and whoever asks
 * whether a machine is still there. */
#pragma once
#include "base/words.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct listed {
    char *reference;        /* the provider's own name for it */
    char *what;             /* for people: "server 4711 (tp0123456789) in fsn1" */
    char *project_id;       /* store/identity.h; NULL: nobody said, and so another's */
    char *target, *machine; /* NULL: not known */
    char *kept_by;          /* why it must not be removed ("delete protection is on"); NULL: nothing does */
    int64_t made_ns;        /* wall; 0: not known */
    int64_t expires_ns;     /* wall; 0: never, or not known */
};

struct listing {
    struct listed *items;
    size_t count;
    int64_t now_ns; /* the provider's own clock; 0: this machine's counts */
};
#define AUTO_LISTING __attribute__((cleanup(listing_clear))) struct listing
void listing_clear(struct listing *listing);
/* A new empty item at the end, to be filled in. */
struct listed *listing_add(struct listing *listing);
/* NULL: none. */
const struct listed *listing_find(const struct listing *listing, const char *reference);
