/* What is known of one key of the project's files: where it may stand, its type, what it is built in as, and
 * what a value must be like. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum key_scope { SCOPE_PROJECT, SCOPE_RECIPE, SCOPE_TARGET, SCOPE_PHASE };

enum value_type {
    VALUE_TEXT,
    VALUE_DURATION,
    VALUE_BOOL,
    VALUE_COUNT,
    VALUE_CHOICE,
    VALUE_CHOICES,   /* a list of them, at least one */
    VALUE_TEXTS,     /* a list */
    VALUE_TRANSPORT, /* auto, a name, or a list of names */
    VALUE_HOST_KEYS, /* a list, {file: PATH} or accept-new */
    VALUE_REQUIRE,   /* a list of `tun` or {program, package_file, install} */
    VALUE_SECRET,
    VALUE_FIELDS,    /* a map whose fields are keys of their own, "stage_deadline.ready" */
    VALUE_VARIABLES, /* a map of anything */
    VALUE_SECRETS,   /* a map of secrets */
    VALUE_LABELS,    /* a map of texts whose names are labels at a cloud */
    VALUE_FIREWALLS, /* a list of names, and at most one map {in, from} */
    VALUE_READY,     /* a list of words of config/ready_step.h and maps {command, within} */
};

enum {
    KEY_LATER = 1,        /* in the contract, not in this version */
    KEY_ZERO = 2,         /* a duration of 0 makes sense */
    KEY_NONE = 4,         /* the word `none` stands for no duration */
    KEY_OWN = 8,          /* only in the target or phase itself, never in defaults, provider or environment */
    KEY_NO_PROVIDER = 16, /* not in providers.<type> */
    KEY_REQUIRED = 32,
    KEY_ANY_SCALAR = 64, /* a list of texts that takes numbers too */
    KEY_NO_RECIPE = 128, /* not in a recipe's target: says which host it is, not of what kind */
    KEY_SINGLE = 256,    /* a list of texts that takes one text alone too */
    KEY_CLOUD = 512,     /* of hosts at a cloud: `config` shows it for no others */
    KEY_FILE = 1024,     /* only in triphase.yml itself */
};

struct key {
    const char *name;
    enum key_scope scope;
    enum value_type type;
    const char *preset; /* the built-in value as YAML flow text, NULL: none */
    const char *note;   /* what counts when nothing is given, for `config` and the manual; may be NULL */
    const char *const *choices;        /* VALUE_CHOICE, VALUE_CHOICES */
    const char *const *(*names)(void); /* the same, where the names stand in a table of their own */
    char *(*problem)(
        const char *text); /* of a text or each text of a list: what is wrong, malloc'ed, or NULL */
    int64_t least, most;   /* VALUE_COUNT; of VALUE_DURATION `least` alone, in nanoseconds */
    unsigned flags;
};
