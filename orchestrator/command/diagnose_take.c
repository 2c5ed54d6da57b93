#include "command/diagnose_take.h"

#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/layout.h"
#include "config/marks.h"
#include "control/reach.h"
#include "diagnose/look.h"
#include "diagnose/take.h"
#include "diagnose/threshold.h"
#include "process/guard.h"
#include "store/diagnoses.h"
#include "store/history.h"
#include "store/store.h"
#include "transport/key_agent.h"
#include "transport/route.h"
#include "view/diagnose_view.h"
#include "view/help.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* A daemon that is starting may be what is wrong. */
#define STARTING_BOUND (10 * NS_PER_S)

enum { BUSY_MS = 10000, RESUME_S = 3600, THRESHOLD_SLACK_S = 30 };

struct taker {
    struct project *project;
    const struct target *target;
    const struct diagnose_wish *wish;
    struct diagnosis *out;
    struct reach reaches[TRANSPORT_KINDS];
    struct cell_order ways[TRANSPORT_KINDS];
    size_t way_count;
    char *directory, *marker;
    struct scope scope;
    struct child guard;
    int stop;
    struct sql *db;
    int64_t seq;
    struct diagnose_progress *progress;
    struct error failed;     /* of the store, while cells come in */
    struct deadline contact; /* for a daemon that is starting */
    struct words lacking;    /* transports that were not looked at, and why */
};

/* ---- Ways ---- */

static const char *why_unusable(const struct json *evidence)
{
    const struct json *entry = json_at(json_get(evidence, "transports"), 0);
    return json_get_bool(entry, "usable") ? NULL : json_get_string(entry, "why", "it cannot be used here");
}

static int add_way(struct taker *taker, const char *name, struct words *said, struct error *err)
{
    struct reach *reach = &taker->reaches[taker->way_count];
    if (reach_find(taker->project, taker->target, name, &taker->contact, said, reach, err) < 0)
        return -1;
    taker->way_count++;
    if (reach_plan(reach, taker->out->id, taker->directory, err) < 0)
        return -1;
    taker->ways[taker->way_count - 1] = (struct cell_order){.project = taker->project,
                                                            .target = taker->target,
                                                            .machine = reach->machine,
                                                            .kind = reach->kind,
                                                            .directory = taker->directory,
                                                            .scope = &taker->scope,
                                                            .allow_changes = taker->wish->changes};
    return 0;
}

static int find_ways(struct taker *taker, struct error *err)
{
    AUTO_WORDS said = WORDS_INIT;
    const struct words *names =
        taker->wish->transports.count ? &taker->wish->transports : &taker->target->transports;
    int status = 0;
    for (size_t i = 0; status == 0 && i < names->count && i < TRANSPORT_KINDS; i++)
        status = add_way(taker, names->items[i], &said, err);
    words_sort_unique(&said);
    help_notes(&said);
    return status;
}

/* What this machine lacks for a way is a finding where its daemon is the reason; else NULL: it can be
 * taken. */
static const char *lack_of(const struct taker *taker, size_t at)
{
    const struct surroundings_way *seen =
        surroundings_way(&taker->out->seen, transport_name(taker->ways[at].kind));
    bool dead = seen && seen->daemon && !text_is(seen->daemon, "answers");
    return dead ? NULL : why_unusable(taker->reaches[at].evidence);
}

/* Where all are, each stays: its cells say what came of it. */
static void drop_unusable(struct taker *taker)
{
    size_t kept = 0, usable = 0;
    for (size_t i = 0; i < taker->way_count; i++)
        usable += lack_of(taker, i) == NULL;
    for (size_t i = 0; usable && i < taker->way_count; i++) {
        const char *why = lack_of(taker, i);
        if (why) {
            words_addf(&taker->lacking, "%s: %s", transport_name(taker->ways[i].kind), why);
            reach_clear(&taker->reaches[i]);
            continue;
        }
        taker->reaches[kept] = taker->reaches[i];
        taker->ways[kept++] = taker->ways[i];
    }
    if (usable)
        taker->way_count = kept;
}

static void find_masters(struct taker *taker, struct words *out)
{
    AUTO_WORDS directories = WORDS_INIT;
    struct history_run **runs = NULL;
    if (history_open_runs(taker->db, taker->target->name, &runs, NULL) == 0) {
        for (size_t i = 0; runs[i]; i++)
            for (int kind = 0; kind < TRANSPORT_KINDS; kind++) {
                AUTO_FREE char *path = layout_sockets(runs[i]->id, (enum transport_kind)kind);
                words_add(&directories, path);
            }
        history_runs_free(runs);
    }
    look_for_masters(&taker->ways[0], &directories, out);
}

/* ---- Cells as they come ---- */

static void on_begun(void *context, size_t at)
{
    struct taker *taker = context;
    diagnose_progress_begun(taker->progress, at);
}

static void on_passed(void *context)
{
    struct taker *taker = context;
    diagnose_progress_passed(taker->progress);
}

static void on_taken(void *context, size_t at, const struct cell *cell)
{
    struct taker *taker = context;
    AUTO_JSON *object = cell_json(cell);
    struct cell copy;
    cell_of_json(object, &copy);
    diagnosis_add(taker->out, &copy);
    if (taker->progress)
        diagnose_progress_taken(taker->progress, at, cell);
    if (taker->failed.kind == ERROR_NONE)
        (void)diagnoses_put_cell(taker->db, taker->out->id, ++taker->seq, object, &taker->failed);
}

/* Cells that one which broke off within the hour took already. */
static int resume(struct taker *taker, struct matrix *matrix, struct error *err)
{
    AUTO_JSON *earlier = NULL;
    AUTO_DIAGNOSIS found = {0};
    int64_t since = moment_wall() - RESUME_S * NS_PER_S;
    if (diagnoses_unfinished(taker->db, taker->target->name, taker->out->id, since, &earlier, err) < 0)
        return -1;
    if (!earlier || diagnosis_of_json(earlier, &found, NULL) < 0 || !found.count)
        return 0;
    if (!taker->wish->resume) {
        help_note(
            "a diagnosis of this target broke off within the hour after %zu cells: --resume goes on with it",
            found.count);
        return 0;
    }
    for (size_t i = 0; i < matrix->count; i++)
        for (size_t j = 0; j < found.count && !matrix->cells[i].cell.ended; j++)
            if (cell_is_alike(&matrix->cells[i].cell, &found.cells[j]) &&
                !text_is(found.cells[j].ended, "skipped")) {
                struct cell *cell = &matrix->cells[i].cell;
                cell_clear(cell);
                *cell = found.cells[j];
                found.cells[j] = (struct cell){0};
                on_taken(taker, i, cell);
            }
    return 0;
}

static int run_matrix(struct taker *taker, struct matrix *matrix, struct error *err)
{
    const struct take_order order = {.ways = taker->ways,
                                     .way_count = taker->way_count,
                                     .marker = taker->marker,
                                     .deadline = deadline_in(matrix->bound_ns),
                                     .stop = taker->stop,
                                     .begun = on_begun,
                                     .taken = on_taken,
                                     .passed = on_passed,
                                     .context = taker};
    int status = take_matrix(&order, matrix, &taker->out->seen, err);
    if (status == 0 && taker->failed.kind != ERROR_NONE)
        status = error_move(err, &taker->failed);
    return status;
}

static int take_cells(struct taker *taker, struct error *err)
{
    struct matrix matrix = {0};
    struct matrix_wish wish = {.size = taker->wish->size, .changes = taker->wish->changes};
    for (size_t i = 0; i < taker->way_count; i++)
        words_add(&wish.transports, transport_name(taker->ways[i].kind));
    for (size_t i = 0; i < taker->out->seen.master_count; i++)
        words_add(&wish.masters, taker->out->seen.masters[i].path);
    matrix_plan(&wish, &matrix);
    words_clear(&wish.transports);
    words_clear(&wish.masters);
    int status = resume(taker, &matrix, err);
    (void)matrix_reckon(&matrix, taker->wish->size);
    taker->progress = diagnose_progress_new(&matrix);
    if (status == 0)
        status = run_matrix(taker, &matrix, err);
    diagnose_progress_free(taker->progress);
    taker->progress = NULL;
    matrix_clear(&matrix);
    return status;
}

static void look_at_dead_ways(struct taker *taker)
{
    for (size_t i = 0; i < taker->way_count; i++) {
        bool good = false;
        for (size_t j = 0; j < taker->out->count; j++)
            good |= taker->out->cells[j].ok &&
                    text_is(taker->out->cells[j].transport, transport_name(taker->ways[i].kind));
        if (!good)
            look_behind(&taker->ways[i], &taker->out->seen);
    }
}

/* ---- The threshold ---- */

static int take_one(struct taker *taker, struct cell *cell, struct error *err)
{
    struct matrix_cell planned = {.cell = *cell};
    struct matrix matrix = {&planned, 1, 1, 0, 0};
    planned.reckoned_ns = (cell_parameter(cell, "seconds", 0) + 1) * NS_PER_S;
    planned.bound_ns = planned.reckoned_ns + THRESHOLD_SLACK_S * NS_PER_S;
    matrix.reckoned_ns = planned.reckoned_ns;
    matrix.bound_ns = planned.bound_ns;
    taker->progress = diagnose_progress_new(&matrix);
    int status = run_matrix(taker, &matrix, err);
    diagnose_progress_free(taker->progress);
    taker->progress = NULL;
    *cell = planned.cell;
    return status;
}

static int find_threshold(struct taker *taker, struct error *err)
{
    const struct finding *finding = &taker->out->said.findings[0];
    struct threshold threshold;
    struct cell cell;
    int status = 0;
    if (!threshold_begin(finding, &threshold)) {
        help_note("no threshold: %s has no amount between good and bad", finding->variable);
        return 0;
    }
    while (status == 0 && threshold_next(&threshold, finding->transport, &cell)) {
        status = take_one(taker, &cell, err);
        if (status == 0)
            threshold_told(&threshold, &cell);
        cell_clear(&cell);
    }
    taker->out->threshold = threshold_text(&threshold);
    return status;
}

/* ---- All of it ---- */

static int work(struct taker *taker, struct error *err)
{
    AUTO_WORDS masters = WORDS_INIT;
    find_masters(taker, &masters);
    look_before(taker->ways, taker->way_count, &masters, &taker->out->seen);
    drop_unusable(taker);
    if (diagnoses_begin(taker->db, taker->out->id, taker->target->name, matrix_size_name(taker->wish->size),
                        taker->out->seen.node, err) < 0 ||
        take_cells(taker, err) < 0)
        return -1;
    look_at_dead_ways(taker);
    diagnosis_conclude(taker->out);
    if (taker->wish->threshold && find_threshold(taker, err) < 0)
        return -1;
    diagnosis_conclude(taker->out);
    for (size_t i = 0; i < taker->lacking.count; i++)
        words_add(&taker->out->said.not_varied, taker->lacking.items[i]);
    AUTO_JSON *said = conclusion_json(&taker->out->said), *seen = surroundings_json(&taker->out->seen);
    taker->out->duration_ns = moment_wall() - taker->out->started_ns;
    return diagnoses_end(taker->db, taker->out->id, said, seen, err);
}

/* Signals are read, so that whatever was started is ended in order. */
static int watch_signals(sigset_t *before, struct error *err)
{
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGHUP);
    sigprocmask(SIG_BLOCK, &wanted, before);
    int fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        error_system(err, errno, "cannot watch for signals");
        sigprocmask(SIG_SETMASK, before, NULL);
    }
    return fd;
}

/* One that has ended the work is answered by that: it ends nothing behind it. */
static void watch_no_more(int *fd, const sigset_t *before)
{
    struct signalfd_siginfo heard;
    if (*fd < 0)
        return;
    while (read(*fd, &heard, sizeof heard) == sizeof heard)
        ;
    fd_close(fd);
    sigprocmask(SIG_SETMASK, before, NULL);
}

/* As a look of `plan --contact`: a scope, a folder of sockets, a guard over both. */
static int inside(struct taker *taker, struct error *err)
{
    sigset_t before;
    int status = layout_make_sockets(taker->directory, err);
    if (status == 0)
        status = guard_start(&taker->scope, taker->directory, -1, &taker->guard, err);
    if (status < 0)
        return -1;
    taker->stop = watch_signals(&before, err);
    status = taker->stop < 0 ? -1 : find_ways(taker, err);
    if (status == 0) {
        struct key_agent agent = {taker->project, taker->directory, &taker->scope, taker->marker};
        status = key_agent_load(&agent, taker->target, taker->ways[0].machine, err);
    }
    if (status == 0)
        status = work(taker, err);
    if (status < 0 && err->kind == ERROR_CANCELLED && taker->out->count)
        help_note("%zu cells are kept: --resume goes on with them within the hour", taker->out->count);
    (void)transport_close_masters(taker->directory, NULL);
    (void)scope_end(&taker->scope, 2 * NS_PER_S, NULL);
    (void)guard_dismiss(&taker->guard, NULL);
    watch_no_more(&taker->stop, &before);
    return status;
}

static int open_store(struct taker *taker, struct error *err)
{
    AUTO_FREE char *state = layout_state(taker->project->directory), *path = layout_store(state);
    return layout_make(state, err) < 0 || store_prepare(path, err) < 0 ||
                   sql_open(path, SQL_WRITE, BUSY_MS, &taker->db, err) < 0
               ? -1
               : 0;
}

int diagnose_take(struct project *project, const struct target *target, const struct diagnose_wish *wish,
                  struct diagnosis *out, struct error *err)
{
    char id[ID_SIZE];
    id_make(id);
    struct taker taker = {.project = project,
                          .target = target,
                          .wish = wish,
                          .out = out,
                          .directory = layout_sockets(id, TRANSPORT_DIRECT),
                          .marker = marks_run(id),
                          .contact = deadline_in(STARTING_BOUND),
                          .scope = {.fd = -1},
                          .guard = CHILD_INIT,
                          .stop = -1};
    AUTO_FREE char *name = xasprintf("diagnose-%s", id);
    *out = (struct diagnosis){.id = xstrdup(id),
                              .target = xstrdup(target->name),
                              .size = xstrdup(matrix_size_name(wish->size)),
                              .started_ns = moment_wall(),
                              .duration_ns = -1};
    int status = open_store(&taker, err);
    if (status == 0)
        status = scope_open(name, taker.marker, &taker.scope, err);
    if (status == 0) {
        status = inside(&taker, err);
        (void)scope_remove(&taker.scope, NULL);
        scope_close(&taker.scope);
    }
    out->node = xstrdup_or_null(out->seen.node);
    for (size_t i = 0; i < taker.way_count; i++)
        reach_clear(&taker.reaches[i]);
    words_clear(&taker.lacking);
    error_clear(&taker.failed);
    sql_close(taker.db);
    free(taker.directory);
    free(taker.marker);
    return status;
}
