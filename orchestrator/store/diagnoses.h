/* Diagnoses in the store: one row each, and one for each of their cells. What a cell, a conclusion and its
 * surroundings are is the business of diagnose/: here they are JSON, of which the columns are taken. */
#pragma once
#include "base/error.h"
#include "format/json.h"
#include "format/sql.h"

/* One that goes on; ends as such when diagnoses_end never comes. Each call is a transaction of its own. */
int diagnoses_begin(struct sql *db, const char *id, const char *target, const char *size, const char *node,
                    struct error *err);
int diagnoses_put_cell(struct sql *db, const char *id, int64_t seq, const struct json *cell,
                       struct error *err);
int diagnoses_end(struct sql *db, const char *id, const struct json *conclusion,
                  const struct json *surroundings, struct error *err);
/* {"id","target","size","node","started_ns","duration_ns" (null: it did not
 * end),"conclusion","surroundings", "cells":[…]}. `name`: an id, whole or its last 8 hex; "last" or
 * "previous" (of the target where given). NULL in `out` where there is none. The caller frees it. */
int diagnoses_load(struct sql *db, const char *name, const char *target, struct json **out,
                   struct error *err);
/* The newest of the target that did not end, but for the one of that id, begun behind `since_ns` (wall
 * clock); else as above. */
int diagnoses_unfinished(struct sql *db, const char *target, const char *but_for, int64_t since_ns,
                         struct json **out, struct error *err);
/* The newest that ended and is at least so old as `before_ns`, else the oldest that did, but for the
 * newest of all: what today is set against. */
int diagnoses_earlier(struct sql *db, const char *target, int64_t before_ns, struct json **out,
                      struct error *err);
