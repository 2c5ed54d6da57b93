/* A value that says too little by itself, beside its key: "pin: 1234", pin=1234, \"pin\": \"1234\". */
#pragma once
#include "redact/view.h"

/* The key begins at the view's first byte, and this value, as a whole, stands behind it. */
bool redact_beside_find(const struct redact_view *view, const char *key, const char *value, size_t length,
                        struct redact_shape_hit *hit);
