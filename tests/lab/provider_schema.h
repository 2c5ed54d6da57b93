/* docs/provider.schema.json held against requests and answers, by a real validator (provider_schema.py). */
#pragma once

/* How many it looked at; fails the test with the validator's words where one is not as it has to be. `kind`:
 * "requests", "calls", "table" or "manual". */
int provider_schema_look(const char *kind, const char *path);
