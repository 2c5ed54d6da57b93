/* What is there and what runs, for people and as JSON. */
#pragma once
#include "control/estate.h"
#include "control/reconcile.h"
#include "figures/earlier.h"
#include "provider/made_difference.h"
#include "store/history.h"

struct status_row {
    const char *target;
    const struct machine *machine; /* NULL: nothing is there */
    const struct history_run *run; /* the last one; NULL: none yet */
    struct reconcile_look look;    /* of a run without an outcome */
    const struct earlier_now *now; /* what one that goes on is at; its name may be NULL. NULL: none does */
    /* how it differs from what is said now; NULL: the files cannot be read, or nothing is made */
    const struct made *made;
    bool unnamed; /* the files name no such target */
};

/* What is there beyond the rows of this store (control/estate.h) comes behind them, where it was asked for;
 * else `beyond` is NULL. */
int status_view_print(const struct status_row *rows, size_t count, const struct estate *beyond);
int status_view_print_json(const struct status_row *rows, size_t count, const struct estate *beyond);
