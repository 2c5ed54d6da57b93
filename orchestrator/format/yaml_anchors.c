#include "format/yaml_anchors.h"

#include "base/memory.h"
#include "base/text.h"

enum { ANCHOR_LIMIT = 1000 };

struct yaml_anchor {
    char *name;
    const struct node *node; /* NULL while it is still being read */
    struct yaml_anchor *before;
};

int yaml_anchors_begin(struct yaml_anchors *anchors, struct yaml_faults *faults, struct node_place at,
                       const char *name)
{
    if (!name)
        return 0;
    if (++anchors->count > ANCHOR_LIMIT) {
        yaml_faults_add(faults, at, "more than %d anchors; a file with so many is refused",
                        (int)ANCHOR_LIMIT);
        return -1;
    }
    struct yaml_anchor *anchor = xcalloc(1, sizeof *anchor);
    anchor->name = xstrdup(name);
    anchor->before = anchors->newest;
    anchors->newest = anchor;
    return 0;
}

/* The newest of that name whose node is being read now gets it. */
void yaml_anchors_complete(struct yaml_anchors *anchors, const char *name, const struct node *node)
{
    for (struct yaml_anchor *anchor = anchors->newest; anchor; anchor = anchor->before) {
        if (!anchor->node && text_is(anchor->name, name)) {
            anchor->node = node;
            return;
        }
    }
}

bool yaml_anchors_find(const struct yaml_anchors *anchors, const char *name, const struct node **out)
{
    const struct yaml_anchor *anchor = anchors->newest;
    while (anchor && !text_is(anchor->name, name))
        anchor = anchor->before;
    *out = anchor ? anchor->node : NULL;
    return anchor != NULL;
}

void yaml_anchors_clear(struct yaml_anchors *anchors)
{
    while (anchors->newest) {
        struct yaml_anchor *anchor = anchors->newest;
        anchors->newest = anchor->before;
        free(anchor->name);
        free(anchor);
    }
}
