/* A table of text: columns as wide as what stands in them, right or left aligned, measured in terminal
 * cells (wide and combining characters too), made to fit a width by dropping and shortening columns in an
 * order that is said beforehand. All text is made printable: cells may hold bytes of hosts and foreign
 * stores. */
#pragma once
#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>

enum table_style { TABLE_PLAIN, TABLE_GOOD, TABLE_BAD, TABLE_WARN, TABLE_DIM, TABLE_BOLD };

struct table_column {
    const char *title;
    bool right;
    /* when the table is too wide, may be cut (with an ellipsis) down to this many cells, before
     * columns are dropped; 0: never */
    int shrinks;
    bool end; /* what is cut off is the beginning: of a path the end says which one it is */
    bool bar; /* cells are shares (table_add_share): a bar that takes the room that is left, 6 to 24 cells */
    int drop; /* 0: stays; else columns go in the order of this number while the table is too wide */
};

struct table_look {
    int width; /* cells a line may take; 0: as wide as it is */
    bool colour;
    bool utf8;     /* else bars, dots and ellipses are ASCII, and what is no ASCII is shown as ? */
    bool markdown; /* a Markdown table: bars are left out, columns neither cut nor dropped */
};

struct table;
/* The columns are borrowed and must outlive the table. */
struct table *table_new(const struct table_column *columns, size_t count);
void table_free(struct table *table);
void table_cleanup(struct table **table);
#define AUTO_TABLE __attribute__((cleanup(table_cleanup))) struct table
/* Cells go in from left to right, row by row; copied. NULL is an empty cell. */
void table_add(struct table *table, const char *text, enum table_style style);
void table_addf(struct table *table, enum table_style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void table_add_share(struct table *table, double share); /* 0 to 1; negative: an empty cell */
/* Whole rows only are written. */
void table_write(const struct table *table, const struct table_look *look, struct text *out);
/* Cells that its widest line takes where nothing is cut and nothing left out. */
int table_width(const struct table *table);
/* CSV as in RFC 4180 (but lines end with a newline alone) with titles. Bars are left out, columns
 * neither cut nor dropped. */
void table_write_csv(const struct table *table, struct text *out);

/* How the descriptor wants it: its terminal's width (else $COLUMNS, else 100), colour on a terminal unless
 * NO_COLOR is set or TERM is dumb, UTF-8 by locale. */
struct table_look table_look_of(int fd);
/* Cells that a string takes on a terminal. */
int table_cells(const char *text);
/* Adds printable words behind so many cells of their line, broken between them where it is full: what follows
 * begins below the first. */
void table_wrapped(struct text *out, const struct table_look *look, int indent, const char *words);
/* Adds text in a style, where the look has colour. */
void table_styled(struct text *out, const struct table_look *look, enum table_style style, const char *text);
/* The same of text that anybody may have written: made printable. */
void table_printable(struct text *out, const struct table_look *look, enum table_style style,
                     const char *text);
/* Writes all of it to stdout; -1 with errno when that failed. */
int table_print(const struct text *text);
