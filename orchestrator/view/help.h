/* What the program says of itself, and the one way a message for the user is written to stderr. */
#pragma once
#include "base/words.h"
#include <stddef.h>

struct help_line {
    const char *name, *usage, *summary;
};

int help_version(void);
/* Lines without usage are left out. -1 when stdout could not be written. */
int help_all(const struct help_line *lines, size_t count);
int help_command(const struct help_line *line);
/* "triphase: <message>" to stderr, each line of a longer message on its own. */
void help_problem(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same without the name in front: progress and notes. */
void help_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Each as a note. */
void help_notes(const struct words *notes);
/* Asks on the terminal; true for an answer that begins with y. False without a terminal on stdin. */
int help_ask(const char *format, ...) __attribute__((format(printf, 1, 2)));
