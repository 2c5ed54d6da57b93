/* Figures of a soak, as a table in Markdown: to stderr, and appended to the file that SOAK_TABLE names. */
#pragma once

/* `rows` are whole lines; `head`, the table's two first lines, is written before them unless the file has it.
 * Fails the test when the file cannot be written. */
void figures_add(const char *head, const char *rows);
