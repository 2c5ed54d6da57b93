/* Attempts that did not come to their own end, of a phase or of a stage: who ended them,
 * and at what they were then. */
#include "base/memory.h"
#include "verdict/tables.h"

bool ended_by_death(const struct evidence *e)
{
    return e->by == ENDED_BY_DEATH;
}

bool ended_by_cancel(const struct evidence *e)
{
    return e->by == ENDED_BY_CANCEL;
}

const struct watchdog_facts *ended_by_watchdog(enum ended_by by)
{
    static const struct watchdog_facts none = {0};
    const struct watchdog_facts *row =
        by >= ENDED_BY_WATCHDOG ? watchdog_facts(by - ENDED_BY_WATCHDOG) : NULL;
    return row ? row : &none;
}

bool ended_by_deadline(const struct evidence *e)
{
    return e->by == ENDED_BY_DEADLINE;
}

bool verdict_always(const struct evidence *e)
{
    (void)e;
    return true;
}

char *ended_say_where(const struct evidence *e)
{
    const struct tally *tally = e->tally;
    if (!tally->task)
        return xstrdup("before any task");
    return xasprintf("in task '%s'%s%s%s%s", tally->task, tally->task_host ? " on " : "",
                     tally->task_host ? tally->task_host : "", tally->task_path ? " at " : "",
                     tally->task_path ? tally->task_path : "");
}

char *ended_say_more(const struct evidence *e)
{
    AUTO_FREE char *where = ended_say_where(e);
    const char *words = ended_by_watchdog(e->by)->words;
    return xasprintf("%s%s%s%s%s%s%s", words ? words : "", words ? " " : "", where, e->path_words ? ": " : "",
                     e->path_words ? e->path_words : "",
                     e->looked_at ? "; what was going on: triphase events " : "",
                     e->looked_at ? e->looked_at : "");
}

char *ended_say_death(const struct evidence *e)
{
    return xasprintf("triphase itself died%s%s", e->tally->task ? " during task " : "",
                     e->tally->task ? e->tally->task : "");
}

void ended_see(const struct evidence *e, struct text *out)
{
    const char *watchdog = ended_by_watchdog(e->by)->outcome;
    if (e->by == ENDED_BY_DEATH) {
        text_add(out, "triphase died, so that nobody saw how its process ended");
        return;
    }
    if (e->by == ENDED_BY_CANCEL)
        text_add(out, "ended by a cancel, ");
    else if (e->by == ENDED_BY_ROLLBACK)
        text_add(out, "ended since the host had put itself back, ");
    else if (e->by == ENDED_BY_STAYING)
        text_add(out, "ended since it did not leave, ");
    else if (watchdog)
        text_addf(out, "ended by a watchdog (%s), ", watchdog);
    if (!e->end->exited)
        text_addf(out, "signal %d", e->end->signal);
    else if (e->end->code < 0)
        text_add(out, "its process never ran");
    else
        text_addf(out, "exit code %d", e->end->code);
    if (e->out_of_memory)
        text_add(out, ", the kernel ran out of memory");
}
