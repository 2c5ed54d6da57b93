/* Faults of what the user wrote: one line each, "place: what is wrong; what to write". */
#pragma once
#include "base/words.h"
#include "format/node.h"
#include <stdbool.h>

/* Where a value comes from: a file, whose nodes know their lines, or something that is one line by itself
 * (a variable, an option). */
struct provenance {
    const char *name;
    bool has_lines;
};

void fault_add(struct words *faults, const char *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same at a place within a file. */
void fault_at(struct words *faults, const struct provenance *from, struct node_place at, const char *format,
              ...) __attribute__((format(printf, 4, 5)));
/* "triphase.yml:7:5", or the name alone. malloc'ed. */
char *fault_place(const struct provenance *from, int line, int column);
/* What to write in place of an unknown name: "; did you mean 'x'?", else the known names when they are
 * few, else "". malloc'ed. */
char *fault_instead(const char *name, const char *const *known);
