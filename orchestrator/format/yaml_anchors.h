/* The anchors of one YAML document: which node a name means at this place of it. */
#pragma once
#include "format/yaml_faults.h"
#include <stdbool.h>

struct yaml_anchor;

struct yaml_anchors {
    struct yaml_anchor *newest;
    size_t count;
};

/* The node that begins at `at` has this anchor; NULL: it has none. -1 and a fault when there are more than
 * 1000. */
int yaml_anchors_begin(struct yaml_anchors *anchors, struct yaml_faults *faults, struct node_place at,
                       const char *name);
/* The node is read; borrowed for as long as aliases may come. */
void yaml_anchors_complete(struct yaml_anchors *anchors, const char *name, const struct node *node);
/* False: there is no such anchor up to here. `out` is NULL while the newest of that name is still being read.
 * */
bool yaml_anchors_find(const struct yaml_anchors *anchors, const char *name, const struct node **out);
void yaml_anchors_clear(struct yaml_anchors *anchors);
