#include "command/choose_run.h"

#include "base/id.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"
#include "config/fault.h"
#include "control/reconcile.h"

static int choose(struct sql *db, const char *word, bool here, struct history_run **out, struct error *err)
{
    AUTO_WORDS targets = WORDS_INIT;
    if (history_targets(db, &targets, err) < 0)
        return -1;
    if (!words_have(&targets, word)) {
        if (history_run(db, word, NULL, out, err) == 0)
            return 0;
        AUTO_FREE char *shown = text_shown(word), *instead = fault_instead(word, words_argv(&targets));
        return err && err->kind == ERROR_USAGE
                   ? error_set(err, ERROR_USAGE,
                               "'%s' is neither a target that was ever made nor a run of the store%s", shown,
                               instead)
                   : -1;
    }
    if ((here ? history_last_here(db, word, out, err) : history_run(db, NULL, word, out, err)) < 0)
        return -1;
    return *out ? 0
                : error_set(err, ERROR_USAGE, "there is no run of %s in the store%s", word,
                            here ? " that was made here" : "");
}

int choose_run(struct sql *db, const char *word, struct history_run **out, struct error *err)
{
    return choose(db, word, true, out, err);
}

static int say_none(struct sql *db, const char *target, struct error *err)
{
    AUTO_WORDS targets = WORDS_INIT;
    if (!target)
        return error_set(err, ERROR_USAGE, "no run yet; 'triphase create' makes one");
    if (history_targets(db, &targets, err) < 0)
        return -1;
    AUTO_FREE char *shown = text_shown(target), *instead = words_have(&targets, target)
                                                               ? xstrdup("")
                                                               : fault_instead(target, words_argv(&targets));
    return error_set(err, ERROR_USAGE, "no run of '%s' yet%s", shown,
                     *instead ? instead : "; 'triphase create' makes one");
}

int choose_run_shown(struct sql *db, const char *word, const char *target, struct history_run **out,
                     struct error *err)
{
    if (word)
        return choose(db, word, false, out, err);
    struct history_run *run;
    if (history_run(db, NULL, target, &run, err) < 0)
        return -1;
    if (!run)
        return say_none(db, target, err);
    *out = run;
    return 0;
}

int choose_run_last(struct sql *db, const char *word, const char *target, int last, struct history_run ***out,
                    struct error *err)
{
    AUTO_WORDS targets = WORDS_INIT;
    struct history_run **runs;
    if (history_targets(db, &targets, err) < 0)
        return -1;
    struct history_run *one;
    if (word && !words_have(&targets, word) && history_run(db, word, NULL, &one, NULL) == 0) {
        history_run_free(one);
        return error_set(err, ERROR_USAGE, "'%s' is one run: --last counts the runs of a target, or of all",
                         word);
    }
    target = word ? word : target;
    if (history_last_runs(db, target, last, &runs, err) < 0)
        return -1;
    if (!runs[0]) {
        history_runs_free(runs);
        return say_none(db, target, err);
    }
    *out = runs;
    return 0;
}

int choose_run_active(struct sql *db, bool dead, struct history_run **out, struct error *err)
{
    struct history_run **open = NULL;
    if (history_open_runs(db, NULL, &open, err) < 0)
        return -1;
    size_t count = 0, at = 0;
    AUTO_TEXT names = TEXT_INIT;
    for (size_t i = 0; open[i]; i++) {
        struct reconcile_look look = reconcile_look(open[i]);
        if (!look.alive && !(dead && !look.elsewhere))
            continue;
        text_addf(&names, "%s%s (%s)", count++ ? ", " : "", id_shown(open[i]->id), open[i]->target);
        at = i;
    }
    int status = 0;
    if (count > 1) {
        status = error_set(err, ERROR_USAGE, "several runs go on: %s; name one, or its target",
                           text_string(&names));
    } else {
        *out = NULL;
        if (count) {
            *out = open[at];
            for (; open[at]; at++)
                open[at] = open[at + 1];
        }
    }
    history_runs_free(open);
    return status;
}
