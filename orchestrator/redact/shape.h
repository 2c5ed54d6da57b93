/* Finding what has the shape of a secret: PEM private keys, tokens of Vault and OpenBao, Tailscale,
 * GitHub, GitLab, AWS, Slack and Google, JSON web tokens, unseal keys, what stands behind a label
 * (password=, X-Vault-Token:) or a command's option (--password X, -e key=X), Authorization headers,
 * and user:password@ in URLs. */
#pragma once
#include "redact/view.h"

enum { REDACT_SHAPE_REACH = 32768 }; /* nothing behind these bytes is looked at */

/* `data` has `length` bytes; `behind` of what stood before it (0, 1 or 2 bytes) can be read at data[-1],
 * data[-2]. True with `hit` when a secret begins here, or what announces one. */
bool redact_shape_find(const unsigned char *data, size_t length, size_t behind, struct redact_shape_hit *hit);
/* Whether it can find anything at a byte `c` behind `before`, by these two alone; what stands behind nothing
 * stands behind a blank. */
bool redact_shape_may_begin(unsigned char before, unsigned char c);
/* Bytes of the key that begins here, within such a list; 0: none does. */
size_t redact_shape_key(enum redact_shape_list list, const unsigned char *data, size_t length);
/* Whether the list is over here, for what such a list can hold. */
bool redact_shape_list_ends(enum redact_shape_list list, const unsigned char *data, size_t length);
/* Bytes of a list; characters from which on a word in it goes wherever it stands. */
enum { REDACT_KEYS_MOST = 4096, REDACT_LINES_MOST = 16384, REDACT_KEY_LONG = 16 };
