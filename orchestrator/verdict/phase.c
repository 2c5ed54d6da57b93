#include "verdict/verdict.h"

#include "base/memory.h"
#include "base/text.h"

#include <string.h>

enum { MESSAGE_LIMIT = 8192 };

/* The line of the log that says most: the last one with ERROR in it (without Ansible's tag), else the last one that is not empty. malloc'ed. */
static char *telling_line(const char *log)
{
    const char *best = "", *last = "";
    size_t best_length = 0, last_length = 0;
    for (const char *at = log; *at;) {
        size_t length = strcspn(at, "\n");
        if (length) {
            last = at;
            last_length = length;
            if (memmem(at, length, "ERROR", 5)) {
                best = at;
                best_length = length;
            }
        }
        at += length + (at[length] == '\n');
    }
    if (!best_length) {
        best = last;
        best_length = last_length;
    }
    AUTO_TEXT out = TEXT_INIT;
    text_add_printable(&out, best, best_length > 500 ? 500 : best_length);
    return text_take(&out);
}

static char *at_task(const struct tally *tally)
{
    if (!tally->task)
        return xstrdup("before any task");
    return xasprintf("in task '%s'%s%s%s%s", tally->task, tally->task_host ? " on " : "",
                     tally->task_host ? tally->task_host : "", tally->task_path ? " at " : "",
                     tally->task_path ? tally->task_path : "");
}

const struct watchdog_facts *ended_by_watchdog(enum ended_by by)
{
    static const struct watchdog_facts none = {0};
    const struct watchdog_facts *row =
        by >= ENDED_BY_WATCHDOG ? watchdog_facts(by - ENDED_BY_WATCHDOG) : NULL;
    return row ? row : &none;
}

/* One whose end has an outcome of its own. */
static bool by_watchdog(const struct evidence *e)
{
    return ended_by_watchdog(e->by)->outcome != NULL;
}

static bool by_cancel(const struct evidence *e)
{
    return e->by == ENDED_BY_CANCEL;
}

/* All tasks had ended before we ended it: how its process went then says nothing. */
static bool stayed(const struct evidence *e)
{
    return e->by == ENDED_BY_STAYING;
}

static bool oom(const struct evidence *e)
{
    return !stayed(e) && !e->end->exited && e->end->signal == 9 && e->out_of_memory;
}

static bool signalled(const struct evidence *e)
{
    return !stayed(e) && !e->end->exited;
}

/* What went wrong here, before there was a child, is nothing that the project says. */
static bool never_started(const struct evidence *e)
{
    return e->end->exited && e->end->code < 0;
}

static bool refused(const struct evidence *e)
{
    return e->tally->refused != NULL;
}

static bool never_began(const struct evidence *e)
{
    return !e->tally->play_starts && !e->tally->end;
}

static bool no_hosts(const struct evidence *e)
{
    return e->tally->end && !e->tally->matched;
}

static bool failed_without_end(const struct evidence *e)
{
    return !e->tally->end && (e->end->code == 1 || e->end->code == 2 || e->end->code == 4);
}

static bool without_end(const struct evidence *e)
{
    return !e->tally->end;
}

static bool lost(const struct evidence *e)
{
    return tally_lost_hosts(e->tally) > 0;
}

static bool failed(const struct evidence *e)
{
    return e->tally->stats_failures > 0 || (e->tally->stats_failures < 0 && e->tally->failed > 0);
}

static bool lost_beyond(const struct evidence *e)
{
    return e->tally->lost_beyond > 0;
}

static bool incomplete(const struct evidence *e)
{
    return e->tally->gap || e->tally->bad || e->tally->end_count != e->tally->lines - 1;
}

static bool owing(const struct evidence *e)
{
    AUTO_JSON *owed = e->lost_handlers_warn ? NULL : tally_owed(e->tally, true);
    return owed != NULL;
}

static bool strange_code(const struct evidence *e)
{
    return !stayed(e) && e->end->code != 0;
}

/* What `end_play` and `end_host` throw away, or the phase takes. */
static bool dropped(const struct evidence *e)
{
    AUTO_JSON *owed = tally_owed(e->tally, false);
    return owed != NULL;
}

static bool always(const struct evidence *e)
{
    (void)e;
    return true;
}

static char *say_where(const struct evidence *e)
{
    return at_task(e->tally);
}

/* Where it was ended, what the connection was like, and where more is to be read. */
static char *say_ended(const struct evidence *e)
{
    AUTO_FREE char *where = at_task(e->tally);
    const char *words = ended_by_watchdog(e->by)->words;
    return xasprintf("%s%s%s%s%s%s%s", words ? words : "", words ? " " : "", where, e->path_words ? ": " : "",
                     e->path_words ? e->path_words : "",
                     e->looked_at ? "; what was going on: triphase events " : "",
                     e->looked_at ? e->looked_at : "");
}

static char *say_signal(const struct evidence *e)
{
    AUTO_FREE char *how = child_end_text(e->end), *where = at_task(e->tally);
    return xasprintf("ansible-playbook %s %s", how, where);
}

static char *say_refused(const struct evidence *e)
{
    return xstrdup(e->tally->refused);
}

static char *say_log(const struct evidence *e)
{
    AUTO_FREE char *how = child_end_text(e->end), *line = telling_line(e->log_tail);
    return xasprintf("ansible-playbook %s: %s", how, *line ? line : "it said nothing");
}

static char *say_not_started(const struct evidence *e)
{
    AUTO_FREE char *line = telling_line(e->log_tail);
    return xasprintf("ansible-playbook could not be started: %s", *line ? line : "nothing says why");
}

static char *say_no_hosts(const struct evidence *e)
{
    (void)e;
    return xstrdup(
        "no host matched any play: compare `hosts:` with the names and groups of `triphase inventory`");
}

/* Whom an end takes along. malloc'ed; "" for nobody. */
static char *never_ran(const struct tally *t)
{
    if (!t->never_ran)
        return xstrdup("");
    return t->never_ran == 1
               ? xasprintf("; %s never ran", t->never_ran_host)
               : xasprintf("; %s and %lld more never ran", t->never_ran_host, (long long)t->never_ran - 1);
}

static char *say_lost(const struct evidence *e)
{
    const struct tally *t = e->tally;
    AUTO_FREE char *rest = never_ran(t);
    return xasprintf("%s was UNREACHABLE in task '%s': %s%s%s%s", t->lost_host ? t->lost_host : "a host",
                     t->lost_task ? t->lost_task : "?",
                     t->lost_text && *t->lost_text ? t->lost_text : "ssh gave no reason",
                     e->path_words ? "; " : "", e->path_words ? e->path_words : "", rest);
}

static char *say_lost_beyond(const struct evidence *e)
{
    const struct tally *t = e->tally;
    return xasprintf(
        "%s was UNREACHABLE in task '%s': %s; the host that was meant is beyond the target and its "
        "peers, so the target is not looked at and the phase is not tried again (beyond: allow makes "
        "it the phase's own)",
        t->lost_host ? t->lost_host : "a host", t->lost_task ? t->lost_task : "?",
        t->lost_text && *t->lost_text ? t->lost_text : "ssh gave no reason");
}

static char *say_failed(const struct evidence *e)
{
    const struct tally *t = e->tally;
    if (!t->failed_task)
        return xasprintf("%lld task(s) failed", (long long)t->stats_failures);
    AUTO_FREE char *rest = never_ran(t);
    return xasprintf("task '%s' failed on %s%s%s: %s%s", t->failed_task,
                     t->failed_host ? t->failed_host : "?", t->failed_path ? " at " : "",
                     t->failed_path ? t->failed_path : "",
                     t->failed_text ? t->failed_text : "its message is censored or empty", rest);
}

static char *say_incomplete(const struct evidence *e)
{
    return xasprintf("the event record is not whole (%lld lines, %lld unreadable, end says %lld%s), so "
                     "nothing proves that all went well; "
                     "see the step's log",
                     (long long)e->tally->lines, (long long)e->tally->bad, (long long)e->tally->end_count,
                     e->tally->gap ? ", a gap" : "");
}

static void add_handlers(struct text *out, const struct evidence *e, bool earlier)
{
    AUTO_JSON *owed = tally_owed(e->tally, earlier);
    for (size_t i = 0; i < json_count(owed); i++)
        text_addf(out, "%s '%s' on %s", i ? "," : "", json_get_string(json_at(owed, i), "handler", "?"),
                  json_get_string(json_at(owed, i), "host", "?"));
}

static char *say_owing(const struct evidence *e)
{
    AUTO_TEXT out = TEXT_INIT;
    text_add(&out, "handlers notified in an earlier attempt never ran:");
    add_handlers(&out, e, true);
    text_add(&out, "; restart what they would have, or set lost_handlers: warn");
    return text_take(&out);
}

/* Of what went well nevertheless. */
static char *say_warnings(const struct evidence *e)
{
    AUTO_TEXT out = TEXT_INIT;
    if (stayed(e))
        text_addf(&out,
                  "all its tasks had ended, but ansible-playbook did not leave and was ended: a callback or "
                  "another plugin held it%s%s",
                  e->looked_at ? "; what was going on: triphase events " : "",
                  e->looked_at ? e->looked_at : "");
    if (dropped(e)) {
        text_add(&out, stayed(e) ? "; handlers that were notified never ran:"
                                 : "handlers that were notified never ran:");
        add_handlers(&out, e, false);
        text_add(&out, "; run what they would have: the next run changes nothing, and notifies nobody");
    }
    return text_take(&out);
}

/* The first row that fits. The order is the contract's. Outcome and cause of an end by a watchdog stand in the watchdog's own row. */
static const struct {
    bool (*seen)(const struct evidence *);
    enum outcome outcome;
    const char *cause;
    char *(*say)(const struct evidence *);
} table[] = {
    {by_cancel, OUTCOME_CANCELLED, NULL, say_where},
    {by_watchdog, OUTCOME_OF_WATCHDOG, NULL, say_ended},
    {oom, OUTCOME_CHILD_CRASHED, "oom", say_signal},
    {signalled, OUTCOME_CHILD_CRASHED, "signal", say_signal},
    {never_started, OUTCOME_CHILD_CRASHED, "not-started", say_not_started},
    {refused, OUTCOME_INVALID, "refused", say_refused},
    {never_began, OUTCOME_INVALID, "not-started", say_log},
    {no_hosts, OUTCOME_INVALID, "no-hosts", say_no_hosts},
    {failed_without_end, OUTCOME_FAILED, OUTCOME_CAUSE_ABORTED, say_log},
    {without_end, OUTCOME_CHILD_CRASHED, "no-end", say_log},
    {lost, OUTCOME_UNREACHABLE, NULL, say_lost},
    {failed, OUTCOME_FAILED, NULL, say_failed},
    {lost_beyond, OUTCOME_FAILED, "host-beyond", say_lost_beyond},
    {incomplete, OUTCOME_FAILED, "events-incomplete", say_incomplete},
    {owing, OUTCOME_FAILED, "handlers-lost", say_owing},
    {strange_code, OUTCOME_CHILD_CRASHED, "exit-code", say_log},
    {stayed, OUTCOME_OK, "did-not-leave", say_warnings},
    {dropped, OUTCOME_OK, "handlers-dropped", say_warnings},
    {always, OUTCOME_OK, NULL, NULL},
};

/* Messages quote what playbooks and hosts say. */
static char *printable(const char *message)
{
    AUTO_TEXT out = TEXT_INIT;
    text_add_printable(&out, message, strnlen(message, MESSAGE_LIMIT));
    return text_take(&out);
}

struct verdict verdict_of_phase(const struct evidence *evidence)
{
    size_t row = 0;
    while (!table[row].seen(evidence))
        row++;
    bool watchdog = table[row].seen == by_watchdog;
    enum outcome outcome = watchdog ? OUTCOME_OF_WATCHDOG + (enum outcome)(evidence->by - ENDED_BY_WATCHDOG)
                                    : table[row].outcome;
    const char *cause = watchdog ? ended_by_watchdog(evidence->by)->cause : table[row].cause;
    bool of_path = outcome == OUTCOME_TRANSPORT_LOST || table[row].seen == lost;
    if (of_path && evidence->path_cause)
        cause = evidence->path_cause;
    AUTO_FREE char *message = table[row].say ? table[row].say(evidence) : NULL;
    return (struct verdict){outcome, xstrdup_or_null(cause), message ? printable(message) : NULL};
}

void verdict_free(struct verdict *verdict)
{
    free(verdict->cause);
    free(verdict->message);
    *verdict = (struct verdict){OUTCOME_NONE, NULL, NULL};
}
