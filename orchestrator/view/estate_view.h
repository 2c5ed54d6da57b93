/* What is there of a project beyond what its store knows, and what a sweep does with it: for people and as
 * JSON. */
#pragma once
#include "control/estate.h"
#include "view/table.h"

enum estate_part {
    ESTATE_ALL,
    ESTATE_UNKNOWN, /* what no row of this store knows */
};

/* What goes first, then what stays, then what is another's; a line for each where stdout is no terminal. */
int estate_view_print(const struct estate *estate, enum estate_part part);
/* The same: where a line would be wider than the look, each row's reason stands below it. */
void estate_view_text(const struct estate *estate, enum estate_part part, const struct table_look *look,
                      struct text *out);
int estate_view_print_json(const struct estate *estate, bool dry_run);
/* Members "hosts" and "unasked" of a document. */
void estate_view_put(const struct estate *estate, enum estate_part part, struct json *document);
/* What may be a clone's is told to be another's: how both become one project. */
void estate_view_clones(const struct estate *estate, struct words *lines);
/* A line for each place that was not asked, or whose clock is another; whether there is one that could not be
 * though it has somebody to ask. */
bool estate_view_unasked(const struct estate *estate, struct words *lines);
