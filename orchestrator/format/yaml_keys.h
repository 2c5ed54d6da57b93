/* The keys of a YAML map once it is read: none may stand there twice, and a merge key (`<<`) brings in those
 * of other maps. */
#pragma once
#include "format/yaml_faults.h"
#include <stdbool.h>

struct yaml_keys {
    struct yaml_faults *faults;
    struct node *kept; /* a list that takes what leaves the tree, since it may have an anchor inside */
    bool forgiving;    /* keys that stand twice are left out, both, besides being a fault */
    size_t twice;      /* faults of that kind so far */
};

/* Tells of every key that stands there twice. */
void yaml_keys_check(struct yaml_keys *keys, struct node *map);
/* Puts copies of the pairs of a merge key's value (a map, or a list of maps) behind the map's own, which win.
 * `at`: of the merge key. */
void yaml_keys_merge(struct yaml_keys *keys, struct node *map, const struct node *from, struct node_place at);
