/* How what was made differs from what the files say of it now, and in which words that is told. */
#pragma once
#include "base/error.h"
#include "config/project.h"
#include "event/machine.h"

enum made_effect {
    MADE_REFUSES,   /* another host, or another way to it: whatever acts refuses */
    MADE_TAKEN,     /* taken over once the same host, known by its host key, answers over it */
    MADE_AT_MAKING, /* counts for what is made anew: create refuses, others say it */
    MADE_STAYS,     /* nothing says it any more: what was made counts, and that is said */
};

struct made_difference {
    const char *key;
    char *made;   /* as it was made, as `config` would show it */
    char *file;   /* what is said now; NULL: nothing says it any more */
    char *origin; /* where: "triphase.yml:7:5", "environment …", "--set"; NULL like `file` */
    enum made_effect effect;
};

struct made {
    struct made_difference *items;
    size_t count;
};

#define MADE_INIT \
    {             \
        NULL, 0   \
    }
#define AUTO_MADE __attribute__((cleanup(made_clear))) struct made

/* Whether something stands against acting on it; for `create` also what counts at making. */
bool made_stops(const struct made *made, bool create);
/* ERROR_PROJECT that names each key that stops, what was made, what is said now, and the ways
 * on. 0 where nothing does. */
int made_refuse(const struct made *made, const struct target *target, const struct machine *machine,
                bool create, struct error *err);
/* "KEY was made as …, ORIGIN says …" and what comes of it, malloc'ed. */
char *made_text(const struct made_difference *difference);
/* [{"key","made","file","origin","effect"}], for --json; the caller frees. */
struct json *made_json(const struct made *made);
void made_clear(struct made *made);
