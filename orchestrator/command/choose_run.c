#include "command/choose_run.h"

#include "action/reconcile.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"

static int choose(struct sql *db, const char *word, bool here, struct history_run **out, struct error *err)
{
    AUTO_WORDS targets = WORDS_INIT;
    if (history_targets(db, &targets, err) < 0)
        return -1;
    if (!words_have(&targets, word)) {
        if (history_run(db, word, NULL, out, err) == 0)
            return 0;
        return err && err->kind == ERROR_USAGE
                   ? error_prefix(err, "'%s' is neither a target that was ever made nor a run", word)
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

int choose_shown_run(struct sql *db, const char *word, const char *target, struct history_run **out,
                     struct error *err)
{
    if (word)
        return choose(db, word, false, out, err);
    struct history_run *run;
    if (history_run(db, NULL, target, &run, err) < 0)
        return -1;
    if (!run)
        return error_set(err, ERROR_USAGE, "no run%s%s yet; 'triphase create' makes one",
                         target ? " of " : "", target ? target : "");
    *out = run;
    return 0;
}

int choose_active_run(struct sql *db, bool dead, struct history_run **out, struct error *err)
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
        text_addf(&names, "%s%s (%s)", count++ ? ", " : "", open[i]->id, open[i]->target);
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
