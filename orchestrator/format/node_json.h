/* A YAML value as JSON, for programs that take no YAML. */
#pragma once
#include "format/json.h"
#include "format/node.h"

/* A tag is left out; text stays text, a date too. A reference of the caller's. */
struct json *node_json(const struct node *node);
