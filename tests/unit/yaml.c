/* YAML in and out: what is refused and where, what a scalar means, and that no value changes the shape of
 * what is written. */
#include "format/yaml.h"

#include "base/memory.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(yaml, .timeout = 30);

static struct node *must_read(const char *text)
{
    struct node *node = NULL;
    AUTO_WORDS faults = WORDS_INIT;
    cr_assert_eq(yaml_read(text, strlen(text), "f.yml", &node, &faults), 0, "%s",
                 faults.count ? faults.items[0] : "");
    cr_assert_eq(faults.count, 0);
    return node;
}

/* All faults, a line each. malloc'ed. */
static char *faults_of_bytes(const char *bytes, size_t length)
{
    struct node *node = NULL;
    AUTO_WORDS faults = WORDS_INIT;
    AUTO_TEXT out = TEXT_INIT;
    cr_assert_eq(yaml_read(bytes, length, "f.yml", &node, &faults), -1, "was accepted: %s", bytes);
    cr_assert_null(node);
    cr_assert_gt(faults.count, 0);
    for (size_t i = 0; i < faults.count; i++) {
        cr_assert(text_starts(faults.items[i], "f.yml:"), "%s", faults.items[i]);
        cr_assert_null(strchr(faults.items[i], '\n'), "one line each: %s", faults.items[i]);
        text_addf(&out, "%s%s", i ? "\n" : "", faults.items[i]);
    }
    return text_take(&out);
}

static char *faults_of(const char *text)
{
    return faults_of_bytes(text, strlen(text));
}

#define cr_has(text, part) cr_assert(strstr(text, part), "'%s' does not say '%s'", text, part)

Test(yaml, scalars_mean_what_yaml_1_1_says)
{
    static const struct {
        const char *text;
        enum node_kind kind;
        int64_t integer;
    } all[] = {
        {"yes", NODE_BOOL, 1},         {"Off", NODE_BOOL, 0},
        {"~", NODE_NULL, 0},           {"null", NODE_NULL, 0},
        {"12", NODE_INTEGER, 12},      {"-7", NODE_INTEGER, -7},
        {"0x1F", NODE_INTEGER, 31},    {"0b101", NODE_INTEGER, 5},
        {"017", NODE_INTEGER, 15},     {"1:30", NODE_INTEGER, 90},
        {"1_000", NODE_INTEGER, 1000}, {"08:30", NODE_STRING, 0},
        {"90s", NODE_STRING, 0},       {"1h30m", NODE_STRING, 0},
        {"10.0.0.1", NODE_STRING, 0},  {"y", NODE_STRING, 0},
        {"1.5", NODE_REAL, 0},         {".inf", NODE_REAL, 0},
        {"1e5", NODE_STRING, 0},       {"99999999999999999999", NODE_REAL, 0},
        {"'12'", NODE_STRING, 0},      {"\"yes\"", NODE_STRING, 0},
        {"!!str 12", NODE_STRING, 0},  {"!unsafe 12", NODE_STRING, 0},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        AUTO_NODE *node = must_read(all[i].text);
        cr_assert_eq(node->kind, all[i].kind, "%s is %s", all[i].text, node_kind_name(node->kind));
        if (node->kind == NODE_INTEGER)
            cr_assert_eq(node->integer, all[i].integer, "%s", all[i].text);
        if (node->kind == NODE_BOOL)
            cr_assert_eq(node->boolean, all[i].integer != 0, "%s", all[i].text);
    }
}

Test(yaml, a_byte_order_mark_at_the_beginning_is_passed_over)
{
    AUTO_NODE *node = must_read("\xef\xbb\xbfkey: 1\nother: 2\n");
    cr_assert_eq(node_get(node, "key")->integer, 1);
    cr_assert_eq(node->where[1].line, 2);
    AUTO_NODE *marked = must_read("\xef\xbb\xbf---\n# comment\nkey: 1\n");
    cr_assert_eq(node_get(marked, "key")->integer, 1);
    AUTO_NODE *empty = must_read("\xef\xbb\xbf");
    cr_assert_eq(empty->kind, NODE_NULL);
    AUTO_FREE char *twice = faults_of("\xef\xbb\xbfkey: 1\nkey: 2\n");
    cr_has(twice, "f.yml:2:1:");
    AUTO_FREE char *utf16 = faults_of_bytes("\xff\xfek\0:\0", 6);
    cr_has(utf16, "not UTF-8");
}

Test(yaml, places_of_keys_and_values_are_known)
{
    AUTO_NODE *node = must_read("a: 1\nbee:\n  - x\n  - {y: 2}\n");
    cr_assert_eq(node->count, 2);
    cr_assert_eq(node->where[1].line, 2);
    cr_assert_eq(node->where[1].column, 1);
    const struct node *list = node_get(node, "bee");
    cr_assert_eq(list->items[0]->line, 3);
    cr_assert_eq(list->items[0]->column, 5);
    cr_assert_eq(list->items[1]->where[0].column, 6);
    AUTO_NODE *empty = must_read("# nothing\n");
    cr_assert_eq(empty->kind, NODE_NULL);
}

Test(yaml, all_duplicate_keys_are_told_with_their_places)
{
    AUTO_FREE char *faults = faults_of("a: 1\nb: 2\na: 3\nc: {d: 1, d: 2}\n");
    cr_has(faults, "f.yml:3:1: 'a' stands here twice (first in line 1)");
    cr_has(faults, "f.yml:4:11: 'd' stands here twice");
}

Test(yaml, forgiving_reading_leaves_duplicate_keys_out)
{
    static const char text[] = "a: 1\nb: {x: 1, y: &y 2, x: 3, y: 4, z: 5}\na: 3\nc: *y\n";
    struct node *tree = NULL;
    AUTO_WORDS faults = WORDS_INIT;
    cr_assert_eq(yaml_read_forgiving(text, strlen(text), "f.yml", &tree, &faults), 0);
    AUTO_FREE char *flow = node_flow(tree);
    node_free(tree);
    cr_assert_str_eq(flow, "{b: {z: 5}, c: 2}");
    cr_assert_eq(faults.count, 3);
    tree = NULL;
    cr_assert_eq(yaml_read_forgiving("a: *b\na: 1\n", 11, "f.yml", &tree, &faults), -1,
                 "other faults are not forgiven");
    cr_assert_null(tree);
}

Test(yaml, bytes_that_are_no_utf8_are_named_with_line_and_column)
{
    AUTO_FREE char *latin = faults_of("a: 1\nb: \xc3\xa4\xe4\n");
    cr_has(latin, "f.yml:2:5: the byte 0xe4: the file is not UTF-8 text");
    AUTO_FREE char *wide = faults_of_bytes("\xff\xfe"
                                           "a\0:\0",
                                           6);
    cr_has(wide, "f.yml:1:1: the byte 0xff");
    AUTO_FREE char *nul = faults_of_bytes("a: b\0c", 6);
    cr_has(nul, "0x00");
    AUTO_FREE char *escaped = faults_of("a: \"x\\0y\"");
    cr_has(escaped, "NUL");
}

Test(yaml, an_anchor_bomb_is_refused_in_one_line)
{
    AUTO_TEXT bomb = TEXT_INIT;
    text_add(&bomb, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 20; i++)
        text_addf(&bomb, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1,
                  i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    AUTO_FREE char *faults = faults_of(text_string(&bomb));
    cr_has(faults, "more than 100000 values once aliases are followed");
    cr_assert_null(strchr(faults, '\n'));
}

Test(yaml, aliases_give_copies_wherever_their_anchor_stood)
{
    AUTO_NODE *node = must_read("&k key: &v [1, {a: b}]\nagain: *v\nname: *k\nlast: *v\n");
    AUTO_FREE char *flow = node_flow(node);
    cr_assert_str_eq(flow, "{key: [1, {a: b}], again: [1, {a: b}], name: key, last: [1, {a: b}]}");
    AUTO_FREE char *unknown = faults_of("a: *nowhere\n");
    cr_has(unknown, "f.yml:1:4: the alias *nowhere means nothing");
    AUTO_FREE char *loop = faults_of("a: &a [1, *a]\n");
    cr_has(loop, "f.yml:1:11: the alias *a stands inside what it means");
}

Test(yaml, merge_keys_are_followed_and_own_keys_win)
{
    AUTO_NODE *node = must_read("base: &b {x: 1, z: 2}\nhere: {<<: *b, z: 3}\n");
    AUTO_FREE char *flow = node_flow(node_get(node, "here"));
    cr_assert_str_eq(flow, "{z: 3, x: 1}");
    AUTO_FREE char *faults = faults_of("a: {<<: 3}\n");
    cr_has(faults, "'<<' takes a map or a list of maps, not a whole number");
}

Test(yaml, depth_is_bounded_also_through_aliases)
{
    AUTO_TEXT deep = TEXT_INIT;
    for (int i = 0; i < 5000; i++)
        text_add_char(&deep, '[');
    AUTO_FREE char *faults = faults_of(text_string(&deep));
    cr_has(faults, "more than 64 levels");
    AUTO_TEXT chain = TEXT_INIT;
    text_add(&chain, "- &a0 [x]\n");
    for (int i = 1; i < 100; i++)
        text_addf(&chain, "- &a%d [*a%d]\n", i, i - 1);
    AUTO_FREE char *chained = faults_of(text_string(&chain));
    cr_has(chained, "more than 64 levels once aliases are followed");
}

Test(yaml, what_is_not_understood_is_refused)
{
    static const struct {
        const char *text, *says;
    } all[] = {
        {"a: 1\n---\nb: 2\n", "f.yml:2:1: a second document"},
        {"? [a, b]\n: 1\n", "a key of a map must be a text, not a list"},
        {"~: 1\n", "a key of a map must be a text, not nothing"},
        {"a: !ruby/object x\n", "f.yml:1:4: unknown tag !ruby/object"},
        {"a: !!python/object:os.system x\n", "does not fit"},
        {"a: !!set {x}\n", "unknown tag"},
        {"a: !!int abc\n", "the tag !!int does not fit"},
        {"a: [1, 2\nb: 3\n", "f.yml:2:"},
        {"a: 'x\n", "f.yml:"},
        {"\ta: 1\n", "f.yml:1:1"},
        {"a: b: c\n", "mapping values are not allowed"},
        {"a: \x01\n", "f.yml:1:4: control characters are not allowed"},
        {"%YAML 9.9\n---\na: 1\n", "f.yml:1:1"},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        AUTO_FREE char *faults = faults_of(all[i].text);
        cr_has(faults, all[i].says);
    }
}

Test(yaml, a_file_that_is_too_large_or_absent_is_a_fault)
{
    AUTO_TEXT large = TEXT_INIT;
    for (int i = 0; i < 1 << 16; i++)
        text_add(&large, "# comment comment\n");
    AUTO_FREE char *faults = faults_of(text_string(&large));
    cr_has(faults, "larger than 1 MiB");
    struct node *node = NULL;
    AUTO_WORDS absent = WORDS_INIT;
    cr_assert_eq(yaml_read_file("/nonexistent/x.yml", "x.yml", &node, &absent), -1);
    cr_assert_eq(absent.count, 1);
    cr_has(absent.items[0], "No such file");
}

Test(yaml, written_values_read_back_as_they_were)
{
    static const char *const hostile[] = {
        "",
        " ",
        "plain",
        "yes",
        "No",
        "null",
        "~",
        "12",
        "1e5",
        "0o17",
        "1:30",
        "2024-01-02",
        "=",
        "<<",
        "y",
        "- x",
        "a: b",
        "{{ x }}",
        "# c",
        "a\nb: c",
        "a\n---\nb",
        "\"quoted\" 'both'",
        "\\",
        "%TAG ! x",
        "&a *b !c",
        "|",
        ">",
        "@x",
        "`x`",
        "tab\there",
        "\r\n",
        "\x01\x7f",
        "\xc2\x85 next line",
        "\xe2\x80\xa8 separator",
        "\xef\xbb\xbf mark",
        "\xf0\x9f\x98\x80",
        "...",
        "---",
        "? x",
        "[a, b]",
        "-",
        "-x",
        " lead",
        "trail ",
        ":",
        "a:",
        "a #b",
        "0",
        "00",
        "0x",
        "1_0",
        ".5",
        "+1",
        "inf",
        "nan",
        ".inf",
        "x,y",
        "!unsafe x",
        "$x%y",
        "/path/to/it",
        "10.0.0.1",
    };
    struct yaml_writer *writer = yaml_writer_new();
    yaml_map_begin(writer);
    for (size_t i = 0; i < COUNT_OF(hostile); i++) {
        yaml_string(writer, hostile[i]);
        yaml_list_begin(writer);
        yaml_string(writer, hostile[i]);
        yaml_unsafe(writer, hostile[i]);
        yaml_list_end(writer);
    }
    yaml_map_end(writer);
    AUTO_FREE char *text = yaml_writer_finish(writer, NULL);
    yaml_writer_free(writer);
    cr_assert_not_null(text);
    AUTO_NODE *node = must_read(text);
    cr_assert_eq(node->count, COUNT_OF(hostile));
    for (size_t i = 0; i < COUNT_OF(hostile); i++) {
        cr_assert_str_eq(node->keys[i], hostile[i]);
        const struct node *list = node->items[i];
        cr_assert_eq(list->count, 2);
        for (size_t j = 0; j < 2; j++) {
            cr_assert_eq(list->items[j]->kind, NODE_STRING, "%s in %s", hostile[i], text);
            cr_assert_str_eq(list->items[j]->text, hostile[i]);
        }
        cr_assert_null(list->items[0]->tag);
        cr_assert_str_eq(list->items[1]->tag, "!unsafe");
        AUTO_NODE *string = node_new_string(hostile[i]);
        AUTO_FREE char *flow = node_flow(string);
        AUTO_NODE *again = must_read(flow);
        cr_assert_eq(again->kind, NODE_STRING, "%s", flow);
        cr_assert_str_eq(again->text, hostile[i], "%s", flow);
        cr_assert_null(strchr(flow, '\n'), "one line");
    }
}

Test(yaml, a_tree_is_written_with_the_kinds_it_was_read_with)
{
    static const char *const source = "{a: 0644, b: '0644', c: [yes, 'yes', ~, 1.50, x], d: {}, e: [], f: "
                                      "!unsafe '{{ x }}', g: !vault \"$ANSIBLE\\n12\"}";
    AUTO_NODE *node = must_read(source);
    struct yaml_writer *writer = yaml_writer_new();
    yaml_node(writer, node);
    AUTO_FREE char *text = yaml_writer_finish(writer, NULL);
    yaml_writer_free(writer);
    AUTO_NODE *again = must_read(text);
    AUTO_FREE char *first = node_flow(node), *second = node_flow(again);
    cr_assert_str_eq(first, second);
    cr_has(first, "a: 0644, b: \"0644\", c: [true, \"yes\", null, 1.50, x]");
    cr_has(first, "g: !vault ");
}

Test(yaml, unbalanced_or_not_utf8_writing_is_an_error)
{
    for (int i = 0; i < 6; i++) {
        struct yaml_writer *writer = yaml_writer_new();
        AUTO_ERROR err = ERROR_INIT;
        if (i == 1)
            yaml_map_begin(writer);
        if (i == 2)
            yaml_map_end(writer);
        if (i == 3)
            yaml_string(writer, "\xff");
        if (i == 4)
            yaml_string(writer, "a"), yaml_string(writer, "b");
        if (i == 5)
            yaml_map_begin(writer), yaml_string(writer, "key without value"), yaml_map_end(writer);
        cr_assert_null(yaml_writer_finish(writer, &err), "%d", i);
        cr_has(error_text(&err), "cannot write YAML");
        yaml_writer_free(writer);
    }
}

Test(yaml, damaged_bytes_never_crash_the_reader)
{
    static const char seed[] =
        "a: &x [1, 'two', {three: *x0}]\nb: !unsafe \"q\\x41\"\n<<: {c: |\n  block\n}\n? k\n: v\n--- # end\n";
    char bytes[sizeof seed];
    unsigned state = 12345;
    for (int round = 0; round < 20000; round++) {
        memcpy(bytes, seed, sizeof seed);
        for (int change = 0; change < 3; change++) {
            state = state * 1103515245u + 12345u;
            size_t at = (state >> 8) % (sizeof seed - 1);
            state = state * 1103515245u + 12345u;
            bytes[at] =
                (state & 0x100) ? (char)(state >> 16) : "[]{}&*!|>'\"%@`:,?-#\n\t "[(state >> 16) % 23];
        }
        struct node *node = NULL;
        AUTO_WORDS faults = WORDS_INIT;
        int result = yaml_read(bytes, sizeof seed - 1, "f", &node, &faults);
        cr_assert(result == 0 ? node != NULL && !faults.count : !node && faults.count);
        node_free(node);
    }
}

Test(yaml, setting_a_key_replaces_what_was_there)
{
    AUTO_NODE *map = node_new_map();
    node_set(map, "a", node_new_string("1"));
    node_set(map, "b", node_new_string("2"));
    node_set(map, "a", node_new_plain("3"));
    AUTO_FREE char *flow = node_flow(map);
    cr_assert_str_eq(flow, "{a: 3, b: \"2\"}");
    cr_assert_null(node_get(map, "c"));
    cr_assert_null(node_get(NULL, "c"));
}

Test(yaml, texts_that_some_reader_takes_for_something_else_are_quoted)
{
    static const char *const quoted[] = {"y",    "n",     "Y",    "N",   "1e5", "0o17", "0x1f", "2024-01-02",
                                         "1:30", "1_000", "null", "yes", "Off", "007",  "1.",   "-",
                                         "~",    "=",     "<<",   "",    "a b", "a:",   "#a"};
    static const char *const plain[] = {
        "a",       "90s", "1h30m",  "10.0.0.1", "debian-12", "/usr/bin/x", "tailnet-userspace",
        "me@host", "_x",  "v1.2.3", "yess"};
    for (size_t i = 0; i < COUNT_OF(quoted); i++)
        cr_assert_not(node_text_is_plain(quoted[i]), "%s", quoted[i]);
    for (size_t i = 0; i < COUNT_OF(plain); i++)
        cr_assert(node_text_is_plain(plain[i]), "%s", plain[i]);
}
