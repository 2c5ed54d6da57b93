#include "run/resume.h"

#include "base/id.h"
#include "base/memory.h"
#include "base/text.h"
#include "format/json_words.h"
#include "playbook/used_files.h"
#include "run/intent.h"
#include "run/recovery.h"

#include <string.h>

static void add_once(struct words *words, const char *word)
{
    if (!words_have(words, word))
        words_add(words, word);
}

/* The last step that is not ok, unless it was done again and was. What comes after a phase that was broken
 * off ended no run; where nothing else did, the last step. */
static const struct history_step *ending_step(const struct history_step *steps, size_t count)
{
    const struct history_step *at = NULL, *last = count ? &steps[count - 1] : NULL;
    for (size_t i = 0; i < count; i++) {
        if (recovery_is_look(steps[i].name))
            continue;
        if (!text_is(steps[i].outcome, "ok"))
            at = &steps[i];
        else if (at && text_is(at->name, steps[i].name))
            at = NULL;
        last = &steps[i];
    }
    return at ? at : last;
}

/* What it had begun and what the phase that was broken off owes; rows of the run itself come
 * after what it took over. */
static void read_steps(const struct history_step *steps, size_t count, struct resume *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct history_step *step = &steps[i];
        bool ok = text_is(step->outcome, "ok");
        if (!text_is(step->name, "transport"))
            add_once(&out->begun, step->name);
        if (!text_is(step->kind, "phase"))
            continue;
        free(TAKE(out->owed_at));
        json_free(TAKE(out->owed));
        if (!ok) {
            out->owed_at = xstrdup(step->name);
            out->owed = step->handlers_owed
                            ? json_parse(step->handlers_owed, strlen(step->handlers_owed), NULL)
                            : NULL;
        } else if (!out->partial && !intent_of_phase(out->plan, step->name) &&
                   /* whether that is done the tailnet tells, not its record */
                   !text_is(step->name, json_get_string(out->plan, "bootstrap", NULL))) {
            add_once(&out->unsure, step->name);
        }
    }
}

int resume_find(struct sql *db, const struct history_run *run, struct resume *out, struct error *err)
{
    struct json *plan = run->plan ? json_parse(run->plan, strlen(run->plan), NULL) : NULL;
    const char *does = json_get_string(plan, "does", NULL);
    if (!does) {
        json_free(plan);
        return error_set(err, ERROR_PROJECT,
                         "run %s does not say what it set out to do (it is of an older triphase, or from"
                         " elsewhere): 'triphase create %s' runs all phases",
                         id_shown(run->id), run->target);
    }
    struct history_step *steps = NULL;
    size_t count = 0;
    if (history_steps(db, run->id, &steps, &count, err) < 0) {
        json_free(plan);
        return -1;
    }
    struct resume resume = {.parent = xstrdup(run->id),
                            .root = xstrdup(json_get_string(plan, "root", run->id)),
                            .does = xstrdup(does),
                            .machine_id = xstrdup_or_null(run->machine_id),
                            .extra_digest = xstrdup_or_null(run->extra_digest),
                            .plan = plan,
                            .owed_at = xstrdup_or_null(json_get_string(plan, "owed_at", NULL)),
                            .owed = json_get(plan, "owed") ? json_keep(json_get(plan, "owed")) : NULL,
                            .partial = run->partial,
                            .fresh = run->fresh,
                            .dry_run = json_get_bool(plan, "dry_run"),
                            .check_idempotent = json_get_bool(plan, "check_idempotent"),
                            .keep_state = json_get_bool(plan, "keep_state"),
                            .no_teardown = json_get_bool(plan, "no_teardown")};
    json_words_add(json_get(plan, "chain"), &resume.chain);
    add_once(&resume.chain, resume.root);
    add_once(&resume.chain, run->id);
    json_words_add(json_get(plan, "begun"), &resume.begun);
    json_words_add(json_get(plan, "asked"), &resume.asked);
    json_words_add(json_get(plan, "arguments"), &resume.arguments);
    AUTO_WORDS phases = WORDS_INIT;
    json_words_add(json_get(plan, "phases"), &phases);
    for (size_t i = 0; !run->partial && i < phases.count; i++)
        if (intent_of_phase(plan, phases.items[i]))
            words_add(&resume.done, phases.items[i]);
    read_steps(steps, count, &resume);
    const struct history_step *ending = ending_step(steps, count);
    resume.at = ending ? xstrdup_or_null(ending->name) : NULL;
    resume.at_outcome = ending ? xstrdup_or_null(ending->outcome) : NULL;
    history_steps_free(steps, count);
    *out = resume;
    return 0;
}

void resume_clear(struct resume *resume)
{
    char *const texts[] = {resume->parent, resume->root,       resume->does,         resume->machine_id,
                           resume->at,     resume->at_outcome, resume->extra_digest, resume->owed_at};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        free(texts[i]);
    struct words *const lists[] = {&resume->chain, &resume->done,  &resume->unsure,
                                   &resume->begun, &resume->asked, &resume->arguments};
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        words_clear(lists[i]);
    json_free(resume->plan);
    json_free(resume->owed);
    *resume = (struct resume){0};
}

bool resume_broke_off(const struct history_run *run)
{
    return !text_is(run->outcome, "ok") && !text_is(run->outcome, "skipped");
}

static bool is_there(struct sql *db, const struct history_run *run)
{
    AUTO_MACHINE *machine = NULL;
    return run->machine_id && history_machine(db, run->target, &machine, NULL) == 0 && machine &&
           machine->made_ns && text_is(machine->id, run->machine_id);
}

static bool may_go_on(struct sql *db, const struct history_run *run)
{
    struct history_run *last = NULL;
    if (!run->outcome || run->merged || run->group_id || !resume_broke_off(run) ||
        text_is(run->outcome, "invalid") || !is_there(db, run) ||
        history_last_here(db, run->target, &last, NULL) < 0)
        return false;
    bool is_last = last && text_is(last->id, run->id);
    history_run_free(last);
    return is_last;
}

/* Of a partial run nothing counts as completed; what a run was cancelled behind is not where it goes on. */
static const char *next_step(const struct resume *resume)
{
    if (resume->partial)
        return NULL;
    if (resume->unsure.count)
        return resume->unsure.items[0];
    return resume->at && !words_have(&resume->done, resume->at) ? resume->at : NULL;
}

bool resume_would_go_on(const char *store, const char *run, struct resume *out, const char **step)
{
    AUTO_SQL *db = NULL;
    struct history_run *row = NULL;
    if (history_open(store, &db, NULL) < 0 || history_run(db, run, NULL, &row, NULL) < 0)
        return false;
    struct resume resume = {0};
    bool found = may_go_on(db, row) && resume_find(db, row, &resume, NULL) == 0;
    history_run_free(row);
    if (!found)
        return false;
    if (text_is(resume.does, "destroy")) {
        resume_clear(&resume);
        return false;
    }
    *out = resume;
    *step = next_step(out);
    return true;
}

struct json *resume_plan(const struct resume *resume, const struct target *target,
                         const struct recipe *recipe)
{
    struct intent_request request = {.does = resume->does,
                                     .target = target,
                                     .recipe = recipe,
                                     .asked = words_argv(&resume->asked),
                                     .arguments = words_argv(&resume->arguments),
                                     .partial = resume->partial,
                                     .dry_run = resume->dry_run,
                                     .check_idempotent = resume->check_idempotent,
                                     .keep_state = resume->keep_state,
                                     .no_teardown = resume->no_teardown};
    struct json *plan = intent_new(&request), *done = json_get(plan, "done");
    for (size_t i = 0; i < resume->done.count; i++) {
        const char *phase = resume->done.items[i];
        json_set(done, phase, json_keep(json_get(json_get(resume->plan, "done"), phase)));
    }
    json_set_string(plan, "root", resume->root);
    json_set(plan, "chain", json_words_array(&resume->chain));
    json_set(plan, "begun", json_words_array(&resume->begun));
    if (resume->owed_at)
        json_set_string(plan, "owed_at", resume->owed_at);
    if (resume->owed)
        json_set(plan, "owed", json_keep(resume->owed));
    return plan;
}

void resume_compare(const struct resume *resume, const struct project *project, const struct target *target,
                    struct words *out, struct words *untold)
{
    const struct recipe *recipe = project && target ? project_recipe(project, target->recipe) : NULL;
    if (!recipe)
        return; /* a destroy goes by what was made */
    AUTO_JSON *now = resume_plan(resume, target, recipe);
    intent_compare(resume->plan, now, recipe, out);
    for (size_t i = 0; i < resume->done.count; i++) {
        const char *phase = resume->done.items[i];
        AUTO_WORDS files = WORDS_INIT, may = WORDS_INIT, open = WORDS_INIT;
        used_files_compare(project, intent_of_phase(resume->plan, phase), &files, &may, &open);
        for (size_t f = 0; f < open.count; f++)
            words_addf(untold, "%s: %s", phase, open.items[f]);
        for (size_t f = 0; f < files.count; f++)
            words_addf(out, "%s (used by the phase %s, which is completed)", files.items[f], phase);
        for (size_t f = 0; f < may.count; f++)
            words_addf(out, "%s (may be used by the phase %s, which is completed)", may.items[f], phase);
    }
}
