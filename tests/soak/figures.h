/* Figures of a soak, as a table in Markdown: to stderr, and appended to the file that SOAK_TABLE names. */
#pragma once
#include "base/error.h"

/* `rows` are whole lines; `head`, the table's two first lines, is written before them unless the file has it.
 * Fails the test when the file cannot be written. */
void figures_add(const char *head, const char *rows);
/* The same for a suite's .fini, where an assertion would be heard by nobody (lab/ending.h): fails nothing. */
int figures_write(const char *head, const char *rows, struct error *err);
