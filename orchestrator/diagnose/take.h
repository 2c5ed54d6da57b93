/* Takes the cells of a matrix, each lane in a child of its own, and tells of each as it ends. */
#pragma once
#include "diagnose/cell_run.h"
#include "diagnose/matrix.h"
#include "diagnose/surroundings.h"

struct take_order {
    const struct cell_order *ways; /* one for each transport of the matrix, in its order */
    size_t way_count;
    const char *marker;
    struct deadline deadline;
    int stop; /* a descriptor: readable when somebody wants an end; -1: none */
    /* `at` is the cell's place in the matrix, or its count where a bad one was taken once more. The cell
     * is the matrix's, or for the latter to be kept by whoever is told. */
    void (*begun)(void *context, size_t at);
    void (*taken)(void *context, size_t at, const struct cell *cell);
    void (*passed)(void *context); /* another second has, and nothing else was told */
    void *context;
};

/* Cells that are ended already are left as they are; those whose time did not come are "skipped". Losses
 * go into `seen`. ERROR_CANCELLED where `stop` became readable: what was taken until then stays, and
 * whoever has the scope of the ways ends it. */
int take_matrix(const struct take_order *order, struct matrix *matrix, struct surroundings *seen,
                struct error *err);
