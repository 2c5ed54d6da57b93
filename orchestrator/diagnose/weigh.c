#include "diagnose/weigh.h"

#include "base/memory.h"
#include "base/text.h"

/* These ended by what is on the host or in the login, whatever the path was like. */
static const char *const not_of_the_path[] = {"remote-failed", "skipped", NULL};
/* And these before anything went over it. */
static const char *const never_began[] = {"refused", "auth",   "dns",      "proxy-exit",
                                          "daemon",  "policy", "host-key", NULL};

char *weigh_name(const struct cell *cell)
{
    AUTO_TEXT name = TEXT_INIT;
    int64_t bytes = cell_parameter(cell, "bytes", 0), seconds = cell_parameter(cell, "seconds", 0),
            count = cell_parameter(cell, "count", 0);
    text_addf(&name, "%s", cell->work ? cell->work : "?");
    if (bytes > 0) {
        AUTO_FREE char *shown = level_text(LEVEL_VOLUME_DOWN, (double)bytes);
        text_addf(&name, " %s", shown);
    }
    if (count > 0)
        text_addf(&name, " x%lld", (long long)count);
    if (seconds > 0)
        text_addf(&name, " %lld s", (long long)seconds);
    text_addf(&name, " by %s", cell->client ? cell->client : "?");
    return text_take(&name);
}

bool weigh_counts(const struct cell *cell)
{
    return cell->ended && !text_is_one_of(cell->ended, not_of_the_path);
}

/* So did one that never saw the host's first line. Ansible's own bound says less: it may have hung
 * anywhere. */
static bool saw_no_host(const struct cell *cell)
{
    return text_is(cell->ended, "timeout") && !cell->bytes && !cell->last_good_ns &&
           !text_is(cell->client, "ansible");
}

static bool began(const struct cell *cell)
{
    return !text_is_one_of(cell->ended, never_began) && !saw_no_host(cell);
}

/* Those that were not taken are told by why, once for all of them. */
static void name_uncounted(const struct cell *cell, struct words *out)
{
    AUTO_FREE char *name = weigh_name(cell);
    const char *message = cell->message ? cell->message : "";
    AUTO_FREE char *skipped = xasprintf("not taken over %s: %s", cell->transport, message);
    if (!text_is(cell->ended, "skipped"))
        words_addf(out, "%s over %s: %s%s%s", name, cell->transport, cell->ended, *message ? ": " : "",
                   message);
    else if (!words_have(out, skipped))
        words_add(out, skipped);
}

/* Of those alike most decide; as many good as bad ones are one that is flaky, and good. */
static void add_group(const struct cell *cells, size_t count, size_t at, struct weighing *out)
{
    size_t good = 0, bad = 0;
    const struct cell *shown = &cells[at];
    for (size_t i = 0; i < count; i++) {
        if (!weigh_counts(&cells[i]) || !cell_is_alike(&cells[i], &cells[at]))
            continue;
        if (i < at)
            return;
        good += cells[i].ok;
        bad += !cells[i].ok;
    }
    bool ok = good >= bad;
    for (size_t i = at; i < count; i++)
        if (weigh_counts(&cells[i]) && cell_is_alike(&cells[i], &cells[at]) && cells[i].ok == ok) {
            shown = &cells[i];
            break;
        }
    struct weighed *weighed = &out->cells[out->count++];
    *weighed = (struct weighed){.cell = shown,
                                .ok = ok,
                                .flaky = good > 0 && bad > 0,
                                .rides = json_get(shown->parameters, "master") != NULL};
    levels_of(shown, &weighed->levels);
    if (weighed->flaky) {
        AUTO_FREE char *name = weigh_name(shown);
        words_addf(&out->flaky, "%s over %s (%zu good, %zu bad)", name, shown->transport, good, bad);
    }
}

static void sum(struct weighing *out)
{
    for (size_t i = 0; i < out->count; i++) {
        const struct weighed *cell = &out->cells[i];
        if (cell->rides)
            continue;
        *(cell->ok ? &out->good : &out->bad) += 1;
        if (!cell->ok)
            *(began(cell->cell) ? &out->begun : &out->not_begun) += 1;
        if (text_is(cell->cell->work, "echo")) {
            out->baseline_seen = true;
            out->baseline_ok |= cell->ok;
        }
        for (int level = 0; level < LEVEL_COUNT; level++) {
            double value = cell->levels.of[level];
            if (cell->ok && value > out->good_most[level])
                out->good_most[level] = value;
        }
    }
}

static bool same_work(const struct cell *a, const struct cell *b)
{
    struct cell as_other = *a;
    as_other.client = b->client;
    return cell_is_alike(&as_other, b);
}

/* The client is left where another one did the very same well, or where nothing by this one went well.
 * What is silent for one is not for another that asks for signs of life. */
static bool client_left(const struct weighing *out, const struct weighed *bad)
{
    bool other_good = false, own_good = false;
    for (size_t i = 0; i < out->count; i++) {
        const struct weighed *cell = &out->cells[i];
        if (!cell->ok || cell->rides)
            continue;
        bool own = text_is(cell->cell->client, bad->cell->client);
        other_good |= !own && same_work(cell->cell, bad->cell);
        own_good |= own;
    }
    return (other_good && bad->levels.of[LEVEL_IDLE] <= 0) || (!own_good && out->good > 0);
}

static void eliminate(struct weighing *out)
{
    for (int level = 0; level < LEVEL_COUNT; level++)
        out->bad_least[level] = -1;
    for (size_t i = 0; i < out->count; i++) {
        const struct weighed *bad = &out->cells[i];
        if (bad->ok || bad->rides || !began(bad->cell))
            continue;
        for (int level = 0; level < LEVEL_COUNT; level++) {
            double value = bad->levels.of[level];
            if (value <= out->good_most[level])
                continue;
            out->left[level]++;
            if (out->bad_least[level] < 0 || value < out->bad_least[level])
                out->bad_least[level] = value;
        }
        out->left[WEIGH_CLIENT] += client_left(out, bad);
    }
}

void weigh(const struct cell *cells, size_t count, const char *transport, struct weighing *out)
{
    *out = (struct weighing){.transport = transport};
    out->cells = xcalloc(count ? count : 1, sizeof *out->cells);
    for (size_t i = 0; i < count; i++) {
        if (!text_is(cells[i].transport, transport) || !cells[i].ended)
            continue;
        if (weigh_counts(&cells[i]))
            add_group(cells, count, i, out);
        else
            name_uncounted(&cells[i], &out->uncounted);
    }
    sum(out);
    eliminate(out);
}

void weighing_clear(struct weighing *weighing)
{
    free(weighing->cells);
    words_clear(&weighing->uncounted);
    words_clear(&weighing->flaky);
    *weighing = (struct weighing){0};
}
