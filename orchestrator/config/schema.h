/* The keys of the project's files (docs/contract.md, "Keys"). Those that set a watchdog stand in its row
 * (config/watchdog_facts.h). */
#pragma once
#include "base/words.h"
#include "config/key.h"

/* Every key once, in the order that `config` follows; NULL behind the last. */
const struct key *schema_key(size_t at);

/* The key of that very name, NULL when there is none. Of what stands at the top of a recipe only what
 * is to come is a key here. */
const struct key *schema_find(enum key_scope scope, const char *name);
/* Names that may stand in a map of this scope, NULL-terminated; `prefix` "" or "stage_deadline." (cut off
 * from what is added). With all of KEY_LATER's left out. */
void schema_names(enum key_scope scope, const char *prefix, struct words *out);
bool schema_is_open(
    const struct key *key); /* VALUE_VARIABLES, VALUE_SECRETS: the user chooses the fields' names */
/* A text-like value, which the environment gives as it is rather than as YAML. */
bool schema_is_text(const struct key *key);
