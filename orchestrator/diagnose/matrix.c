#include "diagnose/matrix.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <string.h>

/* In which sizes a row is taken. */
enum { Q = 1 << MATRIX_QUICK, U = 1 << MATRIX_USUAL, F = 1 << MATRIX_FULL, ALL = Q | U | F, UF = U | F };
enum { CALM = 1 /* waits most of its time: a lane of its own */, WRITES = 2 /* only with --allow-changes */ };

#define QUICK_BOUND (55 * NS_PER_S)

/* A row a cell: what differs from the echo stands in its parameters. Seconds are those of a path that is
 * well, and those after which it is given up. */
static const struct {
    const char *work, *client, *parameters;
    int sizes, what, reckoned_s, bound_s;
} rows[] = {
    {"echo", "libssh", "{}", ALL, 0, 1, 10},
    {"echo", "openssh", "{}", ALL, 0, 1, 10},
    /* Size of one write, from below what any path carries to above what any carries whole. */
    {"bulk-down", "libssh", "{\"bytes\":600}", ALL, 0, 1, 8},
    {"bulk-down", "libssh", "{\"bytes\":1000}", UF, 0, 1, 8},
    {"bulk-down", "libssh", "{\"bytes\":4000}", ALL, 0, 1, 8},
    {"bulk-up", "libssh", "{\"bytes\":4000}", UF, 0, 1, 8},
    /* Channels. */
    {"channels", "libssh", "{\"count\":2}", UF, 0, 1, 10},
    {"channels", "libssh", "{\"count\":8}", ALL, 0, 1, 10},
    /* Volume. */
    {"bulk-down", "libssh", "{\"bytes\":100000}", UF, 0, 1, 15},
    {"bulk-down", "libssh", "{\"bytes\":1000000}", ALL, 0, 1, 8},
    {"bulk-up", "libssh", "{\"bytes\":1000000}", ALL, 0, 1, 8},
    {"bulk-down", "libssh", "{\"bytes\":8000000}", ALL, 0, 2, 15},
    {"bulk-up", "libssh", "{\"bytes\":8000000}", UF, 0, 2, 15},
    {"bulk-down", "openssh", "{\"bytes\":1000000}", UF, 0, 1, 15},
    {"bulk-down", "libssh", "{\"bytes\":64000000}", F, 0, 6, 120},
    {"bulk-up", "libssh", "{\"bytes\":64000000}", F, 0, 6, 120},
    /* Bursts of little output with nothing between, and what makes them on a host. */
    {"bursts", "libssh", "{\"count\":25,\"segment\":16000}", ALL, 0, 6, 14},
    {"processes", "libssh", "{\"count\":200}", UF, 0, 3, 30},
    {"disk", "libssh", "{\"bytes\":16000000,\"count\":32}", UF, WRITES, 4, 40},
    {"package", "libssh", "{}", UF, WRITES, 20, 180},
    {"echo", "ansible", "{}", ALL, 0, 4, 45},
    {"processes", "ansible", "{\"count\":50}", UF, 0, 5, 60},
    {"throttled", "libssh", "{\"bytes\":2000000,\"rate\":200000}", UF, 0, 10, 30},
    /* What only waits. */
    {"idle", "libssh", "{\"seconds\":12}", Q, CALM, 13, 25},
    {"trickle", "libssh", "{\"seconds\":15,\"rate\":100}", Q, CALM, 16, 25},
    {"idle", "libssh", "{\"seconds\":75}", UF, CALM, 76, 95},
    {"trickle", "libssh", "{\"seconds\":90,\"rate\":100}", UF, CALM, 91, 110},
    {"idle-burst", "libssh", "{\"seconds\":30,\"bytes\":100000}", UF, CALM, 31, 45},
    {"idle", "libssh", "{\"seconds\":330}", F, CALM, 331, 350},
    {"trickle", "libssh", "{\"seconds\":330,\"rate\":100}", F, CALM, 331, 350},
    {"throttled", "libssh", "{\"bytes\":8000000,\"rate\":50000}", F, CALM, 160, 200},
};

const char *matrix_size_name(enum matrix_size size)
{
    static const char *const names[] = {
        [MATRIX_QUICK] = "quick", [MATRIX_USUAL] = "usual", [MATRIX_FULL] = "full"};
    return names[size];
}

static struct matrix_cell *add(struct matrix *matrix, const char *transport, size_t row)
{
    matrix->cells = xreallocarray(matrix->cells, matrix->count + 1, sizeof *matrix->cells);
    struct matrix_cell *cell = &matrix->cells[matrix->count++];
    *cell = (struct matrix_cell){.cell = {.transport = xstrdup(transport),
                                          .client = xstrdup(rows[row].client),
                                          .work = xstrdup(rows[row].work),
                                          .parameters = json_parse(rows[row].parameters,
                                                                   strlen(rows[row].parameters), NULL)},
                                 .reckoned_ns = rows[row].reckoned_s * NS_PER_S,
                                 .bound_ns = rows[row].bound_s * NS_PER_S};
    return cell;
}

/* What rides on a master differs from the echo of the same client in that alone. */
static void add_masters(struct matrix *matrix, const char *transport, const struct words *masters,
                        size_t lane)
{
    for (size_t i = 0; i < masters->count; i++) {
        struct matrix_cell *cell = add(matrix, transport, 1);
        json_set_string(cell->cell.parameters, "master", masters->items[i]);
        cell->lane = lane;
    }
}

static void add_transport(struct matrix *matrix, const struct matrix_wish *wish, const char *transport)
{
    size_t brisk = matrix->lanes++;
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        if (!(rows[row].sizes & 1 << wish->size) || (rows[row].what & WRITES && !wish->changes))
            continue;
        struct matrix_cell *cell = add(matrix, transport, row);
        cell->lane = rows[row].what & CALM ? matrix->lanes++ : brisk;
    }
    if (text_is(transport, wish->transports.items[0]))
        add_masters(matrix, transport, &wish->masters, brisk);
}

size_t matrix_reckon(struct matrix *matrix, enum matrix_size size)
{
    size_t left = 0;
    matrix->reckoned_ns = matrix->bound_ns = 0;
    for (size_t lane = 0; lane < matrix->lanes; lane++) {
        int64_t well = 0, most = 0;
        for (size_t i = 0; i < matrix->count; i++)
            if (matrix->cells[i].lane == lane && !matrix->cells[i].cell.ended) {
                well += matrix->cells[i].reckoned_ns;
                most += matrix->cells[i].bound_ns;
                left++;
            }
        matrix->reckoned_ns = well > matrix->reckoned_ns ? well : matrix->reckoned_ns;
        matrix->bound_ns = most > matrix->bound_ns ? most : matrix->bound_ns;
    }
    if (size == MATRIX_QUICK && matrix->bound_ns > QUICK_BOUND)
        matrix->bound_ns = QUICK_BOUND;
    return left;
}

int64_t matrix_left_ns(const struct matrix *matrix, const int64_t *begun, int64_t now_ns)
{
    int64_t longest = 0;
    for (size_t lane = 0; lane < matrix->lanes; lane++) {
        int64_t left = 0;
        for (size_t i = 0; i < matrix->count; i++) {
            if (matrix->cells[i].lane != lane || matrix->cells[i].cell.ended)
                continue;
            int64_t own = matrix->cells[i].reckoned_ns - (begun[i] ? now_ns - begun[i] : 0);
            left += own > 0 ? own : 0;
        }
        longest = left > longest ? left : longest;
    }
    return longest;
}

void matrix_plan(const struct matrix_wish *wish, struct matrix *out)
{
    *out = (struct matrix){0};
    for (size_t i = 0; i < wish->transports.count; i++)
        add_transport(out, wish, wish->transports.items[i]);
    (void)matrix_reckon(out, wish->size);
}

void matrix_clear(struct matrix *matrix)
{
    for (size_t i = 0; i < matrix->count; i++)
        cell_clear(&matrix->cells[i].cell);
    free(matrix->cells);
    *matrix = (struct matrix){0};
}
