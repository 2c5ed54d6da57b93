/* YAML in and out over libyaml (the only file that includes it is yaml.c). What is read becomes a tree of
 * nodes with their places; what is written goes through libyaml's events, so that no value can change the
 * document's shape. */
#pragma once
#include "base/error.h"
#include "base/text.h"
#include "base/words.h"
#include "format/node.h"
#include <stdbool.h>
#include <stdint.h>

/* Reads one document. `name` is what faults call the file. Refused: what is no UTF-8, more than one
 * document, more than 1 MiB, more than 100,000 nodes after aliases are followed (an anchor bomb), more
 * than 64 levels, duplicate keys, keys that are no scalar, an alias to a node that contains it, unknown
 * tags other than !unsafe and !vault (both read as strings). Each fault is a line "file:line:column:
 * message" in `faults`; all duplicate keys are collected, a syntax error ends it. A merge key (`<<`) is
 * followed; what the map says itself wins. 0 and the tree (an empty file is NODE_NULL), or -1 with at
 * least one fault added. A byte order mark of UTF-8 at the beginning is passed over. */
int yaml_read(const char *bytes, size_t length, const char *name, struct node **out, struct words *faults);
/* The same, but keys that stand twice in a map are left out of the tree, both of them, and told in
 * `faults` without failing. */
int yaml_read_forgiving(const char *bytes, size_t length, const char *name, struct node **out,
                        struct words *faults);
/* As yaml_read with a file; absent or unreadable is a fault too. */
int yaml_read_file(const char *path, const char *name, struct node **out, struct words *faults);

/* Writing: a document of events; the caller keeps begin and end balanced. The text is complete after
 * yaml_writer_finish. */
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
