/* Finding what has the shape of a secret: PEM private keys, tokens of Vault and OpenBao, Tailscale, GitHub, GitLab, AWS, Slack and Google, JSON web tokens,
 * unseal keys, what stands behind a label (password=, X-Vault-Token:), Authorization headers, and user:password@ in URLs. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum { REDACT_SHAPE_REACH = 32768 }; /* nothing behind these bytes is looked at */

struct redact_shape_hit {
    size_t from, to;  /* offsets of what is to go; `to` 0: nothing was found */
    const char *kind; /* static */
    size_t
        list; /* not 0: a list of keys begins at `from`, and may have so many bytes: what is long in it goes (redact_shape_key) */
};

/* `data` has `length` bytes; `behind` of what stood before it (0, 1 or 2 bytes) can be read at data[-1], data[-2]. */
struct redact_shape_hit redact_shape_find(const unsigned char *data, size_t length, size_t behind);
/* Bytes of the key that begins here, within a list of keys; 0: none does. */
size_t redact_shape_key(const unsigned char *data, size_t length);
