/* Text without what is secret: values that are known, wherever they stand, and what looks like a secret (password=…, --token …, user:…@, Bearer …, private keys).
 * What is taken out reads ***. */
#pragma once
#include "base/text.h"
#include <stddef.h>

struct redaction;
struct redaction *redaction_new(void);
void redaction_free(struct redaction *redaction);
/* A value; ones of less than 4 bytes are left alone, they would tear up every text. Copied. */
void redaction_learn(struct redaction *redaction, const char *value, size_t length);
/* What a sealed descriptor of a phase holds (action/ansible.c): the values of its variables, or one secret by itself. At most 1 MiB is read. */
void redaction_learn_descriptor(struct redaction *redaction, int fd);
void redaction_add(const struct redaction *redaction, const char *string, struct text *out);
