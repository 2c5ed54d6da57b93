#include "config/change.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/change_counts.h"
#include "config/change_path.h"
#include "config/change_write.h"
#include "config/draft.h"
#include "config/fault.h"
#include "config/secret.h"
#include "config/settings.h"
#include "config/user_file.h"
#include "format/yaml.h"
#include "format/yaml_steps.h"

#include <ctype.h>
#include <string.h>

struct changing {
    const struct config_sources *sources;
    const struct config_change *change;
    struct invoker invoker;
    struct change_file file;
    struct change_place place;
    char *shown; /* the path, for messages */
    struct node *value, *tree;
    struct text becomes;
};

static int refuse(const struct words *faults, struct error *err)
{
    AUTO_FREE char *lines = words_join(faults, "\n");
    return error_set(err, ERROR_PROJECT, "%s", lines);
}

/* What was given */

/* The value as the key takes it; the problems are those that reading has. */
static int read_value(struct changing *changing, struct words *faults)
{
    const struct key *key = changing->place.at.key;
    const char *field = changing->place.at.field, *text = changing->change->value;
    struct provenance from = {changing->shown, false};
    size_t before = faults->count;
    /* YAML would read it as null, which hides what other layers say. */
    if (!schema_is_text(key) && !text[strspn(text, " \t\r\n")]) {
        fault_add(faults, changing->shown,
                  "the value is empty; 'triphase config unset' takes a setting out%s",
                  field ? ", and an empty text is '\"\"'" : "");
        return -1;
    }
    struct node *value = environment_read_value(key, field, text, changing->shown, faults);
    if (!value)
        return -1;
    struct settings *scratch = settings_new();
    settings_add(scratch, changing->file.user ? SOURCE_USER : SOURCE_PROJECT, changing->place.at.spot->path,
                 key, field, value, (struct node_place){0, 0}, &from, faults);
    settings_free(scratch);
    changing->value = value;
    return faults->count > before ? -1 : 0;
}

/* What would come of it */

/* A fault without the place in the changed file, which may have moved. malloc'ed. */
static char *without_place(const char *line, const char *name)
{
    size_t length = strlen(name);
    if (strncmp(line, name, length) != 0 || line[length] != ':')
        return xstrdup(line);
    const char *at = line + length;
    while (*at == ':' && isdigit((unsigned char)at[1]))
        at += 1 + strspn(at + 1, "0123456789");
    return xasprintf("%s%s", name, at);
}

static void add_lines(const char *message, struct words *out)
{
    while (*message) {
        size_t length = strcspn(message, "\n");
        words_own(out, xstrndup(message, length));
        message += length + (message[length] == '\n');
    }
}

/* Those of `after` that `before` has not. */
static void new_faults(const struct words *before, const struct words *after, const char *name,
                       struct words *out)
{
    AUTO_WORDS known = WORDS_INIT;
    for (size_t i = 0; i < before->count; i++)
        words_own(&known, without_place(before->items[i], name));
    for (size_t i = 0; i < after->count; i++) {
        AUTO_FREE char *line = without_place(after->items[i], name);
        if (!words_have(&known, line) && !words_have(out, after->items[i]))
            words_add(out, after->items[i]);
    }
}

static int load(const struct config_sources *sources, const struct config_draft *draft,
                struct project **project, struct words *faults, struct error *err)
{
    AUTO_ERROR why = ERROR_INIT;
    if (config_load_draft(sources, draft, project, &why) == 0)
        return 0;
    if (why.kind != ERROR_PROJECT && why.kind != ERROR_USAGE)
        return error_move(err, &why);
    add_lines(error_text(&why), faults);
    return 0;
}

/* The project's files as they would be, under the environment of this call and, since that may hide a fault,
 * under one without triphase's variables. `project` gets the former where it loads. */
static int look_at_project(const struct changing *changing, const struct config_draft *draft,
                           struct project **project, struct words *faults, struct error *err)
{
    AUTO_WORDS environment = WORDS_INIT;
    struct config_sources plain = *changing->sources;
    for (const char *const *entry = plain.environment; *entry; entry++)
        if (!text_starts(*entry, "TRIPHASE_"))
            words_add(&environment, *entry);
    plain.environment = words_argv(&environment);
    plain.sets = NULL;
    const struct config_sources *ways[] = {&plain, changing->sources};
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        AUTO_PROJECT *before = NULL, *after = NULL;
        AUTO_WORDS had = WORDS_INIT, has = WORDS_INIT;
        if (load(ways[i], NULL, &before, &had, err) < 0 || load(ways[i], draft, &after, &has, err) < 0)
            return -1;
        new_faults(&had, &has, changing->file.name, faults);
        if (i == 1)
            *project = TAKE(after);
    }
    return 0;
}

static void look_at_user_file(const struct changing *changing, const struct config_draft *draft,
                              struct words *faults)
{
    struct words lines[2] = {WORDS_INIT, WORDS_INIT};
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct settings *layers = settings_new();
        user_file_read(layers, &changing->invoker, changing->sources->environment, changing->file.path,
                       i ? draft : NULL, &lines[i]);
        settings_free(layers);
    }
    new_faults(&lines[0], &lines[1], changing->file.name, faults);
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        words_clear(&lines[i]);
}

/* What is told */

static const char not_shown[] = "(not shown)";

/* Of a secret its source alone: a plain value that stands there, which is a fault, is not shown. malloc'ed;
 * NULL: nothing. */
static char *told(const struct key *key, const struct node *node)
{
    if (!node)
        return NULL;
    bool secret = key->type == VALUE_SECRET || key->type == VALUE_SECRETS;
    for (size_t i = 0; secret && node->kind == NODE_MAP && i < node->count; i++)
        if (node_is_scalar(node->items[i]) && !text_is(node->keys[i], "file") &&
            !text_is(node->keys[i], "env") && !text_is(node->keys[i], "fd"))
            return xstrdup(not_shown);
    return secret && node_is_scalar(node) ? xstrdup(not_shown) : node_flow(node);
}

/* The lines between what both begin and both end with. */
static void compare_lines(const struct text *was, const struct text *is, struct words *out)
{
    AUTO_WORDS old = WORDS_INIT, new = WORDS_INIT;
    size_t same = 0, tail = 0;
    add_lines(text_string(was), &old);
    add_lines(text_string(is), &new);
    size_t least = old.count < new.count ? old.count : new.count;
    while (same < least && text_is(old.items[same], new.items[same]))
        same++;
    while (tail < least - same && text_is(old.items[old.count - tail - 1], new.items[new.count - tail - 1]))
        tail++;
    for (size_t i = same; i < old.count - tail; i++)
        words_addf(out, "-%s", old.items[i]);
    for (size_t i = same; i < new.count - tail; i++)
        words_addf(out, "+%s", new.items[i]);
}

/* All together */

static int find_file(struct changing *changing, struct error *err)
{
    const struct config_sources *sources = changing->sources;
    if (!changing->change->user) {
        AUTO_FREE char *directory = config_find_directory(sources->start, err);
        return directory ? change_file_of(directory, NULL, changing->change->path, &changing->file, err) : -1;
    }
    AUTO_FREE char *path = user_file_path(&changing->invoker, sources->environment, sources->user_file);
    if (!path)
        return error_set(err, ERROR_PROJECT,
                         "there is no home, and so no user's own file; set XDG_CONFIG_HOME");
    return change_file_of(NULL, path, changing->change->path, &changing->file, err);
}

static int read_tree(struct changing *changing, const struct text *bytes, struct error *err)
{
    AUTO_WORDS faults = WORDS_INIT;
    const char *name = changing->file.name;
    int result = (changing->file.user ? yaml_read_forgiving : yaml_read)(text_string(bytes), bytes->length,
                                                                         name, &changing->tree, &faults);
    if (result < 0)
        return refuse(&faults, err);
    if (changing->tree->kind != NODE_MAP && changing->tree->kind != NODE_NULL)
        return error_set(err, ERROR_PROJECT, "%s:1:1: the file takes a map, not %s", name,
                         node_kind_name(changing->tree->kind));
    return 0;
}

static int decide(struct changing *changing, const struct text *bytes, struct config_changed *out,
                  struct error *err)
{
    AUTO_WORDS faults = WORDS_INIT;
    AUTO_PROJECT *project = NULL;
    struct change_place *place = &changing->place;
    if (read_tree(changing, bytes, err) < 0)
        return -1;
    if (change_place_find(&changing->file, changing->tree, changing->change->path, changing->shown, place,
                          &faults) < 0 ||
        (changing->change->value && read_value(changing, &faults) < 0))
        return refuse(&faults, err);
    const struct node *was = yaml_steps_find(changing->tree, place->steps, place->depth);
    struct yaml_edit edit = {.bytes = text_string(bytes),
                             .length = bytes->length,
                             .name = changing->file.name,
                             .path = place->steps,
                             .depth = place->depth,
                             .stays = place->stays,
                             .forgiving = changing->file.user};
    out->before = told(place->at.key, was);
    out->after = told(place->at.key, changing->value);
    bool same = changing->value ? was && yaml_steps_equal(was, changing->value) : !was;
    if (same)
        text_add_bytes(&changing->becomes, text_string(bytes), bytes->length);
    else if (yaml_edit(&edit, changing->value, &changing->becomes, err) < 0)
        return -1;
    out->changes = !same;
    struct config_draft draft = {changing->file.path, text_string(&changing->becomes),
                                 changing->becomes.length};
    if (changing->file.user) {
        look_at_user_file(changing, &draft, &faults);
        config_load_draft(changing->sources, &draft, &project, NULL); /* in no project all is said */
    } else if (look_at_project(changing, &draft, &project, &faults, err) < 0) {
        return -1;
    }
    if (faults.count)
        return refuse(&faults, err);
    if (!text_is(out->before, not_shown))
        compare_lines(bytes, &changing->becomes, &out->lines);
    struct change_counts counts = {&changing->file, &place->at, changing->value};
    if (project)
        change_counts_look(&counts, project, &out->counts);
    return 0;
}

int config_change(const struct config_sources *sources, const struct config_change *change,
                  struct config_changed *out, struct error *err)
{
    struct changing changing = {.sources = sources, .change = change, .shown = text_shown(change->path)};
    struct change_write write = {.lock = -1};
    AUTO_CONFIG_CHANGED changed = {.lines = WORDS_INIT, .counts = WORDS_INIT};
    invoker_find(sources->environment, &changing.invoker);
    int result = find_file(&changing, err);
    if (result == 0)
        result = change_write_begin(changing.file.path, change->user ? &changing.invoker : NULL, change->user,
                                    &write, err);
    if (result == 0)
        result = decide(&changing, &write.bytes, &changed, err);
    if (result == 0 && changed.changes && !change->dry)
        result = change_write_put(&write, &changing.becomes, err);
    change_write_end(&write);
    if (result == 0) {
        changed.file = xstrdup(changing.file.name);
        *out = changed;
        changed = (struct config_changed){.lines = WORDS_INIT, .counts = WORDS_INIT};
    }
    invoker_clear(&changing.invoker);
    change_file_clear(&changing.file);
    change_place_clear(&changing.place);
    free(changing.shown);
    node_free(changing.value);
    node_free(changing.tree);
    text_clear(&changing.becomes);
    return result;
}

void config_changed_clear(struct config_changed *changed)
{
    free(changed->file);
    free(changed->before);
    free(changed->after);
    words_clear(&changed->lines);
    words_clear(&changed->counts);
    *changed = (struct config_changed){0};
}
