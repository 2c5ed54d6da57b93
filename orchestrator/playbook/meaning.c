#include "playbook/meaning.h"

#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"

#include <ctype.h>
#include <string.h>

enum { MOST = 64, DEPTH_MOST = 6 };

static void expression(const struct meaning_names *names, const char *text, int depth, struct meanings *out);
static void word_at(const struct meaning_names *names, const char *word, int depth, struct meanings *out);

void meanings_clear(struct meanings *meanings)
{
    for (size_t i = 0; i < meanings->count; i++) {
        free(meanings->items[i].text);
        free(meanings->items[i].ending);
    }
    free(meanings->items);
    *meanings = (struct meanings){0};
}

/* Takes over both texts. */
static void put(struct meanings *out, char *text, char *ending, bool here)
{
    out->items = xreallocarray(out->items, out->count + 1, sizeof *out->items);
    out->items[out->count++] = (struct meaning){text, ending, here};
}

static void put_known(struct meanings *out, const char *text, bool here)
{
    put(out, xstrdup(text), NULL, here);
}

static void put_unknown(struct meanings *out)
{
    put(out, xstrdup(""), xstrdup(""), false);
}

static void move_all(struct meanings *from, struct meanings *to)
{
    for (size_t i = 0; i < from->count; i++)
        put(to, from->items[i].text, from->items[i].ending, from->items[i].here);
    free(from->items);
    *from = (struct meanings){0};
}

static void join_one(const struct meaning *left, const struct meaning *right, struct meanings *out)
{
    bool here = left->here || (!*left->text && !left->ending && right->here);
    if (!left->ending)
        put(out, xasprintf("%s%s", left->text, right->text), xstrdup_or_null(right->ending), here);
    else
        put(out, xstrdup(left->text),
            right->ending ? xstrdup(right->ending) : xasprintf("%s%s", left->ending, right->text), here);
}

/* Each of `so_far` goes on with each of `more`; where these are too many, nobody knows
 * with what. Empties `more`. */
static void join(struct meanings *so_far, struct meanings *more)
{
    AUTO_MEANINGS joined = {0};
    if (!more->count || so_far->count * more->count > MOST) {
        meanings_clear(more);
        put_unknown(more);
    }
    for (size_t i = 0; i < so_far->count; i++)
        for (size_t j = 0; j < more->count; j++)
            join_one(&so_far->items[i], &more->items[j], &joined);
    meanings_clear(more);
    meanings_clear(so_far);
    move_all(&joined, so_far);
}

static char *trimmed(const char *text, size_t length)
{
    for (; length && isspace((unsigned char)*text); length--)
        text++;
    while (length && isspace((unsigned char)text[length - 1]))
        length--;
    return xstrndup(text, length);
}

/* Cuts at the marks that stand outside quotes and brackets. */
static void cut(const char *text, const char *marks, struct words *out)
{
    char quote = '\0';
    int open = 0;
    const char *from = text;
    for (const char *at = text; *at; at++) {
        if (quote) {
            quote = *at == quote ? '\0' : quote;
        } else if (*at == '\'' || *at == '"') {
            quote = *at;
        } else if (strchr("([{", *at)) {
            open++;
        } else if (strchr(")]}", *at)) {
            open--;
        } else if (open == 0 && strchr(marks, *at)) {
            words_own(out, trimmed(from, (size_t)(at - from)));
            from = at + 1;
        }
    }
    words_own(out, trimmed(from, strlen(from)));
}

/* What stands between brackets that open at `open`; NULL: they do not close. */
static char *bracketed(const char *open)
{
    char quote = '\0';
    int depth = 0;
    for (const char *at = open; *at; at++) {
        if (quote)
            quote = *at == quote ? '\0' : quote;
        else if (*at == '\'' || *at == '"')
            quote = *at;
        else if (strchr("([{", *at))
            depth++;
        else if (strchr(")]}", *at) && --depth == 0)
            return xstrndup(open + 1, (size_t)(at - open - 1));
    }
    return NULL;
}

/* The string that the text is, quoted as a whole; NULL: it is something else. */
static char *literal(const char *text)
{
    size_t length = strlen(text);
    if (length < 2 || (*text != '\'' && *text != '"') || text[length - 1] != *text ||
        memchr(text + 1, *text, length - 2))
        return NULL;
    return xstrndup(text + 1, length - 2);
}

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Scalars below the node; with `key` only what stands under it. */
static void collect(const struct meaning_names *names, const struct node *node, const char *key, int depth,
                    struct meanings *out)
{
    if (!node || depth >= DEPTH_MOST || out->count >= MOST)
        return;
    if (node_is_scalar(node) && !key)
        word_at(names, node->text, depth + 1, out);
    for (size_t i = 0; !node_is_scalar(node) && i < node->count; i++) {
        bool is = node->kind == NODE_MAP && key && text_is(node->keys[i], key);
        collect(names, node->items[i], is ? NULL : key, depth + 1, out);
    }
}

/* The value of a loop that is a variable. */
static const struct node *loop_value(const struct meaning_names *names)
{
    const struct node *loop = names->loop;
    if (!loop || !node_is_scalar(loop) || !text_starts(loop->text, "{{"))
        return loop;
    const char *end = strstr(loop->text, "}}");
    AUTO_FREE char *name =
        end && !end[2] ? trimmed(loop->text + 2, (size_t)(end - loop->text - 2)) : xstrdup("");
    for (size_t i = names->map_count; i-- > 0;)
        if (node_get(names->maps[i], name))
            return node_get(names->maps[i], name);
    return NULL;
}

/* `name`, `name.key`, `name['key']`. */
static void variable(const struct meaning_names *names, const char *text, int depth, struct meanings *out)
{
    size_t length = 0;
    while (is_name(text[length]))
        length++;
    AUTO_FREE char *name = xstrndup(text, length);
    const struct {
        const char *name, *value;
    } folders[] = {{"playbook_dir", names->playbook_dir},
                   {"role_path", names->role_path},
                   {"inventory_dir", names->inventory_dir}};
    for (size_t i = 0; i < COUNT_OF(folders) && !text[length]; i++)
        if (text_is(name, folders[i].name) && folders[i].value) {
            put_known(out, folders[i].value, true);
            return;
        }
    const char *rest = text + length;
    AUTO_FREE char *key = NULL;
    while (*rest == '.' || *rest == '[') { /* the last key is what tells values apart */
        AUTO_FREE char *inside = *rest == '[' ? bracketed(rest) : NULL;
        size_t long_is = 1;
        free(TAKE(key));
        if (inside) {
            key = literal(inside);
            long_is = strlen(inside) + 2;
        } else if (*rest == '.') {
            while (is_name(rest[long_is]))
                long_is++;
            key = xstrndup(rest + 1, long_is - 1);
        }
        rest += long_is;
    }
    size_t before = out->count;
    if (length && !*rest && depth < DEPTH_MOST) {
        if (text_is(name, names->loop_name ? names->loop_name : "item"))
            collect(names, loop_value(names), key, depth + 1, out);
        for (size_t i = 0; i < names->map_count; i++)
            collect(names, node_get(names->maps[i], name), key, depth + 1, out);
    }
    if (out->count == before || out->count - before >= MOST)
        put_unknown(out);
}

static void cut_path(struct meaning *meaning, bool folder)
{
    char *slash = strrchr(meaning->text, '/');
    if (meaning->ending || !slash)
        return;
    if (folder) {
        *slash = '\0';
    } else {
        char *name = xstrdup(slash + 1);
        free(meaning->text);
        meaning->text = name;
        meaning->here = false;
    }
}

static void filter(const struct meaning_names *names, const char *text, int depth, struct meanings *values)
{
    static const char *const same[] = {"string", "trim", "realpath", "expanduser", "list", "unique", NULL};
    size_t length = 0;
    while (is_name(text[length]))
        length++;
    AUTO_FREE char *name = xstrndup(text, length);
    if (text_is_one_of(name, same))
        return;
    if (text_is(name, "default") || text_is(name, "d")) {
        AUTO_FREE char *inside = text[length] == '(' ? bracketed(text + length) : NULL;
        AUTO_WORDS arguments = WORDS_INIT;
        cut(inside ? inside : "''", ",", &arguments);
        expression(names, arguments.items[0], depth + 1, values);
    } else if (text_is(name, "dirname") || text_is(name, "basename")) {
        for (size_t i = 0; i < values->count; i++)
            cut_path(&values->items[i], text_is(name, "dirname"));
    } else {
        meanings_clear(values);
        put_unknown(values);
    }
}

/* One of the things that are joined: a string, a list, a name, with its filters. */
static void term(const struct meaning_names *names, const char *text, int depth, struct meanings *out)
{
    AUTO_WORDS parts = WORDS_INIT;
    cut(text, "|", &parts);
    const char *first = parts.items[0];
    AUTO_FREE char *string = literal(first);
    AUTO_FREE char *inside = *first == '(' || *first == '[' ? bracketed(first) : NULL;
    AUTO_MEANINGS values = {0};
    if (string) {
        put_known(&values, string, false);
    } else if (inside && strlen(inside) + 2 == strlen(first)) {
        AUTO_WORDS items = WORDS_INIT;
        cut(inside, ",", &items);
        for (size_t i = 0; i < items.count && i < MOST; i++)
            if (*items.items[i])
                expression(names, items.items[i], depth + 1, &values);
    } else {
        variable(names, first, depth, &values);
    }
    for (size_t i = 1; i < parts.count; i++)
        filter(names, parts.items[i], depth, &values);
    move_all(&values, out);
}

static void expression(const struct meaning_names *names, const char *text, int depth, struct meanings *out)
{
    AUTO_MEANINGS whole = {0};
    AUTO_WORDS terms = WORDS_INIT;
    put_known(&whole, "", false);
    cut(text, "~+", &terms);
    for (size_t i = 0; i < terms.count; i++) {
        AUTO_MEANINGS values = {0};
        if (depth < DEPTH_MOST)
            term(names, terms.items[i], depth, &values);
        join(&whole, &values);
    }
    move_all(&whole, out);
}

static void join_literal(struct meanings *whole, const char *text, size_t length)
{
    AUTO_MEANINGS one = {0};
    put(&one, xstrndup(text, length), NULL, false);
    join(whole, &one);
}

static void word_at(const struct meaning_names *names, const char *word, int depth, struct meanings *out)
{
    AUTO_MEANINGS whole = {0};
    put_known(&whole, "", false);
    for (const char *at = word; *at;) {
        bool value = text_starts(at, "{{"), any = strchr("*?[", *at) != NULL;
        AUTO_MEANINGS values = {0};
        if (!value && !any && !text_starts(at, "{%")) {
            const char *begin = at;
            while (*at && !strchr("*?[", *at) && !text_starts(at, "{{") && !text_starts(at, "{%"))
                at++;
            join_literal(&whole, begin, (size_t)(at - begin));
            continue;
        }
        const char *end = any ? at : strstr(at, value ? "}}" : "%}");
        AUTO_FREE char *inside = value && end ? trimmed(at + 2, (size_t)(end - at - 2)) : NULL;
        if (inside && depth < DEPTH_MOST)
            expression(names, inside, depth + 1, &values);
        join(&whole, &values); /* nothing: not known */
        at = !end ? at + strlen(at) : any ? at + 1 : end + 2;
    }
    move_all(&whole, out);
}

bool meaning_is_templated(const char *word)
{
    return strstr(word, "{{") || strstr(word, "{%");
}

void meaning_of_word(const struct meaning_names *names, const char *word, struct meanings *out)
{
    word_at(names, word, 0, out);
}

/* Files are read by these; by others of Ansible's own they are not. Of foreign ones nobody knows. */
static bool reads_files(const char *lookup)
{
    static const char *const others[] = {"config",
                                         "dict",
                                         "env",
                                         "indexed_items",
                                         "inventory_hostnames",
                                         "items",
                                         "nested",
                                         "password",
                                         "list",
                                         "random_choice",
                                         "pipe",
                                         "sequence",
                                         "lines",
                                         "subelements",
                                         "together",
                                         "url",
                                         "varnames",
                                         "vars",
                                         NULL};
    const char *dot = strrchr(lookup, '.');
    return !text_is_one_of(dot && text_starts(lookup, "ansible.") ? dot + 1 : lookup, others);
}

static void one_lookup(const struct meaning_names *names, const char *inside, struct meanings *out)
{
    AUTO_WORDS arguments = WORDS_INIT;
    cut(inside, ",", &arguments);
    AUTO_FREE char *plugin = literal(arguments.items[0]);
    bool other = !plugin || (strchr(plugin, '.') && !text_starts(plugin, "ansible.builtin."));
    if (other || !reads_files(plugin))
        return;
    for (size_t i = 1; i < arguments.count; i++) {
        const char *argument = arguments.items[i];
        size_t length = 0;
        while (is_name(argument[length]))
            length++;
        const char *behind = argument + length + strspn(argument + length, " ");
        bool named = length && behind[0] == '=' && behind[1] != '=';
        if (!named || text_starts(argument, "file") || text_starts(argument, "path"))
            expression(names, named ? behind + 1 + strspn(behind + 1, " ") : argument, 1, out);
    }
}

void meaning_of_lookups(const struct meaning_names *names, const char *word, struct meanings *out)
{
    static const char *const calls[] = {"lookup", "query", "q"};
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        size_t length = strlen(calls[i]);
        for (const char *at = word; (at = strstr(at, calls[i])); at += length) {
            const char *open = at + length + strspn(at + length, " ");
            if (*open != '(' || (at > word && is_name(at[-1])))
                continue;
            AUTO_FREE char *inside = bracketed(open);
            if (inside && *inside)
                one_lookup(names, inside, out);
        }
    }
}
