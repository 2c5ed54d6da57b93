/* What tags of YAML values mean: the core ones by their word (`!!int`), and Ansible's !unsafe and !vault, of
 * texts alone. Any other is a fault. */
#pragma once
#include "format/yaml_faults.h"
#include <stdbool.h>

/* The node of a scalar; the caller owns it. `tag`: the whole one, NULL: none. `plain`: written without
 * quotes, so that its text alone says what it is. A tag that does not fit leaves a fault, and a node all the
 * same. */
struct node *yaml_tags_scalar(struct yaml_faults *faults, struct node_place at, const char *tag,
                              const char *text, bool plain);
/* A list or map may have no tag but its own, `expected` ("seq", "map"). */
void yaml_tags_collection(struct yaml_faults *faults, struct node_place at, const char *tag,
                          const char *expected);
