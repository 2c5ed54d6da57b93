/* The tables and views of the store, as migrations from one user_version to the next.
 * docs/triphase-store.5 is the views' contract. */
#pragma once
#include "base/error.h"
#include "format/sql.h"

enum {
    STORE_VERSION = 10,
    STORE_APPLICATION = 0x74726970 /* "trip", so that another program's database is not taken for a store */
};

/* Statements that lead from `version` to the next one. */
const char *store_migration(int version);
/* 0 with the store's version (0: an empty database). Refuses a database that is no store, one of a newer
 * triphase, and one in which something else bears the name of a table, index or view of its version. */
int store_version(struct sql *db, const char *path, int *out, struct error *err);
