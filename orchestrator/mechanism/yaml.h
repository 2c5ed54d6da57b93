/* YAML in and out over libyaml (the only file that includes it is yaml.c). What is read becomes a tree of nodes with their places; what is
 * written goes through libyaml's events, so that no value can change the document's shape. */
#pragma once
#include "base/error.h"
#include "base/text.h"
#include "base/words.h"
#include <stdbool.h>
#include <stdint.h>

enum node_kind { NODE_NULL, NODE_BOOL, NODE_INTEGER, NODE_REAL, NODE_STRING, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    int line, column;    /* from 1; 0 when it came from no file */
    char *text;          /* a scalar as written (of all scalar kinds, "" for an empty null) */
    bool boolean;        /* NODE_BOOL: true false yes no on off (YAML 1.1, as Ansible reads it) */
    int64_t integer;     /* NODE_INTEGER */
    double real;         /* NODE_REAL */
    size_t count;        /* of items (NODE_LIST, NODE_MAP) */
    char **keys;         /* NODE_MAP: count keys in file order */
    struct node **items; /* NODE_LIST, NODE_MAP: count values */
};

/* Reads one document. `name` is what faults call the file. Refused: what is no UTF-8, more than one document, more than 1 MiB, more than
 * 100,000 nodes after aliases are followed (an anchor bomb), more than 64 levels, duplicate keys, keys that are no scalar, an alias to a
 * node that contains it, unknown tags other than !unsafe and !vault (both read as strings). Each fault is a line "file:line:column: message" in `faults`;
 * all duplicate keys are collected, a syntax error ends it. 0 and the tree (an empty file is NODE_NULL), or -1 with at least one fault added. */
int yaml_read(const char *bytes, size_t length, const char *name, struct node **out, struct words *faults);
/* The same with a file; absent or unreadable is a fault too. */
int yaml_read_file(const char *path, const char *name, struct node **out, struct words *faults);
void node_free(struct node *node); /* deep; NULL is fine */
void node_cleanup(struct node **node);
#define AUTO_NODE __attribute__((cleanup(node_cleanup))) struct node
/* Borrowed value of a key, NULL when absent or when `map` is no map. */
struct node *node_get(const struct node *map, const char *key);
struct node *node_copy(const struct node *node);
/* A scalar of kind NODE_STRING, made from text. */
struct node *node_new_string(const char *text);
struct node *node_new_map(void);
/* Takes over `value`; replaces an earlier value of that key. */
void node_set(struct node *map, const char *key, struct node *value);
const char *node_kind_name(enum node_kind kind); /* "a list", "a map", "text", … for messages */
/* One line of YAML flow text, for `config` and messages. malloc'ed. */
char *node_flow(const struct node *node);

/* Writing: a document of events; the caller keeps begin and end balanced. The text is complete after yaml_writer_finish. */
struct yaml_writer;
struct yaml_writer *yaml_writer_new(void);
void yaml_writer_free(struct yaml_writer *writer);
void yaml_map_begin(struct yaml_writer *writer);
void yaml_map_end(struct yaml_writer *writer);
void yaml_list_begin(struct yaml_writer *writer);
void yaml_list_end(struct yaml_writer *writer);
/* A string that reads back as that very string (quoted whenever plain text would read as something else). */
void yaml_string(struct yaml_writer *writer, const char *text);
/* The same under the tag !unsafe: Ansible never templates it. */
void yaml_unsafe(struct yaml_writer *writer, const char *text);
void yaml_integer(struct yaml_writer *writer, int64_t value);
void yaml_bool(struct yaml_writer *writer, bool value);
void yaml_null(struct yaml_writer *writer);
/* The node, deep, scalars with the kind they were read with. */
void yaml_node(struct yaml_writer *writer, const struct node *node);
/* malloc'ed document text; NULL with an error when the events were unbalanced or a value is no UTF-8. */
char *yaml_writer_finish(struct yaml_writer *writer, struct error *err);
