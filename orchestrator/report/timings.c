#include "report/timings.h"

#include "base/memory.h"
#include "base/moment.h"
#include "view/table.h"

static void add_ms(struct text *out, int64_t ns)
{
    text_addf(out, "%lld.%03lld", (long long)(ns / NS_PER_MS), (long long)(ns % NS_PER_MS / 1000));
}

static void add_sum(struct text *out, const char *title, int64_t ns)
{
    text_add(out, title);
    add_ms(out, ns);
    text_addf(out, " ms (%.2f s)\n", (double)ns / (double)NS_PER_S);
}

static void add_step(struct table *table, const struct account *account, const struct history_step *step)
{
    AUTO_FREE char *started = moment_rfc3339(step->started_ns);
    AUTO_FREE char *ended =
        step->duration_ns < 0 ? NULL : moment_rfc3339(step->started_ns + step->duration_ns);
    AUTO_TEXT name = TEXT_INIT, duration = TEXT_INIT;
    text_add(&name, step->name);
    if (step->attempt > 1)
        text_addf(&name, "#%d", step->attempt);
    if (step->duration_ns >= 0)
        add_ms(&duration, step->duration_ns);
    table_add(table, text_string(&name), TABLE_PLAIN);
    table_add(table, account_step_outcome(account, step), TABLE_PLAIN);
    table_add(table, started, TABLE_PLAIN);
    table_add(table, ended ? ended : "-", TABLE_PLAIN);
    table_add(table, duration.length ? text_string(&duration) : "-", TABLE_PLAIN);
}

static const struct table_column columns[] = {{.title = "STEP"},
                                              {.title = "STATUS"},
                                              {.title = "STARTED_AT"},
                                              {.title = "ENDED_AT"},
                                              {.title = "DURATION_MS", .right = true}};
static const struct table_look plain = {.utf8 = true};

static int by_start(const void *a, const void *b)
{
    const struct history_sum *const *one = a, *const *other = b;
    return (*one)->started_ns < (*other)->started_ns ? -1 : (*one)->started_ns > (*other)->started_ns;
}

/* Roles in the order in which they began, and what all of them took. */
static void add_roles(const struct history_sum *roles, size_t count, struct text *out)
{
    AUTO_FREE const struct history_sum **rows = xcalloc(count, sizeof(*rows));
    AUTO_TABLE *table = table_new(columns, COUNT_OF(columns));
    int64_t sum = 0;
    bool several = false;
    for (size_t i = 0; i < count; i++) {
        rows[i] = &roles[i];
        several |= !roles[i].whole && !text_is(roles[i].host, roles[0].host);
        sum += roles[i].whole ? 0 : roles[i].wall_ns;
    }
    qsort(rows, count - 1, sizeof(*rows), by_start);
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *started = moment_rfc3339(rows[i]->started_ns);
        AUTO_FREE char *ended = moment_rfc3339(rows[i]->started_ns + rows[i]->wall_ns);
        AUTO_TEXT name = TEXT_INIT, duration = TEXT_INIT;
        text_add(&name, rows[i]->name ? rows[i]->name : "(no role)");
        if (several && rows[i]->host)
            text_addf(&name, "@%s", rows[i]->host);
        add_ms(&duration, rows[i]->wall_ns);
        const char *const cells[] = {text_string(&name), rows[i]->status, started, ended,
                                     text_string(&duration)};
        for (size_t k = 0; k < COUNT_OF(cells); k++)
            table_add(table, cells[k], TABLE_PLAIN);
    }
    text_add(out, "\nBy role\n\n");
    table_write(table, &plain, out);
    text_add(out, "\n");
    add_sum(out, "Sum of per-role durations: ", sum);
    add_sum(out, "Wall-clock (first to last): ", roles[count - 1].wall_ns);
}

void timings_add(const struct account *account, const struct words *never, const struct history_sum *roles,
                 size_t role_count, struct text *out)
{
    const struct history_run *run = account->run;
    AUTO_TABLE *table = table_new(columns, COUNT_OF(columns));
    int64_t first = 0, last = 0, sum = 0;
    for (size_t i = 0; i < account->step_count; i++) {
        const struct history_step *step = &account->steps[i];
        add_step(table, account, step);
        if (step->duration_ns < 0)
            continue;
        first = first && first < step->started_ns ? first : step->started_ns;
        last = last > step->started_ns + step->duration_ns ? last : step->started_ns + step->duration_ns;
        sum += step->duration_ns;
    }
    for (size_t i = 0; i < never->count; i++) {
        static const char *const cells[] = {"skipped", "-", "-", "-"};
        table_add(table, never->items[i], TABLE_PLAIN);
        for (size_t k = 0; k < COUNT_OF(cells); k++)
            table_add(table, cells[k], TABLE_PLAIN);
    }
    text_addf(out, "Provisioning timings of %s %s (target %s): %s\n\n", run->kind, run->id, run->target,
              account->outcome);
    table_write(table, &plain, out);
    text_add(out, "\n");
    add_sum(out, "Sum of per-step durations: ", sum);
    add_sum(out, "Wall-clock (first to last): ", last - first);
    if (run->duration_ns >= 0)
        add_sum(out, "Whole run: ", run->duration_ns);
    if (role_count)
        add_roles(roles, role_count, out);
}
