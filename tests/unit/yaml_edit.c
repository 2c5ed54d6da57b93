/* A value of a YAML text is changed where it stands: what is asked for, and no other byte. */
#include "format/yaml_edit.h"

#include "base/file.h"
#include "base/memory.h"
#include "format/yaml.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <string.h>

TestSuite(yaml_edit, .timeout = 60);

enum { NAME_ROOM = 64 };

/* "a.b.-name.c": a step that begins with a dash is the item of that name. */
struct way {
    struct yaml_step steps[YAML_EDIT_DEEPEST];
    char keys[YAML_EDIT_DEEPEST][NAME_ROOM];
    size_t depth;
};

static struct way way_of(const char *path)
{
    struct way way = {.depth = 0};
    while (*path) {
        size_t length = strcspn(path, ".");
        bool named = *path == '-';
        snprintf(way.keys[way.depth], NAME_ROOM, "%.*s", (int)(length - named), path + named);
        way.steps[way.depth].named = named;
        way.depth++;
        path += length + (path[length] == '.');
    }
    return way;
}

static int edit(const char *before, const char *path, const char *value, size_t stays, struct text *out,
                struct error *err)
{
    struct way way = way_of(path);
    for (size_t i = 0; i < way.depth; i++)
        way.steps[i].key = way.keys[i];
    struct yaml_edit wanted = {.bytes = before,
                               .length = strlen(before),
                               .name = "f.yml",
                               .path = way.steps,
                               .depth = way.depth,
                               .stays = stays};
    struct node *read = NULL;
    AUTO_WORDS faults = WORDS_INIT;
    if (value)
        cr_assert_eq(yaml_read(value, strlen(value), "value", &read, &faults), 0);
    AUTO_NODE *node = read;
    return yaml_edit(&wanted, node, out, err);
}

struct row {
    const char *before, *path, *value, *after;
};

static void expect_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO_TEXT out = TEXT_INIT;
        AUTO_ERROR err = ERROR_INIT;
        cr_expect_eq(edit(rows[i].before, rows[i].path, rows[i].value, 0, &out, &err), 0, "row %zu: %s", i,
                     error_text(&err));
        cr_expect_str_eq(text_string(&out), rows[i].after, "row %zu:\n%s", i, text_string(&out));
    }
}

Test(yaml_edit, a_value_is_replaced_where_it_stands_and_its_comment_stays)
{
    static const struct row rows[] = {
        {"a: 1\nb: 2  # why\nc: 3\n", "b", "5", "a: 1\nb: 5  # why\nc: 3\n"},
        {"a:\n  b:    2\t# why\n", "a.b", "5", "a:\n  b:    5\t# why\n"},
        {"a: \"x\"\n", "a", "y", "a: \"y\"\n"},
        {"a: 'x'\n", "a", "\"it's\"", "a: 'it''s'\n"},
        {"a: 'x'\n", "a", "[b]", "a: [b]\n"},
        {"a: x\n", "a", "\"y: z\"", "a: \"y: z\"\n"},
        {"a: one\n  two\n  three # end\nb: 1\n", "a", "x", "a: x # end\nb: 1\n"},
        {"a: \"one\n  two\"\nb: 1\n", "a", "x", "a: \"x\"\nb: 1\n"},
        {"a:\n  x\nb: 1\n", "a", "5", "a:\n  5\nb: 1\n"},
        {"{a: 1, b: {c: 2} }\n", "b.c", "[1, 2]", "{a: 1, b: {c: [1, 2]} }\n"},
        {"{\"a\":1,\"b\":2}", "a", "5", "{\"a\":5,\"b\":2}"},
        {"a: [x,\n  # one\n  y]  # two\nb: 1\n", "a", "z", "a: z  # two\nb: 1\n"},
        {"a: !!str 5\n", "a", "x", "a: x\n"},
        {"a:\n  - k: 1\n    name: x\n  - name: y\n    k: 2  # two\n", "a.-y.k", "3",
         "a:\n  - k: 1\n    name: x\n  - name: y\n    k: 3  # two\n"},
        {"\xef\xbb\xbf"
         "a: \xc3\xa4\xe2\x82\xac # \xc3\xbc\nb: \xf0\x9f\x98\x80 # c\n",
         "b", "5",
         "\xef\xbb\xbf"
         "a: \xc3\xa4\xe2\x82\xac # \xc3\xbc\nb: 5 # c\n"},
    };
    expect_rows(rows, COUNT_OF(rows));
}

Test(yaml_edit, an_empty_value_gets_one_before_its_comment)
{
    static const struct row rows[] = {
        {"a:\nb: 1\n", "a", "5", "a: 5\nb: 1\n"},
        {"a:  # why\nb: 1\n", "a", "5", "a: 5  # why\nb: 1\n"},
        {"a:", "a", "5", "a: 5"},
        {"a: ~\n", "a", "5", "a: 5\n"},
        {"{a: , b: 1}\n", "a", "5", "{a: 5, b: 1}\n"},
        {"a:\n  b:\nc: 1\n", "a.b", "x", "a:\n  b: x\nc: 1\n"},
    };
    expect_rows(rows, COUNT_OF(rows));
}

Test(yaml_edit, lists_maps_and_block_texts_are_replaced_whole)
{
    static const struct row rows[] = {
        {"a:  # why\n  - x  # one\n  - y\nb: 1\n", "a", "[z]", "a: [z]  # why\nb: 1\n"},
        {"a:\n- x\n- y\nb: 1\n", "a", "[z]", "a: [z]\nb: 1\n"},
        {"a:\n  # kept\n  - x\n", "a", "[]", "a: []\n  # kept\n"},
        {"a:\n  - x", "a", "5", "a: 5"},
        {"a:\r\n  - x", "a", "5", "a: 5"},
        {"a:\n  b:\n    c: 1\n    d: 2\ne: 3\n", "a.b", "{c: 5}", "a:\n  b: {c: 5}\ne: 3\n"},
        {"a: |\n  one\n\n  two\n\nb: 1\n", "a", "x", "a: x\n\nb: 1\n"},
        {"a: >-  # why\n  one\nb: 1\n", "a", "x", "a: x  # why\nb: 1\n"},
        {"a: |+\n  one\n\nb: 1\n", "a", "x", "a: x\nb: 1\n"},
        {"a: |2\n    one\n  two", "a", "x", "a: x"},
    };
    expect_rows(rows, COUNT_OF(rows));
}

Test(yaml_edit, what_is_missing_comes_at_the_end_of_its_map_in_its_indentation)
{
    static const struct row rows[] = {
        {"", "a", "1", "a: 1\n"},
        {"", "a.b.c", "1", "a:\n  b:\n    c: 1\n"},
        {"---\n# only words\n", "a", "1", "---\n# only words\na: 1\n"},
        {"# only words", "a", "1", "# only words\na: 1"},
        {"a: 1", "b", "2", "a: 1\nb: 2"},
        {"a: 1\n...\n", "b", "2", "a: 1\nb: 2\n...\n"},
        {"a: 1\n# last words\n", "b", "2", "a: 1\nb: 2\n# last words\n"},
        {"a: 1 # why\n", "b.c", "2", "a: 1 # why\nb:\n  c: 2\n"},
        {"a:\n    b: 1\n\nc: 2\n", "a.d", "x", "a:\n    b: 1\n    d: x\n\nc: 2\n"},
        {"a:\n    b: 1\nc: 2\n", "d.e", "x", "a:\n    b: 1\nc: 2\nd:\n    e: x\n"},
        {"a:\n   b:\n      c: 1\n", "a.d.e", "x", "a:\n   b:\n      c: 1\n   d:\n      e: x\n"},
        {"a:\n  b: |\n    text\n\nc: 1\n", "a.d", "2", "a:\n  b: |\n    text\n  d: 2\n\nc: 1\n"},
        {"a:\n  b: |+\n    text\n\nc: 1\n", "a.d", "2", "a:\n  b: |+\n    text\n\n  d: 2\nc: 1\n"},
        {"a:\n  b:\n  - x\nc: 1\n", "a.d", "2", "a:\n  b:\n  - x\n  d: 2\nc: 1\n"},
        {"a: {}\n", "a.b", "1", "a: {b: 1}\n"},
        {"a: { }\n", "a.b", "1", "a: {b: 1 }\n"},
        {"a: {b: 1}  # why\n", "a.c.d", "2", "a: {b: 1, c: {d: 2}}  # why\n"},
        {"a: {b: 1,}\n", "a.c", "2", "a: {b: 1, c: 2,}\n"},
        {"a: {\n  b: 1,  # one\n  c: 2  # two\n}\n", "a.d", "3",
         "a: {\n  b: 1,  # one\n  c: 2, d: 3  # two\n}\n"},
        {"a:\nb: 1\n", "a.c", "2", "a:\n  c: 2\nb: 1\n"},
        {"a:  # why\n  # words\nb: 1\n", "a.c", "2", "a:  # why\n  c: 2\n  # words\nb: 1\n"},
        {"a: ~\n", "a.b", "2", "a: {b: 2}\n"},
        {"{a: , b: 1}\n", "a.c", "2", "{a: {c: 2}, b: 1}\n"},
        {"a:\n  - name: x\n  - name: y\nb: 1\n", "a.-x.k", "2",
         "a:\n  - name: x\n    k: 2\n  - name: y\nb: 1\n"},
        {"a:\n- name: x\n  l: 1", "a.-x.k", "2", "a:\n- name: x\n  l: 1\n  k: 2"},
        {"a: 1\n", "b c", "2", "a: 1\n\"b c\": 2\n"},
        {"b: &x {c: 1}\na:\n  <<: *x\n  d: 2\n", "a.c", "3", "b: &x {c: 1}\na:\n  <<: *x\n  d: 2\n  c: 3\n"},
    };
    expect_rows(rows, COUNT_OF(rows));
}

Test(yaml_edit, line_ends_of_another_system_are_kept)
{
    static const struct row rows[] = {
        {"a: 1\r\nb: 2\r\n", "c.d", "3", "a: 1\r\nb: 2\r\nc:\r\n  d: 3\r\n"},
        {"a: 1 # x\r\nb: 2", "c", "3", "a: 1 # x\r\nb: 2\r\nc: 3"},
        {"a: 1\r\nb: 2\r\n", "b", "3", "a: 1\r\nb: 3\r\n"},
        {"a: 1\r\nb:\r\n  - x\r\nc: 1\r\n", "b", "[z]", "a: 1\r\nb: [z]\r\nc: 1\r\n"},
        {"a: 1\r\nb: |\r\n  x\r\n  y\r\nc: 1\r\n", "b", "z", "a: 1\r\nb: z\r\nc: 1\r\n"},
        {"a: 1\r\nb: 2\r\n", "b", NULL, "a: 1\r\n"},
        {"a: 1\r\nb: 2", "b", NULL, "a: 1"},
    };
    expect_rows(rows, COUNT_OF(rows));
}

Test(yaml_edit, taking_out_leaves_the_rest_and_no_empty_map_that_came_with_it)
{
    static const struct row rows[] = {
        {"a: 1\nb: 2  # why\nc: 3\n", "b", NULL, "a: 1\nc: 3\n"},
        {"a: 1\nb: 2", "b", NULL, "a: 1"},
        {"a: 1\n", "a", NULL, ""},
        {"a: 1\nb:\n  c:\n    d: 1\n", "b.c.d", NULL, "a: 1\n"},
        {"a: 1\nb:  # words\n  c: 1\n", "b.c", NULL, "a: 1\nb:  # words\n"},
        {"b:\n  # words\n  c: 1\n", "b.c", NULL, "b:\n  # words\n"},
        {"a:\n  b:\n    - x\n    - y\n  c: 1\n", "a.b", NULL, "a:\n  c: 1\n"},
        {"a: |\n  x\n\nb: 1\n", "a", NULL, "\nb: 1\n"},
        {"a: {b: 1, c: 2, d: 3}\n", "a.c", NULL, "a: {b: 1, d: 3}\n"},
        {"a: {b: 1, c: 2, d: 3}\n", "a.d", NULL, "a: {b: 1, c: 2}\n"},
        {"a: {b: 1}\n", "a.b", NULL, "a: {}\n"},
        {"a: {b: 1, c: {d: 1}}\n", "a.c.d", NULL, "a: {b: 1}\n"},
        {"a: {b: 1,  # one\n  c: 2}\n", "a.c", NULL, "a: {b: 1,  # one\n  }\n"},
        {"a:\n  - name: x\n    k: 1\n", "a.-x.k", NULL, "a:\n  - name: x\n"},
        {"a:\n  - k: 1\n    name: x\n", "a.-x.k", NULL, "a:\n  - name: x\n"},
        {"a: 1\n", "b", NULL, "a: 1\n"},
        {"a: 1\n", "b.c", NULL, "a: 1\n"},
    };
    expect_rows(rows, COUNT_OF(rows));
}

Test(yaml_edit, a_map_that_is_to_stay_stays_when_nothing_is_left_in_it)
{
    AUTO_TEXT out = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(edit("targets:\n  web:\n    vars:\n      x: 1\n", "targets.web.vars.x", NULL, 2, &out, &err),
                 0, "%s", error_text(&err));
    cr_assert_str_eq(text_string(&out), "targets:\n  web:\n");
}

Test(yaml_edit, what_would_change_another_value_or_cannot_be_told_is_refused_with_its_place)
{
    static const struct row rows[] = {
        {"a: &x\n  b: 1\nc: *x\n", "a.b", "2", "f.yml:1:4: what stands here has an &anchor"},
        {"a: &x\n  b: 1\nc: *x\n", "c.b", "2",
         "f.yml:3:4: what stands here is the alias *x of another value"},
        {"a: &x 1\nc: *x\n", "a", "2", "f.yml:1:4: what stands here has an &anchor"},
        {"a: &x 1\nc: *x\n", "c", NULL, "f.yml:2:4: what stands here is the alias *x"},
        {"a: [&x 1]\nc: *x\n", "a", "2", "f.yml:1:4: something in what stands here has an &anchor"},
        {"a: &x {b: {d: 1, e: 2}}\nc:\n  <<: *x\n", "c.b.d", "5", "'b' comes in here by '<<'"},
        {"a: &x {b: 1}\nc:\n  <<: *x\n", "c.b", NULL, "'b' comes in here by '<<'"},
        {"a: &x {b: 1}\nc:\n  <<: *x\n  b: 2\n", "c.b", NULL,
         "the change would alter more than this one value"},
        {"a: 5\n", "a.b", "1", "f.yml:1:4: what stands here is no map"},
        {"a: [x]\n", "a.b", "1", "f.yml:1:4: what stands here is no map"},
        {"- a\n", "b", "1", "f.yml:1:1: what stands here is no map"},
        {"a:\n  - name: x\n", "a.-y.k", "1", "f.yml:2:3: there is none of the name 'y' here"},
        {"? a\n: - x\nb: 1\n", "a", NULL, "change the file with an editor"},
        {"a: [1\n", "b", "1", "f.yml:2:1:"},
        {"a: 1\na: 2\n", "a", "1", "f.yml:2:1: 'a' stands here twice"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_TEXT out = TEXT_INIT;
        AUTO_ERROR err = ERROR_INIT;
        cr_expect_eq(edit(rows[i].before, rows[i].path, rows[i].value, 0, &out, &err), -1, "row %zu: %s", i,
                     text_string(&out));
        cr_expect_eq(err.kind, ERROR_PROJECT, "row %zu", i);
        cr_expect(strstr(error_text(&err), rows[i].after), "row %zu: %s", i, error_text(&err));
        cr_expect_eq(out.length, 0);
    }
}

/* Sets what is not there and takes it out again: the same bytes. */
static void there_and_back(const char *file, const char *text, const char *path)
{
    AUTO_TEXT with = TEXT_INIT, back = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    if (edit(text, path, "{some: [thing, 7]}", 0, &with, &err) < 0) {
        cr_expect(strstr(error_text(&err), "anchor") || strstr(error_text(&err), "alias"), "%s, %s: %s", file,
                  path, error_text(&err));
        return;
    }
    cr_expect_gt(with.length, strlen(text), "%s, %s", file, path);
    cr_expect_eq(edit(text_string(&with), path, NULL, 0, &back, &err), 0, "%s, %s: %s", file, path,
                 error_text(&err));
    cr_expect_str_eq(text_string(&back), text, "%s, %s:\n%s", file, path, text_string(&back));
}

static size_t every_map(const char *file, const char *text, const struct node *node, const char *path)
{
    size_t done = 0;
    if (strlen(path) > 200 || (node->kind == NODE_MAP && !node->count)) /* an empty one goes along */
        return 0;
    if (node->kind == NODE_MAP) {
        AUTO_FREE char *one = xasprintf("%s%szz_new", path, *path ? "." : "");
        AUTO_FREE char *deeper = xasprintf("%s.zz_deeper", one);
        there_and_back(file, text, one);
        there_and_back(file, text, deeper);
        done += 2;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct node *name = node_get(node->items[i], "name");
        const char *key = node->kind == NODE_MAP ? node->keys[i] : name && name->text ? name->text : NULL;
        size_t depth = 0;
        for (const char *at = path; *at; at++)
            depth += *at == '.';
        if (!key || strpbrk(key, ".-") || strlen(key) >= NAME_ROOM || depth > 4)
            continue;
        AUTO_FREE char *inner =
            xasprintf("%s%s%s%s", path, *path ? "." : "", node->kind == NODE_LIST ? "-" : "", key);
        done += every_map(file, text, node->items[i], inner);
    }
    return done;
}

Test(yaml_edit, what_is_set_and_taken_out_again_leaves_the_same_bytes_in_every_file_of_the_tests)
{
    static const char *const patterns[] = {"triphase.yml",          "phases/*.yml",
                                           "tests/cases/*/*.yml",   "tests/cases/plan/*/*.yml",
                                           "tests/cases/*/*/*.yml", "tests/cases/plan/*/phases/*.yml",
                                           "examples/*/*/*.yml",    "inventory-templates/*.yml"};
    size_t done = 0;
    for (size_t i = 0; i < COUNT_OF(patterns); i++) {
        glob_t found;
        if (glob(patterns[i], 0, NULL, &found) != 0)
            continue;
        for (size_t j = 0; j < found.gl_pathc; j++) {
            AUTO_TEXT text = TEXT_INIT;
            AUTO_WORDS faults = WORDS_INIT;
            struct node *read = NULL;
            if (file_read(found.gl_pathv[j], 1 << 20, &text, NULL) < 0 ||
                yaml_read(text_string(&text), text.length, "f.yml", &read, &faults) < 0)
                continue;
            AUTO_NODE *tree = read;
            done += every_map(found.gl_pathv[j], text_string(&text), tree, "");
        }
        globfree(&found);
    }
    cr_assert_gt(done, 100, "%zu", done);
}
