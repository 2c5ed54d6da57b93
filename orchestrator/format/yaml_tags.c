#include "format/yaml_tags.h"

#include "base/memory.h"
#include "base/text.h"

/* The core tags of YAML by their last word; NULL for others. */
static const char *core_tag(const char *tag)
{
    static const char prefix[] = "tag:yaml.org,2002:";
    return text_starts(tag, prefix) ? tag + sizeof prefix - 1 : NULL;
}

struct node *yaml_tags_scalar(struct yaml_faults *faults, struct node_place at, const char *tag,
                              const char *text, bool plain)
{
    const char *core = tag ? core_tag(tag) : NULL;
    struct node *node;
    if (tag && (text_is(tag, "!unsafe") || text_is(tag, "!vault"))) {
        node = node_new_string(text);
        node->tag = text_is(tag, "!unsafe") ? "!unsafe" : "!vault";
    } else if (core && !text_is(core, "str")) {
        node = node_new_plain(text);
        bool fits = (text_is(core, "int") && node->kind == NODE_INTEGER) ||
                    (text_is(core, "bool") && node->kind == NODE_BOOL) ||
                    (text_is(core, "float") && (node->kind == NODE_REAL || node->kind == NODE_INTEGER)) ||
                    (text_is(core, "null") && node->kind == NODE_NULL);
        if (!fits) {
            AUTO_FREE char *show = text_shown(core);
            yaml_faults_add(faults, at, "the tag !!%s does not fit this value", show);
        }
    } else if (tag && !core && !text_is(tag, "!")) {
        AUTO_FREE char *show = text_shown(tag);
        yaml_faults_add(faults, at, "unknown tag %s; only !unsafe and !vault are known", show);
        node = node_new_string(text);
    } else if (!tag && plain) {
        node = node_new_plain(text);
    } else {
        node = node_new_string(text);
    }
    return node;
}

void yaml_tags_collection(struct yaml_faults *faults, struct node_place at, const char *tag,
                          const char *expected)
{
    if (!tag || text_is(tag, "!") || text_is(core_tag(tag), expected))
        return;
    AUTO_FREE char *show = text_shown(tag);
    yaml_faults_add(faults, at, "unknown tag %s; only !unsafe and !vault, of texts, are known", show);
}
