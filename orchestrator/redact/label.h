/* Secrets that show by what stands before them: password=, X-Vault-Token:, "keys_base64": [,
 * Authorization: Bearer, Unseal Key 1: */
#pragma once
#include "redact/view.h"

enum { REDACT_VALUE_MOST = 1024 }; /* characters of what stands behind a label */

/* A label begins at the view's first byte, and something to hide stands behind it. */
bool redact_label_find(const struct redact_view *view, struct redact_shape_hit *hit);
/* "--api-token X", "-e key=X" or "--extra-vars {key: X}" begins there: the words of a command. */
bool redact_label_option(const struct redact_view *view, struct redact_shape_hit *hit);
/* "Unseal Key 1: X" begins there. */
bool redact_label_unseal_key(const struct redact_view *view, struct redact_shape_hit *hit);
