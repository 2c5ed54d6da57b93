/* Which cells are taken, as one table: from the plain echo on one thing at a time is made larger. Pure. */
#pragma once
#include "base/words.h"
#include "diagnose/cell.h"

enum matrix_size { MATRIX_QUICK /* under 60 s whole */, MATRIX_USUAL, MATRIX_FULL };

struct matrix_wish {
    enum matrix_size size;
    bool changes; /* cells that write or install on the host too */
    struct words transports;
    struct words masters; /* sockets of ssh masters to ride on, each as a cell of the first transport */
};

struct matrix_cell {
    struct cell cell;
    /* Those of one lane are taken one after the other, lanes at once. Calm ones, which only wait, have a lane
     * each. */
    size_t lane;
    int64_t reckoned_ns /* on a path that is well */, bound_ns;
};

struct matrix {
    struct matrix_cell
        *cells; /* a lane's in the order in which they are taken: what separates soonest first */
    size_t count, lanes;
    int64_t reckoned_ns; /* the longest lane */
    int64_t bound_ns;    /* of all of it */
};

void matrix_plan(const struct matrix_wish *wish, struct matrix *out);
/* Times anew, of what has not ended yet; how many cells that are. */
size_t matrix_reckon(struct matrix *matrix, enum matrix_size size);
/* How much longer it takes on a path that is well. `begun`: of each cell when it was (monotonic), 0: not
 * yet. */
int64_t matrix_left_ns(const struct matrix *matrix, const int64_t *begun, int64_t now_ns);
void matrix_clear(struct matrix *matrix);
const char *matrix_size_name(enum matrix_size size); /* "quick" "usual" "full" */
