#include "report/explain.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/accelerate.h"
#include "report/text.h"
#include "verdict/verdict.h"

#include <string.h>

enum { INDENT = 11 }; /* of what stands under a head line */

/* What is told of a run, or of a step. */
struct subject {
    const char *of; /* "run", or the step's kind */
    const char *outcome, *verdict, *seen, *message, *log;
    bool ended;
};

static struct subject of_run(const struct account *account)
{
    const struct history_run *run = account->run;
    return (struct subject){"run", account->outcome,    run->verdict, run->seen, run->message,
                            NULL,  run->outcome != NULL};
}

static struct subject of_step(const struct account *account, const struct history_step *step)
{
    return (struct subject){step->kind,           account_step_outcome(account, step),
                            step->verdict,        step->seen,
                            step->message,        step->log,
                            step->outcome != NULL};
}

/* NULL where no row was recorded, or none that this version knows. */
static const struct verdict_row *row_of(const struct subject *subject)
{
    const struct verdict_table *table = verdict_table(subject->of);
    int at = table ? verdict_row_at(table, subject->verdict) : -1;
    return at < 0 ? NULL : &table->rows[at];
}

static const char *means(const struct subject *subject)
{
    const struct verdict_row *row = row_of(subject);
    if (row)
        return row->means;
    if (subject->verdict)
        return "a row that this version of triphase does not know";
    if (subject->ended)
        return "not recorded: an older triphase wrote it";
    return text_is(subject->outcome, outcome_name(OUTCOME_NONE))
               ? "none yet: it has not ended"
               : "none yet: its worker is gone, and the next command that acts on the target judges it";
}

static void add_line(struct text *out, const struct table_look *look, const char *title, const char *words)
{
    AUTO_TEXT printable = TEXT_INIT, label = TEXT_INIT;
    if (!words || !*words)
        return;
    text_addf(&label, "     %-*s", INDENT - 5, title);
    table_styled(out, look, TABLE_DIM, text_string(&label));
    text_add_printable(&printable, words, strlen(words));
    table_wrapped(out, look, INDENT, text_string(&printable));
    text_add_char(out, '\n');
}

/* The row, and those before it, which did not fit. */
static void add_row(struct text *out, const struct table_look *look, const struct subject *subject)
{
    const struct verdict_table *table = verdict_table(subject->of);
    const struct verdict_row *row = row_of(subject);
    AUTO_TEXT words = TEXT_INIT, before = TEXT_INIT;
    size_t at = row ? (size_t)(row - table->rows) : 0;
    bool last = row && at + 1 == table->count;
    if (subject->verdict)
        text_add(&words, subject->verdict);
    if (last)
        text_addf(&words, ", since none of the %zu before it fitted", at);
    else if (row)
        text_addf(&words, ", number %zu of %zu", at + 1, table->count);
    text_addf(&words, "%s%s", subject->verdict ? ": " : "", means(subject));
    add_line(out, look, "row", text_string(&words));
    for (size_t i = 0; i < at && !last; i++)
        text_addf(&before, "%s%s", i ? ", " : "", table->rows[i].name);
    add_line(out, look, "not", text_string(&before));
}

static void add_subject(struct text *out, const struct table_look *look, const struct subject *subject)
{
    text_add(out, "  ");
    table_printable(out, look, report_outcome_style(subject->outcome), subject->outcome);
    text_add_char(out, '\n');
    add_row(out, look, subject);
    add_line(out, look, "seen", subject->seen);
    if (subject->message && *subject->message) {
        AUTO_TEXT printable = TEXT_INIT;
        text_add_printable_lines(&printable, subject->message, "\n           ");
        table_styled(out, look, TABLE_DIM, "     said  ");
        text_addf(out, "%s\n", text_string(&printable));
    }
}

static void add_acceleration(struct text *out, const struct table_look *look, const struct history_step *step)
{
    AUTO_TEXT words = TEXT_INIT;
    bool usual = !step->accelerated || text_is(step->accelerated, accelerate_name(ACCELERATE_WARM));
    if (usual && !step->accelerated_why)
        return;
    text_addf(&words, "%s%s%s", step->accelerated ? step->accelerated : "",
              step->accelerated_why ? ": " : ", as asked for",
              step->accelerated_why ? step->accelerated_why : "");
    add_line(out, look, "fast", text_string(&words));
}

void explain_view(const struct account *account, const struct table_look *look, struct text *out)
{
    struct subject run = of_run(account);
    report_head(account, look, out);
    text_add(out, "\nrun");
    add_subject(out, look, &run);
    for (size_t i = 0; i < account->step_count; i++) {
        const struct history_step *step = &account->steps[i];
        struct subject subject = of_step(account, step);
        AUTO_TEXT who = TEXT_INIT;
        text_addf(&who, "%3d  ", step->seq);
        text_add_char(out, '\n');
        table_printable(out, look, TABLE_PLAIN, text_string(&who));
        table_printable(out, look, TABLE_BOLD, step->name);
        if (step->attempt > 1)
            text_addf(out, " (attempt %d)", step->attempt);
        add_subject(out, look, &subject);
        add_acceleration(out, look, step);
        if (!text_is(subject.outcome, "ok") && subject.log) {
            AUTO_FREE char *log = xasprintf(".triphase/%s", subject.log);
            add_line(out, look, "log", log);
        }
    }
}

static void set_subject(struct json *object, const struct subject *subject)
{
    const struct verdict_table *table = verdict_table(subject->of);
    const struct verdict_row *row = row_of(subject);
    struct json *before = row ? json_new_array() : json_new_null();
    for (const struct verdict_row *at = row ? table->rows : NULL; at < row; at++)
        json_append(before, json_new_string(at->name));
    json_set_string(object, "outcome", subject->outcome);
    json_set_string(object, "verdict", subject->verdict);
    json_set_string(object, "means", row ? row->means : NULL);
    json_set_string(object, "seen", subject->seen);
    json_set_string(object, "message", subject->message);
    json_set(object, "before", before);
}

struct json *explain_json(const struct account *account)
{
    struct json *object = json_new_object(), *run = json_new_object(), *steps = json_new_array();
    struct subject of_the_run = of_run(account);
    json_set_integer(object, "version", 1);
    json_set_string(run, "id", account->run->id);
    json_set_string(run, "target", account->run->target);
    set_subject(run, &of_the_run);
    for (size_t i = 0; i < account->step_count; i++) {
        const struct history_step *step = &account->steps[i];
        struct json *entry = json_new_object();
        struct subject subject = of_step(account, step);
        json_set_integer(entry, "seq", step->seq);
        json_set_string(entry, "kind", step->kind);
        json_set_string(entry, "name", step->name);
        json_set_integer(entry, "attempt", step->attempt);
        set_subject(entry, &subject);
        json_set_string(entry, "accelerated", step->accelerated);
        json_set_string(entry, "accelerated_why", step->accelerated_why);
        json_append(steps, entry);
    }
    json_set(object, "run", run);
    json_set(object, "steps", steps);
    return object;
}
