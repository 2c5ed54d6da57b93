#include "report/text.h"

#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "config/accelerate.h"
#include "config/transport_kind.h"
#include "report/confirm.h"
#include "report/first_boot.h"
#include "report/health.h"
#include "report/json_parts.h"
#include "report/path.h"
#include "report/told.h"

#include <string.h>
#include <time.h>

enum { WIDE = 116 }; /* from this width on, counts have their whole names */

void report_add_date(struct text *out, int64_t wall_ns)
{
    time_t seconds = (time_t)(wall_ns / NS_PER_S);
    struct tm parts;
    char date[32];
    if (!localtime_r(&seconds, &parts) || !strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &parts))
        snprintf(date, sizeof date, "-");
    text_add(out, date);
}

enum table_style report_outcome_style(const char *outcome)
{
    if (text_is(outcome, "ok"))
        return TABLE_GOOD;
    if (text_is(outcome, "skipped"))
        return TABLE_DIM;
    return text_is(outcome, "running") ? TABLE_BOLD : TABLE_BAD;
}

static const char *or_dash(const char *text)
{
    return text && *text ? text : "-";
}

static void add_duration(struct table *table, int64_t ns, enum table_style style)
{
    AUTO_FREE char *text = ns < 0 ? NULL : duration_show(ns);
    table_add(table, or_dash(text), style);
}

/* A zero is no news: a dot, so that the others are seen. */
static void add_count(struct table *table, int64_t count, bool none, bool utf8, enum table_style style)
{
    if (none)
        table_add(table, NULL, TABLE_PLAIN);
    else if (count)
        table_addf(table, style, "%lld", (long long)count);
    else
        table_add(table, utf8 ? "·" : ".", TABLE_DIM);
}

/* A step's time so far where it runs, its duration where it ended, -1 where nobody knows. */
static int64_t time_of(const struct account *account, const struct history_step *step)
{
    if (step->duration_ns >= 0)
        return step->duration_ns;
    int64_t so_far = moment_wall() - step->started_ns;
    return text_is(account_step_outcome(account, step), "running") && so_far >= 0 ? so_far : -1;
}

/* What shares are shares of: the run, or what of it is known. */
static int64_t whole_of(const struct account *account)
{
    int64_t whole = account->run->duration_ns, sum = 0;
    for (size_t i = 0; i < account->step_count; i++) {
        int64_t time = time_of(account, &account->steps[i]);
        sum += time > 0 ? time : 0;
    }
    return whole > sum ? whole : sum;
}

#define STEP_COLUMNS(ok, changed, failed, skipped, unreachable)                                           \
    {                                                                                                     \
        {.title = "#", .right = true}, {.title = "step", .shrinks = 14},                                  \
            {.title = "start", .right = true, .drop = 3}, {.title = "time", .right = true},               \
            {.title = "share", .bar = true, .drop = 4}, {.title = "%", .right = true, .drop = 1},         \
            {.title = "transport", .shrinks = 11}, {.title = "try", .right = true}, {.title = "outcome"}, \
            {.title = ok, .right = true}, {.title = changed, .right = true},                              \
            {.title = failed, .right = true}, {.title = skipped, .right = true, .drop = 2},               \
            {.title = unreachable, .right = true},                                                        \
    }
static const struct table_column step_columns[] = STEP_COLUMNS("ok", "chg", "fail", "skip", "unr");
static const struct table_column wide_step_columns[] =
    STEP_COLUMNS("ok", "changed", "failed", "skipped", "unreachable");

static bool goes_without_tun(const struct history_step *step)
{
    return text_is(step->transport, transport_name(TRANSPORT_TAILNET_USERSPACE));
}

/* Who wonders why a phase was slow, or broke, should not overlook it. */
static void add_without_tun(const struct account *account, struct text *out)
{
    int phases = 0;
    for (size_t i = 0; i < account->step_count; i++)
        phases += text_is(account->steps[i].kind, "phase") && goes_without_tun(&account->steps[i]);
    if (phases)
        text_addf(out, "\ntailnet-userspace: %d %s without a TUN (see inventory --explain)\n", phases,
                  phases == 1 ? "phase" : "phases");
}

/* Times that are not those of a usual run. */
static void add_acceleration(const struct account *account, struct text *out)
{
    for (size_t kind = 0; accelerate_names()[kind]; kind++) {
        const char *name = accelerate_names()[kind];
        int phases = 0;
        bool why = false;
        for (size_t i = 0; i < account->step_count; i++) {
            const struct history_step *step = &account->steps[i];
            bool shown =
                text_is(step->accelerated, name) && (kind != ACCELERATE_WARM || step->accelerated_why);
            phases += shown;
            why |= shown && step->accelerated_why;
        }
        if (phases)
            text_addf(out, "\naccelerate: %d %s %s%s\n", phases, phases == 1 ? "phase" : "phases", name,
                      why ? ", less than was asked for (see report --explain)" : "");
    }
}

/* Whom the host was believed to be, and why. */
static void add_known_by(const struct account *account, struct text *out)
{
    for (size_t i = 0; i < account->step_count; i++) {
        AUTO_FREE char *known_by = report_known_by(&account->steps[i]);
        if (known_by)
            text_addf(out, "\nhost keys: by %s\n", known_by);
    }
}

static struct table *steps_table(const struct account *account, bool wide, bool utf8)
{
    struct table *table = table_new(wide ? wide_step_columns : step_columns, COUNT_OF(step_columns));
    int64_t whole = whole_of(account);
    for (size_t i = 0; i < account->step_count; i++) {
        const struct history_step *step = &account->steps[i];
        const char *outcome = account_step_outcome(account, step);
        int64_t time = time_of(account, step), start = step->started_ns - account->run->started_ns;
        double share = time >= 0 && whole > 0 ? (double)time / (double)whole : -1;
        bool none = !step->ok && !step->changed && !step->failed && !step->skipped && !step->unreachable &&
                    !text_is(step->kind, "phase");
        table_addf(table, TABLE_DIM, "%d", step->seq);
        table_add(table, step->name, text_is(step->kind, "phase") ? TABLE_BOLD : TABLE_PLAIN);
        add_duration(table, start < 0 ? 0 : start, TABLE_DIM);
        add_duration(table, time, TABLE_PLAIN);
        table_add_share(table, share);
        if (share < 0)
            table_add(table, "-", TABLE_DIM);
        else
            table_addf(table, TABLE_DIM, "%.0f", share * 100);
        table_add(table, or_dash(step->transport), goes_without_tun(step) ? TABLE_WARN : TABLE_PLAIN);
        table_addf(table, step->attempt > 1 ? TABLE_WARN : TABLE_DIM, "%d", step->attempt);
        table_add(table, outcome, report_outcome_style(outcome));
        add_count(table, step->ok, none, utf8, TABLE_PLAIN);
        add_count(table, step->changed, none, utf8, TABLE_WARN);
        add_count(table, step->failed, none, utf8, TABLE_BAD);
        add_count(table, step->skipped, none, utf8, TABLE_PLAIN);
        add_count(table, step->unreachable, none, utf8, TABLE_BAD);
    }
    return table;
}

/* A message may have several lines. */
static void say_lines(struct text *out, const struct table_look *look, const char *message,
                      const char *between)
{
    AUTO_TEXT printable = TEXT_INIT;
    text_add_printable_lines(&printable, message, between);
    table_styled(out, look, TABLE_PLAIN, text_string(&printable));
}

void report_head(const struct account *account, const struct table_look *look, struct text *out)
{
    const struct history_run *run = account->run;
    AUTO_TEXT what = TEXT_INIT, end = TEXT_INIT, when = TEXT_INIT;
    AUTO_FREE char *total = run->duration_ns >= 0 ? duration_show(run->duration_ns) : NULL;
    text_addf(&what, "  %s %s  %s  ", run->kind, id_shown(run->id), or_dash(run->provider));
    text_addf(&end, "%s%s", total ? " in " : "", total ? total : "");
    report_add_date(&when, run->started_ns);
    text_addf(&when, "%s%s%s%s", run->ansible ? "  ansible " : "", run->ansible ? run->ansible : "",
              run->fresh ? "  fresh machine" : "",
              account->dry_run ? "  dry run"
              : run->partial   ? "  partial"
                               : "");
    int cells = table_cells(run->target) + table_cells(text_string(&what)) + table_cells(account->outcome) +
                table_cells(text_string(&end));
    table_printable(out, look, TABLE_BOLD, run->target);
    table_printable(out, look, TABLE_PLAIN, text_string(&what));
    table_printable(out, look, report_outcome_style(account->outcome), account->outcome);
    table_printable(out, look, TABLE_PLAIN, text_string(&end));
    text_add(out, look->width && cells + 2 + table_cells(text_string(&when)) > look->width ? "\n  " : "  ");
    table_printable(out, look, TABLE_PLAIN, text_string(&when));
    text_add(out, "\n");
}

/* Nothing that is known of a run that died is left unsaid. */
static void add_crash(const struct account *account, const struct table_look *look, struct text *out)
{
    const struct history_run *run = account->run;
    if (!text_is(account->outcome, "crashed") || run->outcome)
        return;
    AUTO_TEXT line = TEXT_INIT;
    text_addf(&line, "crashed: its worker (process %lld) is gone%s", (long long)run->pid,
              account->guarded ? ", its guard still ends what it left" : "");
    if (account->unread_bytes)
        text_addf(&line,
                  "; %lld bytes of its event files are not in the store yet: the next command that acts on"
                  " %s reads them",
                  (long long)account->unread_bytes, run->target);
    table_printable(out, look, TABLE_BAD, text_string(&line));
    text_add(out, "\n");
}

static const char *step_name(const struct account *account, int seq)
{
    const struct history_step *step = account_step(account, seq);
    return step ? step->name : "-";
}

static void add_message(const char *message, const struct table_look *look, struct text *out)
{
    if (!message || !*message)
        return;
    text_add(out, "     ");
    say_lines(out, look, message, "\n     ");
    text_add(out, "\n");
}

/* What the tailnet's path did during each phase: one that became slow may say here why. */
static void add_paths(const struct account *account, const struct table_look *look, struct text *out)
{
    bool headed = false;
    for (size_t i = 0; i < account->step_count; i++) {
        const struct history_step *step = &account->steps[i];
        AUTO_FREE char *story = report_path_story(account, step);
        AUTO_WORDS warnings = WORDS_INIT;
        AUTO_TEXT line = TEXT_INIT;
        if (!story)
            continue;
        if (!headed)
            text_add(out, "\npath\n");
        headed = true;
        text_addf(&line, "%3d  %s  %s", step->seq, step->name, story);
        table_printable(out, look, strchr(story, ';') ? TABLE_WARN : TABLE_PLAIN, text_string(&line));
        text_add(out, "\n");
        report_path_warnings(account, step, &warnings);
        for (size_t k = 0; k < warnings.count; k++) {
            text_truncate(&line, 0);
            text_addf(&line, "tailscaled warned at %s", warnings.items[k]);
            add_message(text_string(&line), look, out);
        }
    }
}

/* What the host's own first boot took, where a step waited for it. */
static void add_first_boot(const struct account *account, const struct table_look *look, struct text *out)
{
    bool headed = false;
    for (size_t i = 0; i < account->step_count; i++) {
        const struct history_step *step = &account->steps[i];
        AUTO_FREE char *story = report_first_boot_story(account, step);
        AUTO_TEXT line = TEXT_INIT;
        if (!story)
            continue;
        text_add(out, headed ? "" : "\nfirst boot\n");
        headed = true;
        text_addf(&line, "%3d  %s  %s", step->seq, step->name, story);
        table_printable(out, look, strstr(story, "error") ? TABLE_WARN : TABLE_PLAIN, text_string(&line));
        text_add(out, "\n");
    }
}

static void add_lost(const struct account *account, const struct table_look *look, struct text *out)
{
    if (!account->lost_count)
        return;
    text_add(out, "\n");
    table_styled(out, look, TABLE_BAD, "UNREACHABLE");
    text_addf(out, " %zu\n", account->lost_count);
    for (size_t i = 0; i < account->lost_count; i++) {
        const struct history_lost *lost = &account->lost[i];
        AUTO_FREE char *clock = moment_clock(lost->at_ns);
        AUTO_TEXT line = TEXT_INIT;
        text_addf(&line, "%3d  %s  %s  %s  over %s  ", lost->step, clock, step_name(account, lost->step),
                  or_dash(lost->host), or_dash(lost->transport));
        table_printable(out, look, TABLE_PLAIN, text_string(&line));
        table_printable(out, look, TABLE_WARN, or_dash(lost->cause));
        text_truncate(&line, 0);
        text_addf(&line, " (%s)%s%s%s", or_dash(lost->cause_source), lost->task ? "  " : "",
                  lost->task ? lost->task : "", lost->ignored ? "  ignored" : "");
        table_printable(out, look, TABLE_PLAIN, text_string(&line));
        text_add(out, "\n");
        add_message(lost->message, look, out);
    }
}

static void add_bad_task(const struct history_bad *bad, const struct table_look *look, struct text *out)
{
    AUTO_TEXT line = TEXT_INIT;
    text_addf(&line, "     %s  %s%s%s", or_dash(bad->host), bad->role ? bad->role : "",
              bad->role ? " : " : "", or_dash(bad->task));
    if (bad->path)
        text_addf(&line, "  %s", bad->path);
    table_printable(out, look, TABLE_BOLD, text_string(&line));
    text_add(out, "\n");
    add_message(bad->message, look, out);
}

/* Why each step that did not end well did so: its own word, and the tasks behind it. */
static void add_failures(const struct account *account, const struct table_look *look, struct text *out)
{
    bool told = false; /* the run's message, as its step's */
    for (size_t i = 0; i < account->step_count; i++) {
        const struct history_step *step = &account->steps[i];
        const char *outcome = account_step_outcome(account, step);
        if (text_is(outcome, "ok") || text_is(outcome, "skipped") || text_is(outcome, "running"))
            continue;
        AUTO_TEXT line = TEXT_INIT;
        text_addf(&line, "\n%3d  %s  ", step->seq, step->name);
        text_add(out, "\n");
        table_printable(out, look, TABLE_PLAIN, text_string(&line) + 1);
        table_printable(out, look, TABLE_BAD, outcome);
        if (step->cause) {
            text_add(out, "  ");
            table_printable(out, look, TABLE_PLAIN, step->cause);
        }
        text_add(out, "\n");
        add_message(step->message, look, out);
        told |= step->message && account->run->message && text_is(step->message, account->run->message);
        for (size_t k = 0; k < account->bad_count; k++) {
            const struct history_bad *bad = &account->bad[k];
            if (bad->step == step->seq && !bad->unreachable && !bad->ignored && !bad->rescued)
                add_bad_task(bad, look, out);
        }
        if (step->log) {
            text_truncate(&line, 0);
            text_addf(&line, "     log: .triphase/%s", step->log);
            table_printable(out, look, TABLE_PLAIN, text_string(&line));
            text_add(out, "\n");
        }
    }
    if (account->run->message && !told) {
        text_add(out, "\n");
        say_lines(out, look, account->run->message, "\n");
        text_add(out, "\n");
    }
}

/* What went well, and is not all well. */
static void add_warnings(const struct account *account, const struct table_look *look, struct text *out)
{
    for (size_t i = 0; i < account->step_count; i++) {
        const struct history_step *step = &account->steps[i];
        if (!step->cause || !text_is(account_step_outcome(account, step), "ok"))
            continue;
        AUTO_TEXT line = TEXT_INIT;
        text_addf(&line, "%3d  %s  ", step->seq, step->name);
        text_add(out, "\n");
        table_printable(out, look, TABLE_PLAIN, text_string(&line));
        table_printable(out, look, TABLE_WARN, "warning");
        text_add(out, "  ");
        table_printable(out, look, TABLE_PLAIN, step->cause);
        text_add(out, "\n");
        add_message(step->message, look, out);
    }
}

static void add_survivors(const struct account *account, struct text *out)
{
    for (size_t i = 0; i < account->step_count; i++) {
        const struct history_step *step = &account->steps[i];
        if (step->survivors_here > 0)
            text_addf(out, "\n%3d  %d processes of it outlived its main one here\n", step->seq,
                      step->survivors_here);
        if (step->survivors_host > 0)
            text_addf(out, "\n%3d  %d processes of it are left on the host\n", step->seq,
                      step->survivors_host);
    }
}

static void add_totals(const struct account *account, struct text *out)
{
    AUTO_FREE char *phases = duration_show(account->phases_ns);
    AUTO_FREE char *stages = duration_show(account->stages_ns);
    text_addf(out, "\nphases %s   stages %s", phases, stages);
    int64_t total = account->run->duration_ns, between = total - account->phases_ns - account->stages_ns;
    if (total >= 0) {
        AUTO_FREE char *rest = duration_show(between < 0 ? 0 : between);
        AUTO_FREE char *whole = duration_show(total);
        text_addf(out, "   between %s   total %s", rest, whole);
    }
    text_add(out, "\n");
}

/* Of a resume: what came before it, and what both took together. */
static void add_chain(const struct account *account, struct text *out)
{
    int64_t phases = account->phases_ns, total = account->run->duration_ns;
    for (size_t i = 0; i < account->chain_count; i++) {
        const struct account_link *link = &account->chain[i];
        AUTO_FREE char *took = link->duration_ns < 0 ? NULL : duration_show(link->duration_ns);
        text_add(out, i ? ", then " : "\ngoes on with ");
        text_add_printable(out, or_dash(link->kind), strlen(or_dash(link->kind)));
        text_addf(out, " %s (", id_is(link->run) ? id_tail(link->run, 8) : "?");
        text_add_printable(out, or_dash(link->outcome), strlen(or_dash(link->outcome)));
        text_addf(out, "%s%s)", took ? " in " : "", took ? took : "");
        if (__builtin_add_overflow(phases, link->phases_ns, &phases))
            phases = INT64_MAX;
        if (total >= 0 && (link->duration_ns < 0 || __builtin_add_overflow(total, link->duration_ns, &total)))
            total = -1;
    }
    if (!account->chain_count)
        return;
    AUTO_FREE char *phase_text = duration_show(phases), *total_text = total < 0 ? NULL : duration_show(total);
    text_addf(out, "\ntogether: phases %s", phase_text);
    if (total_text)
        text_addf(out, "   total %s", total_text);
    text_add(out, "\n");
}

static void add_markdown(const struct account *account, const struct table_look *look, struct text *out)
{
    AUTO_TABLE *table = steps_table(account, true, true);
    text_add(out, "### ");
    report_head(account, look, out);
    text_add(out, "\n");
    table_write(table, look, out);
    add_totals(account, out);
    add_chain(account, out);
    add_known_by(account, out);
    add_without_tun(account, out);
    add_acceleration(account, out);
    report_health_add(account, look, out);
    if (account->dry_run && account->run->message) {
        text_add(out, "\n");
        say_lines(out, look, account->run->message, "\n");
        text_add(out, "\n");
    }
    if (account->told_count)
        text_add(out, "\n");
    report_told_add(account, look, out);
    report_confirm_add(account, look, out);
    if (!account->lost_count)
        return;
    static const struct table_column columns[] = {{.title = "step", .right = true},
                                                  {.title = "at"},
                                                  {.title = "host"},
                                                  {.title = "transport"},
                                                  {.title = "cause"},
                                                  {.title = "source"},
                                                  {.title = "task"},
                                                  {.title = "ignored"},
                                                  {.title = "message"}};
    AUTO_TABLE *lost = table_new(columns, COUNT_OF(columns));
    for (size_t i = 0; i < account->lost_count; i++) {
        const struct history_lost *row = &account->lost[i];
        AUTO_FREE char *clock = moment_clock(row->at_ns);
        table_addf(lost, TABLE_PLAIN, "%d", row->step);
        const char *const cells[] = {clock,
                                     row->host,
                                     row->transport,
                                     row->cause,
                                     row->cause_source,
                                     row->task,
                                     row->ignored ? "yes" : "no",
                                     row->message};
        for (size_t k = 0; k < COUNT_OF(cells); k++)
            table_add(lost, cells[k], TABLE_PLAIN);
    }
    text_add(out, "\nUNREACHABLE:\n\n");
    table_write(lost, look, out);
}

void report_run(const struct account *account, const struct table_look *look, struct text *out)
{
    if (look->markdown) {
        add_markdown(account, look, out);
        return;
    }
    report_head(account, look, out);
    add_crash(account, look, out);
    if (account->step_count) {
        AUTO_TABLE *table = steps_table(account, look->width == 0 || look->width >= WIDE, look->utf8);
        text_add(out, "\n");
        table_write(table, look, out);
    }
    add_totals(account, out);
    add_chain(account, out);
    add_known_by(account, out);
    add_without_tun(account, out);
    add_acceleration(account, out);
    report_health_add(account, look, out);
    add_first_boot(account, look, out);
    add_paths(account, look, out);
    report_told_add(account, look, out);
    report_confirm_add(account, look, out);
    add_lost(account, look, out);
    add_failures(account, look, out);
    add_warnings(account, look, out);
    add_survivors(account, out);
}
