#include "figures/estimate.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/number.h"
#include "base/text.h"
#include "figures/ranks.h"

#include <search.h>
#include <string.h>

#define LONGEST (INT64_C(100) * 86400 * NS_PER_S) /* a foreign store may say anything */

struct place {
    size_t earlier, row;
};

/* A host, a task whatever the host, or one on its host: by a text that none of the others has. */
struct known {
    char *name;
    struct place *places; /* of a task on its host: where it ended, in order */
    size_t count, room;
    size_t ended; /* how often, in this step */
    size_t play;  /* a host: the last one that it had a part in, from 1 */
    bool lost;    /* a host: what ended last on it was a failure */
};

struct row {
    const struct known *host;
    int64_t ended_ns;
    enum line_status status;
    bool unreachable, passed;
};

struct earlier {
    int64_t duration_ns, behind_ns;
    struct row *rows;
    size_t count, room;
    size_t open, furthest; /* rows before the first one that is not passed; before the last one that is */
    int64_t opened_ns;     /* when `open` last moved, in this step */
    size_t unlike;         /* tasks of this step that it does not have, or that came out otherwise there */
    bool met;              /* has the task that just ended */
};

struct estimate {
    struct earlier *earlier;
    size_t count, ended, play;
    void *known;        /* a tree of them */
    int64_t last_ns;    /* when a task last ended */
    int64_t outside_ns; /* in tasks that no earlier one has, until then */
    bool strange;       /* it is at one of these */
};

/* ---- what is known ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct known *)a)->name, ((const struct known *)b)->name);
}

static void known_free(void *known)
{
    free(((struct known *)known)->places);
    free(((struct known *)known)->name);
    free(known);
}

/* Takes the name over. */
static struct known *find(const struct estimate *estimate, char *name)
{
    const struct known key = {.name = name};
    struct known *const *found = tfind(&key, &estimate->known, by_name);
    free(name);
    return found ? *found : NULL;
}

static struct known *find_or_add(struct estimate *estimate, char *name)
{
    struct known *made = xcalloc(1, sizeof *made);
    made->name = name;
    struct known **found = tsearch(made, &estimate->known, by_name);
    if (!found)
        abort();
    if (*found != made)
        known_free(made);
    return *found;
}

static char *host_name(const char *host)
{
    return xasprintf("%s", host ? host : "");
}

static char *title_of(const char *role, const char *task)
{
    return xasprintf("\n%s\n%s", role ? role : "", task ? task : "");
}

static char *name_of(const struct estimate_task *task)
{
    AUTO_FREE char *title = title_of(task->role, task->task);
    return xasprintf("%s%s", task->host ? task->host : "-", title);
}

/* ---- earlier ones ---- */

struct estimate *estimate_new(void)
{
    struct estimate *estimate = xcalloc(1, sizeof *estimate);
    estimate->play = 1;
    return estimate;
}

void estimate_free(struct estimate *estimate)
{
    if (!estimate)
        return;
    for (size_t i = 0; i < estimate->count; i++)
        free(estimate->earlier[i].rows);
    free(estimate->earlier);
    tdestroy(estimate->known, known_free);
    free(estimate);
}

static int64_t between(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

void estimate_add(struct estimate *estimate, int64_t duration_ns, int64_t behind_ns)
{
    estimate->earlier = xreallocarray(estimate->earlier, estimate->count + 1, sizeof *estimate->earlier);
    estimate->earlier[estimate->count++] = (struct earlier){.duration_ns = between(duration_ns, 0, LONGEST),
                                                            .behind_ns = between(behind_ns, -1, LONGEST)};
}

void estimate_add_task(struct estimate *estimate, const struct estimate_task *task)
{
    struct earlier *last = &estimate->earlier[estimate->count - 1];
    if (last->count == last->room) {
        last->room = last->room ? 2 * last->room : 64;
        last->rows = xreallocarray(last->rows, last->room, sizeof *last->rows);
    }
    int64_t before = last->count ? last->rows[last->count - 1].ended_ns : 0;
    struct known *known = find_or_add(estimate, name_of(task));
    if (known->count == known->room) {
        known->room = known->room ? 2 * known->room : 4;
        known->places = xreallocarray(known->places, known->room, sizeof *known->places);
    }
    known->places[known->count++] = (struct place){estimate->count - 1, last->count};
    find_or_add(estimate, title_of(task->role, task->task));
    last->rows[last->count++] = (struct row){.host = find_or_add(estimate, host_name(task->host)),
                                             .ended_ns = between(task->ended_ns, before, last->duration_ns),
                                             .status = task->status,
                                             .unreachable = task->unreachable};
}

bool estimate_has_tasks(const struct estimate *estimate)
{
    return estimate && estimate->known;
}

/* ---- this one ---- */

static struct known *take_part(struct estimate *estimate, const char *host)
{
    struct known *known = find(estimate, host_name(host));
    if (known)
        known->play = estimate->play;
    return known;
}

void estimate_play(struct estimate *estimate, const struct json *hosts)
{
    estimate->play++;
    for (size_t i = 0; i < json_count(hosts); i++)
        take_part(estimate, json_string(json_at(hosts, i), NULL));
}

void estimate_began(struct estimate *estimate, const char *host, const char *role, const char *task)
{
    take_part(estimate, host);
    estimate->strange = !find(estimate, title_of(role, task));
}

/* A host does one task after the other; what lay before one that it has done it did, or had not to do. One
 * that is lost, or has no part in the play, keeps nobody from being further on. */
static void pass(const struct estimate *estimate, struct earlier *earlier, size_t at, int64_t now_ns)
{
    struct row *row = &earlier->rows[at];
    row->passed = true;
    for (size_t i = at; i-- && !(earlier->rows[i].host == row->host && earlier->rows[i].passed);)
        earlier->rows[i].passed |= earlier->rows[i].host == row->host;
    earlier->furthest = at + 1 > earlier->furthest ? at + 1 : earlier->furthest;
    size_t open = earlier->open;
    while (open < earlier->count &&
           (earlier->rows[open].passed ||
            (open < earlier->furthest &&
             (earlier->rows[open].host->play != estimate->play || earlier->rows[open].host->lost))))
        open++;
    if (open != earlier->open)
        earlier->opened_ns = now_ns;
    earlier->open = open;
}

/* Everywhere where it came as often before as in this step. */
static void meet(struct estimate *estimate, const struct known *known, const struct estimate_task *task,
                 int64_t now_ns)
{
    size_t before = 0;
    for (size_t i = 0; i < known->count; i++) {
        const struct place *place = &known->places[i];
        before = i && known->places[i - 1].earlier == place->earlier ? before + 1 : 0;
        if (before != known->ended)
            continue;
        struct earlier *earlier = &estimate->earlier[place->earlier];
        const struct row *row = &earlier->rows[place->row];
        earlier->met = true;
        earlier->unlike += row->status != task->status || row->unreachable != task->unreachable;
        pass(estimate, earlier, place->row, now_ns);
    }
}

void estimate_ended(struct estimate *estimate, const struct estimate_task *task)
{
    struct known *known = find(estimate, name_of(task)), *host = take_part(estimate, task->host);
    int64_t now_ns = between(task->ended_ns, estimate->last_ns, LONGEST),
            took_ns = now_ns - estimate->last_ns;
    bool met = false;
    if (host)
        host->lost = task->unreachable || task->status == STATUS_FAILED;
    for (size_t i = 0; i < estimate->count; i++)
        estimate->earlier[i].met = false;
    if (known)
        meet(estimate, known, task, now_ns);
    for (size_t i = 0; i < estimate->count; i++) {
        struct earlier *earlier = &estimate->earlier[i];
        met |= earlier->met;
        if (earlier->met || !earlier->count)
            continue;
        earlier->unlike++;
        earlier->opened_ns += took_ns; /* its time is none of the task's that comes next there */
    }
    if (known)
        known->ended++;
    estimate->outside_ns += met ? 0 : took_ns;
    estimate->ended++;
    estimate->last_ns = now_ns;
    estimate->strange = false;
}

void estimate_line(struct estimate *estimate, const struct line *line, int64_t started_ns, int64_t now_ns)
{
    if (line->kind == LINE_PLAY_START)
        estimate_play(estimate, json_get(line->json, "hosts"));
    else if (line->kind == LINE_HOST_START)
        estimate_began(estimate, line->host, line->role, line->task);
    else if (line->kind == LINE_RESULT || line->kind == LINE_UNREACHABLE)
        estimate_ended(estimate,
                       &(struct estimate_task){.host = line->host,
                                               .role = line->role,
                                               .task = line->task,
                                               .status = line->status,
                                               .unreachable = line->kind == LINE_UNREACHABLE,
                                               .ended_ns = between(line->monotonic_ns, started_ns, now_ns) -
                                                           started_ns});
}

/* ---- what follows from it ---- */

static int by_size(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* Noise of a few runs goes beyond the longest of them by less. */
static bool beyond(int64_t ns, int64_t longest_ns)
{
    return ns > longest_ns + longest_ns / 4 + 2 * NS_PER_S;
}

/* Between the end of the task before and that of the next one, or of the whole. */
static void span_of(const struct earlier *earlier, int64_t *from, int64_t *to)
{
    *from = earlier->open ? earlier->rows[earlier->open - 1].ended_ns : 0;
    *to = earlier->open < earlier->count ? earlier->rows[earlier->open].ended_ns : earlier->duration_ns;
}

static bool looks_alike(const struct estimate *estimate, const struct earlier *earlier)
{
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < estimate->count; i++)
        least = estimate->earlier[i].unlike < least ? estimate->earlier[i].unlike : least;
    return earlier->unlike <= least + 1 + estimate->ended / 10 && earlier->unlike <= 2 + estimate->ended / 2;
}

void estimate_look(const struct estimate *estimate, int64_t now_ns, struct estimate_figures *out)
{
    size_t n = 0, behind_n = 0;
    *out = (struct estimate_figures){.behind_ns = -1};
    if (!estimate)
        return;
    AUTO_FREE int64_t *values = xcalloc(4 * estimate->count + 1, sizeof *values);
    int64_t *whole = values, *left = whole + estimate->count, *percents = left + estimate->count,
            *behind = percents + estimate->count;
    int64_t longest_ns = 0, longest_task_ns = 0;
    now_ns = between(now_ns, estimate->last_ns, LONGEST);
    int64_t waits_ns = now_ns - estimate->last_ns, clock_ns = estimate->strange ? estimate->last_ns : now_ns;
    for (size_t i = 0; i < estimate->count; i++) {
        const struct earlier *earlier = &estimate->earlier[i];
        int64_t from, to, at;
        span_of(earlier, &from, &to);
        at = between(from + clock_ns - earlier->opened_ns, from, to);
        longest_ns = earlier->duration_ns > longest_ns ? earlier->duration_ns : longest_ns;
        longest_task_ns = to - from > longest_task_ns ? to - from : longest_task_ns;
        if (!looks_alike(estimate, earlier))
            continue;
        if (earlier->behind_ns >= 0)
            behind[behind_n++] = earlier->behind_ns;
        whole[n] = earlier->duration_ns;
        left[n] = earlier->duration_ns - at;
        percents[n++] = earlier->duration_ns ? 100 * at / earlier->duration_ns : 0;
    }
    if (!n)
        return;
    out->n = n;
    int64_t beyond_ns = estimate->strange            ? waits_ns
                        : waits_ns > longest_task_ns ? waits_ns - longest_task_ns
                                                     : 0;
    out->percent = (int)between(rank_test_median(percents, n), 0, 99);
    out->usual_ns = rank_test_median(whole, n);
    out->remaining_ns = rank_test_median(left, n);
    if (behind_n)
        out->behind_ns = rank_test_median(behind, behind_n);
    qsort(left, n, sizeof *left, by_size);
    out->low_ns = left[n / 10];
    out->high_ns = left[n - 1 - n / 10] + beyond_ns + estimate->outside_ns / 100 * (100 - out->percent);
    if (beyond(now_ns, longest_ns))
        out->slower = ESTIMATE_SLOWER_STEP;
    else if (!estimate->strange && beyond(waits_ns, longest_task_ns))
        out->slower = ESTIMATE_SLOWER_TASK;
}
