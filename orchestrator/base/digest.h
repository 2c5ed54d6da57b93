/* SHA-256 (FIPS 180-4), for telling contents apart: remembered plans, arguments that may hold secrets. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct digest {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    unsigned char block[64];
};
enum { DIGEST_TEXT = 65 }; /* 64 hex digits and the NUL */

void digest_begin(struct digest *digest);
void digest_add(struct digest *digest, const void *bytes, size_t length);
/* The string and its NUL, so that ("ab", "c") and ("a", "bc") differ. NULL adds a byte that no text begins
 * with. */
void digest_add_text(struct digest *digest, const char *text);
void digest_end(struct digest *digest, char out[DIGEST_TEXT]);
