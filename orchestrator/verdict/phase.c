/* Attempts of a phase. The order of the rows is the contract's. */
#include "base/memory.h"
#include "base/text.h"
#include "verdict/tables.h"

#include <string.h>

/* The line of the log that says most: the last one with ERROR in it (without Ansible's tag), else the last
 * one that is not empty. malloc'ed. */
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

/* One whose end has an outcome of its own. */
static bool by_watchdog(const struct evidence *e)
{
    return ended_by_watchdog(e->by)->outcome != NULL;
}

/* All tasks had ended before we ended it: how its process went then says nothing. */
static bool stayed(const struct evidence *e)
{
    return e->by == ENDED_BY_STAYING;
}

static bool confirm_became(const struct evidence *e, enum confirm_became became)
{
    return e->confirm && e->confirm->became == became;
}

static bool rolled_back(const struct evidence *e)
{
    return confirm_became(e, CONFIRM_BECAME_BACK);
}

static bool unarmed(const struct evidence *e)
{
    return confirm_became(e, CONFIRM_BECAME_UNARMED);
}

static bool unarmed_no_way(const struct evidence *e)
{
    return confirm_became(e, CONFIRM_BECAME_NO_WAY);
}

static bool not_back(const struct evidence *e)
{
    return confirm_became(e, CONFIRM_BECAME_OPEN);
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

/* A failure that was rescued, and that Ansible counts for all hosts nevertheless. */
static bool left_out(const struct evidence *e)
{
    return e->tally->never_ran > 0;
}

/* Of a phase that only looks. */
static bool changed(const struct evidence *e)
{
    return e->only_looks && e->tally->changed > 0;
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

static char *say_signal(const struct evidence *e)
{
    AUTO_FREE char *how = child_end_text(e->end), *where = ended_say_where(e);
    return xasprintf("ansible-playbook %s %s", how, where);
}

static char *say_confirm(const struct evidence *e)
{
    return xstrdup_or_null(e->confirm->words);
}

static const char *confirm_cause(const struct evidence *e)
{
    return e->confirm->cause;
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

static char *say_left_out(const struct evidence *e)
{
    const struct tally *t = e->tally;
    AUTO_FREE char *more =
        t->never_ran > 1 ? xasprintf("; so it is with %lld more", (long long)t->never_ran - 1) : xstrdup("");
    return xasprintf("%s %s%s", t->never_ran_host, t->never_ran_text ? t->never_ran_text : "never ran", more);
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

static const char *path_cause(const struct evidence *e)
{
    return e->path_cause;
}

/* Outcome and cause of an end by a watchdog stand in the watchdog's own row. */
static enum outcome watchdog_outcome(const struct evidence *e)
{
    return OUTCOME_OF_WATCHDOG + (enum outcome)(e->by - ENDED_BY_WATCHDOG);
}

static const char *watchdog_cause(const struct evidence *e)
{
    bool of_path = e->by == ENDED_BY_TRANSPORT && e->path_cause;
    return of_path ? e->path_cause : ended_by_watchdog(e->by)->cause;
}

static void see_count(struct text *out, int64_t count, const char *one, const char *many)
{
    text_addf(out, ", %lld %s", (long long)count, count == 1 ? one : many);
}

static void see_record(const struct tally *t, struct text *out)
{
    see_count(out, t->lines, "event line", "event lines");
    if (t->end)
        text_add(out, ", end seen");
    else
        text_add(out, t->lines ? ", no end" : "");
    if (t->end && t->end_count != t->lines - 1)
        text_addf(out, " after %lld by its own count", (long long)t->end_count);
    if (t->bad)
        see_count(out, t->bad, "unreadable line", "unreadable lines");
    if (t->gap)
        text_add(out, ", a gap");
}

static void see(const struct evidence *e, struct text *out)
{
    const struct tally *t = e->tally;
    int64_t failures = t->stats_failures < 0 ? t->failed : t->stats_failures;
    AUTO_JSON *owed = tally_owed(t, false);
    ended_see(e, out);
    if (!t->play_starts)
        text_add(out, ", no play began");
    else if (!t->matched)
        text_add(out, ", no host matched a play");
    else
        see_count(out, t->lost, "host lost", "hosts lost");
    if (t->lost_beyond)
        see_count(out, t->lost_beyond, "host beyond lost", "hosts beyond lost");
    if (t->matched)
        see_count(out, failures, "task failed", "tasks failed");
    if (e->only_looks)
        see_count(out, t->changed, "task changed", "tasks changed");
    if (t->never_ran)
        see_count(out, t->never_ran, "host never ran", "hosts never ran");
    if (owed)
        see_count(out, (int64_t)json_count(owed), "handler owed", "handlers owed");
    if (t->refused)
        text_add(out, ", refused by the callback");
    see_record(t, out);
    static const char *const became[] = {[CONFIRM_BECAME_UNARMED] = "its way back not armed",
                                         [CONFIRM_BECAME_NO_WAY] = "its way back not armed",
                                         [CONFIRM_BECAME_ARMED] = "its way back armed",
                                         [CONFIRM_BECAME_CONFIRMED] = "confirmed",
                                         [CONFIRM_BECAME_BACK] = "put back by the host",
                                         [CONFIRM_BECAME_OPEN] = "neither confirmed nor seen put back"};
    if (e->confirm && e->confirm->became)
        text_addf(out, ", %s", became[e->confirm->became]);
}

static char *say_changed(const struct evidence *e)
{
    const struct tally *t = e->tally;
    AUTO_FREE char *more =
        t->changed > 1 ? xasprintf(", and %lld more", (long long)t->changed - 1) : xstrdup("");
    return xasprintf("task '%s' changed something on %s%s%s%s; a phase of 'verify' only looks: say "
                     "'changed_when: false' of what changes nothing, and do the rest in a phase",
                     t->changed_task ? t->changed_task : "?", t->changed_host ? t->changed_host : "a host",
                     t->changed_path ? " at " : "", t->changed_path ? t->changed_path : "", more);
}

static const struct verdict_row rows[] = {
    {"died", ended_by_death, OUTCOME_CRASHED, NULL, "triphase itself died while it ran", ended_say_death,
     NULL},
    {"rolled-back", rolled_back, OUTCOME_ROLLED_BACK, NULL,
     "no new connection proved the way in in time, and the host put itself back (confirm)", say_confirm,
     confirm_cause},
    {"cancelled", ended_by_cancel, OUTCOME_CANCELLED, NULL, "the run was cancelled while it ran",
     ended_say_where, NULL},
    {"watchdog", by_watchdog, OUTCOME_NONE, NULL, "a watchdog struck, and the outcome is called after it",
     ended_say_more, watchdog_cause},
    {"unarmed-no-way", unarmed_no_way, OUTCOME_UNREACHABLE, "not-armed",
     "there was no way to the host over which its state could be kept (confirm)", say_confirm, NULL},
    {"not-armed", unarmed, OUTCOME_FAILED, "not-armed",
     "the host cannot keep its state, so that the phase was not begun (confirm)", say_confirm, NULL},
    {"not-back", not_back, OUTCOME_UNREACHABLE, "not-back",
     "its way in was not proven, and the host did not answer after its time either (confirm)", say_confirm,
     NULL},
    {"out-of-memory", oom, OUTCOME_CHILD_CRASHED, "oom",
     "its process was killed while the kernel ran out of memory", say_signal, NULL},
    {"signalled", signalled, OUTCOME_CHILD_CRASHED, "signal", "a signal that was not ours ended its process",
     say_signal, NULL},
    {"not-started", never_started, OUTCOME_CHILD_CRASHED, "not-started", "its process could not be started",
     say_not_started, NULL},
    {"refused", refused, OUTCOME_INVALID, "refused",
     "the callback refused it: a connection variable, or a host beyond the target", say_refused, NULL},
    {"no-play", never_began, OUTCOME_INVALID, "not-started",
     "no play began, and Ansible did not say that it ended", say_log, NULL},
    {"no-hosts", no_hosts, OUTCOME_INVALID, "no-hosts", "no host matched any play", say_no_hosts, NULL},
    {"aborted", failed_without_end, OUTCOME_FAILED, OUTCOME_CAUSE_ABORTED,
     "Ansible gave up within a play: exit code 1, 2 or 4, and no end", say_log, NULL},
    {"no-end", without_end, OUTCOME_CHILD_CRASHED, "no-end", "the record of its events has no end", say_log,
     NULL},
    {"lost-hosts", lost, OUTCOME_UNREACHABLE, NULL, "a host was UNREACHABLE and took no further part",
     say_lost, path_cause},
    {"failed-tasks", failed, OUTCOME_FAILED, NULL, "a task failed, and was neither rescued nor ignored",
     say_failed, NULL},
    {"host-beyond", lost_beyond, OUTCOME_FAILED, "host-beyond",
     "a host beyond the target and its peers was UNREACHABLE", say_lost_beyond, NULL},
    {"events-incomplete", incomplete, OUTCOME_FAILED, "events-incomplete",
     "the record of its events has a gap, an unreadable line or a wrong count", say_incomplete, NULL},
    {"handlers-lost", owing, OUTCOME_FAILED, "handlers-lost", "handlers of an earlier attempt never ran",
     say_owing, NULL},
    {"left-out", left_out, OUTCOME_FAILED, "left-out",
     "a play left hosts out, and no task that counts as failed says why", say_left_out, NULL},
    {"changed", changed, OUTCOME_FAILED, "changed",
     "it is a phase of verify, which only looks, and a task of it changed something", say_changed, NULL},
    {"exit-code", strange_code, OUTCOME_CHILD_CRASHED, "exit-code",
     "the exit code of Ansible is not 0, and no event says why", say_log, NULL},
    {"did-not-leave", stayed, OUTCOME_OK, "did-not-leave",
     "all its tasks had ended, but its process had to be ended", say_warnings, NULL},
    {"handlers-dropped", dropped, OUTCOME_OK, "handlers-dropped", "handlers were notified and never ran",
     say_warnings, NULL},
    {"ok", verdict_always, OUTCOME_OK, NULL, "its record is whole, and nothing in it went wrong", NULL, NULL},
};

const struct verdict_table verdict_table_of_phases = {"phase",          rows, COUNT_OF(rows), true,
                                                      watchdog_outcome, see};
