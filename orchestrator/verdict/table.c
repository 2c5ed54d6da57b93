#include "base/memory.h"
#include "base/text.h"
#include "verdict/tables.h"

#include <string.h>

enum { MESSAGE_LIMIT = 8192 };

static char *printable(const char *message)
{
    AUTO_TEXT out = TEXT_INIT;
    text_add_printable(&out, message, strnlen(message, MESSAGE_LIMIT));
    return text_take(&out);
}

static struct verdict judge(const struct verdict_table *table, const struct evidence *evidence)
{
    const struct verdict_row *row = table->rows;
    while (!row->fits(evidence))
        row++;
    const char *cause = row->seen_cause ? row->seen_cause(evidence) : NULL;
    AUTO_FREE char *message = row->say ? row->say(evidence) : NULL;
    AUTO_TEXT seen = TEXT_INIT;
    table->see(evidence, &seen);
    return (struct verdict){.outcome = row->outcome ? row->outcome : table->seen_outcome(evidence),
                            .cause = xstrdup_or_null(cause ? cause : row->cause),
                            .message = message && table->quotes ? printable(message) : TAKE(message),
                            .row = row->name,
                            .seen = printable(text_string(&seen))};
}

struct verdict verdict_of_phase(const struct evidence *evidence)
{
    return judge(&verdict_table_of_phases, evidence);
}

struct verdict verdict_of_stage(const struct evidence *evidence)
{
    return judge(&verdict_table_of_stages, evidence);
}

struct verdict verdict_of_run(const struct run_standing *standing)
{
    return judge(&verdict_table_of_runs, &(struct evidence){.run = standing});
}

void verdict_clear(struct verdict *verdict)
{
    free(verdict->cause);
    free(verdict->message);
    free(verdict->seen);
    free(verdict->found);
    *verdict = (struct verdict){0};
}

const struct verdict_table *verdict_table(const char *of)
{
    static const struct verdict_table *const all[] = {&verdict_table_of_phases, &verdict_table_of_stages,
                                                      &verdict_table_of_runs};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (text_is(of, all[i]->of))
            return all[i];
    return NULL;
}

int verdict_row_at(const struct verdict_table *table, const char *name)
{
    for (size_t i = 0; name && i < table->count; i++)
        if (text_is(name, table->rows[i].name))
            return (int)i;
    return -1;
}
