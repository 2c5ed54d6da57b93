/* A YAML value as a tree of nodes with their places. What a plain scalar means follows YAML 1.1, as
 * Ansible reads it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum node_kind { NODE_NULL, NODE_BOOL, NODE_INTEGER, NODE_REAL, NODE_STRING, NODE_LIST, NODE_MAP };

struct node_place {
    int line, column; /* from 1; 0 when it came from no file */
};

struct node {
    enum node_kind kind;
    int line, column;         /* from 1; 0 when it came from no file */
    char *text;               /* a scalar as written (of all scalar kinds, "" for an empty null) */
    const char *tag;          /* NODE_STRING: "!unsafe" or "!vault" (static), else NULL */
    bool boolean;             /* NODE_BOOL: true false yes no on off */
    int64_t integer;          /* NODE_INTEGER */
    double real;              /* NODE_REAL; also of an integer beyond 64 bits */
    size_t count;             /* of items (NODE_LIST, NODE_MAP) */
    char **keys;              /* NODE_MAP: count keys in file order */
    struct node_place *where; /* NODE_MAP: where each key stands */
    struct node **items;      /* NODE_LIST, NODE_MAP: count values */
};

void node_free(struct node *node); /* deep; NULL is fine */
void node_cleanup(struct node **node);
#define AUTO_NODE __attribute__((cleanup(node_cleanup))) struct node
struct node *node_new(enum node_kind kind);
/* A scalar of kind NODE_STRING, made from text. */
struct node *node_new_string(const char *text);
/* A scalar with the kind and value that this plain text has in YAML 1.1. */
struct node *node_new_plain(const char *text);
struct node *node_new_map(void);
struct node *node_copy(const struct node *node);
/* How many nodes it is, itself included. */
size_t node_size(const struct node *node);
/* Borrowed value of a key, NULL when absent or when `map` is no map. */
struct node *node_get(const struct node *map, const char *key);
/* Takes over `value`; replaces an earlier value of that key. */
void node_set(struct node *map, const char *key, struct node *value);
/* Takes over `value`, without looking for the key. */
void node_append_key(struct node *map, const char *key, struct node_place where, struct node *value);
/* Takes over `item`. */
void node_append(struct node *list, struct node *item);
bool node_is_scalar(const struct node *node);
const char *node_kind_name(enum node_kind kind); /* "a list", "a map", "text", … for messages */
/* Whether the text, written plain, reads back as this very string in YAML 1.1 and 1.2, in a flow or not.
 * Cautious: says no when in doubt. */
bool node_text_is_plain(const char *text);
/* One line of YAML flow text, for `config` and messages. malloc'ed. */
char *node_flow(const struct node *node);
