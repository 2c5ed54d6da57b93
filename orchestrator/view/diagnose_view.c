#include "view/diagnose_view.h"

#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "diagnose/levels.h"
#include "diagnose/weigh.h"
#include "view/help.h"

#include <string.h>
#include <unistd.h>

enum { TCP_STATES = 4 /* that are shown */ };

/* ---- Progress ---- */

struct diagnose_progress {
    const struct matrix *matrix;
    size_t taken, bad;
    size_t now;     /* the cell that was begun last */
    int64_t *begun; /* of each cell, monotonic; 0: not yet */
    int64_t since;
    bool terminal;
};

static size_t lanes_left(const struct matrix *matrix)
{
    size_t left = 0;
    for (size_t lane = 0; lane < matrix->lanes; lane++) {
        bool any = false;
        for (size_t i = 0; i < matrix->count; i++)
            any |= matrix->cells[i].lane == lane && !matrix->cells[i].cell.ended;
        left += any;
    }
    return left;
}

struct diagnose_progress *diagnose_progress_new(const struct matrix *matrix)
{
    struct diagnose_progress *progress = xcalloc(1, sizeof *progress);
    *progress = (struct diagnose_progress){.matrix = matrix,
                                           .now = SIZE_MAX,
                                           .begun = xcalloc(matrix->count + 1, sizeof *progress->begun),
                                           .since = moment_monotonic(),
                                           .terminal = isatty(STDERR_FILENO)};
    AUTO_FREE char *about = duration_show(matrix->reckoned_ns), *most = duration_show(matrix->bound_ns);
    for (size_t i = 0; i < matrix->count; i++)
        if (matrix->cells[i].cell.ended) {
            progress->taken++;
            progress->bad += !matrix->cells[i].cell.ok;
        }
    AUTO_FREE char *kept =
        progress->taken ? xasprintf(", %zu more are taken already", progress->taken) : NULL;
    size_t cells = matrix->count - progress->taken, lanes = lanes_left(matrix);
    help_note("%zu cell%s in %zu lane%s%s: about %s on a path that is well, %s at most", cells,
              cells == 1 ? "" : "s", lanes, lanes == 1 ? "" : "s", kept ? kept : "", about, most);
    return progress;
}

static void erase(const struct diagnose_progress *progress)
{
    if (progress->terminal)
        (void)file_write_all(STDERR_FILENO, "\r\x1b[K", 4);
}

static void draw(const struct diagnose_progress *progress)
{
    if (!progress->terminal)
        return;
    AUTO_TEXT line = TEXT_INIT;
    int64_t now = moment_monotonic();
    AUTO_FREE char *since = duration_show(now - progress->since);
    AUTO_FREE char *to_go = duration_show(matrix_left_ns(progress->matrix, progress->begun, now));
    text_addf(&line, "\r\x1b[K%zu of %zu cells, %zu bad, %s (about %s left)", progress->taken,
              progress->matrix->count, progress->bad, since, to_go);
    if (progress->now < progress->matrix->count) {
        const struct cell *cell = &progress->matrix->cells[progress->now].cell;
        AUTO_FREE char *name = weigh_name(cell);
        text_addf(&line, "  %s", name);
    }
    /* One line, whatever is in it. */
    text_truncate(&line, 84);
    (void)file_write_all(STDERR_FILENO, text_string(&line), line.length);
}

void diagnose_progress_begun(struct diagnose_progress *progress, size_t at)
{
    progress->now = at;
    progress->begun[at] = moment_monotonic();
    draw(progress);
}

void diagnose_progress_passed(struct diagnose_progress *progress)
{
    draw(progress);
}

void diagnose_progress_taken(struct diagnose_progress *progress, size_t at, const struct cell *cell)
{
    progress->taken += at < progress->matrix->count;
    if (!cell->ok && !text_is(cell->ended, "skipped")) {
        AUTO_FREE char *name = weigh_name(cell), *after = duration_show(cell->duration_ns);
        progress->bad += at < progress->matrix->count;
        erase(progress);
        help_note("%s: %s: %s after %s%s%s", cell->transport, name, cell->ended, after,
                  cell->message ? ": " : "", cell->message ? cell->message : "");
    }
    draw(progress);
}

void diagnose_progress_free(struct diagnose_progress *progress)
{
    erase(progress);
    free(progress->begun);
    free(progress);
}

/* ---- The table ---- */

static const struct table_column columns[] = {
    {.title = "transport", .shrinks = 9},
    {.title = "cell", .shrinks = 16},
    {.title = "ended", .shrinks = 8},
    {.title = "took", .right = true},
    {.title = "last byte", .right = true, .drop = 2},
    {.title = "moved", .right = true},
    {.title = "stalls", .right = true, .drop = 1},
};

static void add_cell(struct table *table, const struct cell *cell)
{
    AUTO_FREE char *name = weigh_name(cell), *took = duration_show(cell->duration_ns);
    AUTO_FREE char *last = duration_show(cell->last_good_ns);
    AUTO_FREE char *moved = level_text(LEVEL_VOLUME_DOWN, (double)cell->bytes);
    table_add(table, cell->transport, TABLE_PLAIN);
    table_add(table, name, TABLE_PLAIN);
    table_add(table, cell->ended, cell->ok ? TABLE_GOOD : TABLE_BAD);
    table_add(table, took, TABLE_PLAIN);
    table_add(table, cell->ok ? "" : last, TABLE_PLAIN);
    table_add(table, moved, TABLE_PLAIN);
    if (cell->stalls && !cell->ok)
        table_addf(table, TABLE_WARN, "%d", cell->stalls);
    else
        table_add(table, NULL, TABLE_PLAIN);
}

static bool seen_before(const struct diagnosis *diagnosis, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (text_is(diagnosis->cells[i].transport, diagnosis->cells[at].transport))
            return true;
    return false;
}

/* As they came; why those that were not taken were not stands below. */
static void add_transport(struct table *table, const struct diagnosis *diagnosis, const char *transport)
{
    for (size_t i = 0; i < diagnosis->count; i++)
        if (text_is(diagnosis->cells[i].transport, transport) &&
            !text_is(diagnosis->cells[i].ended, "skipped"))
            add_cell(table, &diagnosis->cells[i]);
}

/* Words of a sentence, broken where the look's width wants it. */
static void add_wrapped(struct text *out, const struct table_look *look, const char *mark, const char *words)
{
    size_t width = look->width > 20 ? (size_t)look->width : 100, indent = strlen(mark), column = indent;
    AUTO_TEXT printable = TEXT_INIT;
    text_add_printable(&printable, words, strlen(words));
    text_add(out, mark);
    for (const char *at = text_string(&printable); *at;) {
        size_t length = strcspn(at, " ");
        if (column > indent && column + 1 + length > width) {
            text_addf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            text_add_char(out, ' ');
            column++;
        }
        text_add_bytes(out, at, length);
        column += length;
        at += length + (at[length] == ' ');
    }
    text_add_char(out, '\n');
}

static void add_each(struct text *out, const struct table_look *look, const char *mark,
                     const struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        add_wrapped(out, look, mark, words->items[i]);
}

static void add_finding(struct text *out, const struct table_look *look, const struct finding *finding)
{
    bool good = text_is(finding->variable, "none");
    text_add(out, "\n");
    table_styled(out, look, good ? TABLE_GOOD : TABLE_BAD, finding->variable);
    text_addf(out, " (%s)%s%s\n", sureness_name(finding->sure), finding->transport ? " over " : "",
              finding->transport ? finding->transport : "");
    if (finding->words)
        add_wrapped(out, look, "  ", finding->words);
    if (finding->why)
        add_wrapped(out, look, "  why:      ", finding->why);
    if (finding->excluded.count) {
        AUTO_FREE char *all = words_join(&finding->excluded, ", ");
        add_wrapped(out, look, "  not it:   ", all);
    }
}

/* What the connections of those that are not well were like when they ended. */
static void add_tcp_states(struct text *out, const struct table_look *look, const struct diagnosis *diagnosis)
{
    size_t told = 0, more = 0;
    for (size_t i = 0; i < diagnosis->count; i++) {
        const struct cell *cell = &diagnosis->cells[i];
        if (cell->ok || !cell->tcp_state || text_is(cell->ended, "skipped"))
            continue;
        if (told++ >= TCP_STATES) {
            more++;
            continue;
        }
        AUTO_FREE char *name = weigh_name(cell);
        AUTO_FREE char *words = xasprintf("%s over %s: %s", name, cell->transport, cell->tcp_state);
        add_wrapped(out, look, "  TCP:      ", words);
    }
    if (more)
        text_addf(out, "  TCP:      %zu more stand in what --json writes\n", more);
}

void diagnose_view(const struct diagnosis *diagnosis, const struct table_look *look, struct text *out)
{
    AUTO_TABLE *table = table_new(columns, COUNT_OF(columns));
    for (size_t i = 0; i < diagnosis->count; i++)
        if (!seen_before(diagnosis, i))
            add_transport(table, diagnosis, diagnosis->cells[i].transport);
    table_write(table, look, out);
    for (size_t i = 0; i < diagnosis->said.count; i++)
        add_finding(out, look, &diagnosis->said.findings[i]);
    text_add_char(out, '\n');
    if (diagnosis->threshold)
        add_wrapped(out, look, "  threshold:", diagnosis->threshold);
    add_each(out, look, "  next:     ", &diagnosis->said.next);
    add_tcp_states(out, look, diagnosis);
    add_each(out, look, "  flaky:    ", &diagnosis->said.flaky);
    add_each(out, look, "  left out: ", &diagnosis->said.uncounted);
    add_each(out, look, "  not seen: ", &diagnosis->said.not_varied);
    text_addf(out, "\ndiagnosis %s of %s\n", id_shown(diagnosis->id), diagnosis->target);
}

/* ---- Two of them ---- */

static const struct table_column pair_columns[] = {
    {.title = "transport", .shrinks = 9},
    {.title = "cell", .shrinks = 16},
    {.title = "before", .shrinks = 8},
    {.title = "after", .shrinks = 8},
};

static void add_side(struct table *table, const struct cell *cell)
{
    if (!cell) {
        table_add(table, "-", TABLE_DIM);
        return;
    }
    AUTO_FREE char *took = duration_show(cell->duration_ns);
    table_addf(table, cell->ok ? TABLE_GOOD : TABLE_BAD, "%s %s", cell->ended, took);
}

static void add_names(struct table *table, const struct compare_row *row)
{
    const struct cell *cell = row->before ? row->before : row->after;
    AUTO_FREE char *name = weigh_name(cell);
    if (row->before && row->after && !text_is(row->before->transport, row->after->transport))
        table_addf(table, TABLE_PLAIN, "%s, %s", row->before->transport, row->after->transport);
    else
        table_add(table, cell->transport, TABLE_PLAIN);
    table_add(table, name, row->differs ? TABLE_BOLD : TABLE_PLAIN);
}

void diagnose_view_compared(const struct diagnosis *before, const struct diagnosis *after,
                            const struct compared *compared, const struct table_look *look, struct text *out)
{
    AUTO_TABLE *table = table_new(pair_columns, COUNT_OF(pair_columns));
    AUTO_FREE char *from = moment_rfc3339(before->started_ns), *to = moment_rfc3339(after->started_ns);
    for (size_t i = 0; i < compared->count; i++) {
        add_names(table, &compared->rows[i]);
        add_side(table, compared->rows[i].before);
        add_side(table, compared->rows[i].after);
    }
    text_addf(out, "before  %s  %.19s  %s (%s)\n", id_shown(before->id ? before->id : "?"), from,
              before->said.findings[0].variable, sureness_name(before->said.findings[0].sure));
    text_addf(out, "after   %s  %.19s  %s (%s)\n\n", id_shown(after->id ? after->id : "?"), to,
              after->said.findings[0].variable, sureness_name(after->said.findings[0].sure));
    table_write(table, look, out);
    text_add_char(out, '\n');
    add_each(out, look, "  differs:  ", &compared->surroundings);
    add_wrapped(out, look, "  ", compared->words);
}
