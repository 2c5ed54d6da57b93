/* Because host_vars beat any inventory file: asks ansible-inventory, with all sources, whether each
 * connection variable is still the rendered one. */
#pragma once
#include "base/words.h"
#include "config/config.h"
#include "format/json.h"

struct connection_difference {
    char *host, *variable, *rendered, *effective; /* "" for none */
    char *file; /* likely source, relative to the project; NULL: not found */
};

/* Compares the JSON of `ansible-inventory --host HOST` (or --list) with what was rendered (`expect` of
 * inventory_render). Adds a difference per variable. */
struct connection_differences {
    struct connection_difference *items;
    size_t count;
};
void connection_compare(const struct project *project, const char *host, const struct json *expected,
                        const struct json *effective, struct connection_differences *out);
void connection_differences_clear(struct connection_differences *differences);
/* A variable of the target's host, or a secret of the target, that is a password for logging in, which
 * nothing here uses: a key logs in. One line with what to do, `file` as above (malloc'ed); NULL: there is
 * none. The password is not in it. */
char *connection_password_text(const struct project *project, const struct target *target,
                               const struct json *effective, char **file);
/* A variable's value as text, "" for none: Ansible 2.14 wraps what is not to be templated. malloc'ed. */
char *connection_value(const struct json *value);
/* The file of host_vars, group_vars or an inventory that probably sets it, relative to the
 * project. malloc'ed or NULL. */
char *connection_likely_file(const struct project *project, const char *host, const char *variable);
/* One line: variable, both values, the likely file, and what to do. malloc'ed. */
char *connection_difference_text(const struct connection_difference *difference);
