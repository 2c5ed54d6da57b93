/* triphase cancel [RUN|TARGET]: ends a run from elsewhere, and says when nothing of it is left. */
#include "control/cancel.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "command/choose_run.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/options.h"
#include "command/put_in_order.h"
#include "command/store_access.h"
#include "config/layout.h"
#include "control/reconcile.h"
#include "control/running.h"
#include "view/help.h"
#include "view/run_view.h"

#include <unistd.h>

/* In order: as long as a step's grace may be. At once: until the worker itself counts as stuck. */
enum { ORDERLY_S = 120, AT_ONCE_S = 15 };

struct ended {
    const char *run, *target, *outcome; /* NULL: no run */
    int64_t took_ns;                    /* -1: it was not this command that ended it */
    bool unlooked;                      /* nobody could look at its host */
    int exit_code;                      /* of the run; -1: none */
};

static int tell(const struct ended *ended, bool json)
{
    if (json) {
        AUTO_JSON *document = json_new_object();
        json_set_integer(document, "version", 1);
        struct json *run = json_new_null();
        if (ended->run) {
            json_free(run);
            run = json_new_object();
            json_set_string(run, "id", ended->run);
            json_set_string(run, "target", ended->target);
            json_set_string(run, "outcome", ended->outcome);
            json_set(run, "exit",
                     ended->exit_code < 0 ? json_new_null() : json_new_integer(ended->exit_code));
            json_set(run, "took_ms",
                     ended->took_ns < 0 ? json_new_null()
                                        : json_new_real((double)ended->took_ns / (double)NS_PER_MS));
        }
        json_set(document, "run", run);
        return run_view_json(document) < 0 ? EXIT_INTERNAL : EXIT_OK;
    }
    AUTO_FREE char *took = ended->took_ns < 0 ? NULL : duration_show(ended->took_ns);
    if (!ended->run)
        help_note("nothing runs");
    else if (took)
        help_note("%s: run %s ended as %s; nothing of it is left here after %s%s", ended->target,
                  id_shown(ended->run), ended->outcome, took,
                  ended->unlooked ? "; its host is looked at by the next run" : "");
    else
        help_note("%s: run %s has ended as %s; there is nothing to cancel", ended->target,
                  id_shown(ended->run), ended->outcome);
    return EXIT_OK;
}

/* Its row as it is now; one whose worker died is put in order first, as by every command that acts. */
static int take_end(const char *state, const char *store, struct history_run **run, struct error *err)
{
    for (int settled = 0;; settled++) {
        AUTO_SQL *db = NULL;
        struct history_run *now = NULL;
        if (history_open(store, &db, err) < 0 || history_run(db, (*run)->id, NULL, &now, err) < 0)
            return -1;
        history_run_free(*run);
        *run = now;
        if (now->outcome)
            return 0;
        if (settled)
            return error_set(err, ERROR_STORE, "run %s has no end in the store, and its worker is gone",
                             id_shown(now->id));
        sql_cleanup(&db);
        db = NULL;
        if (put_in_order(state, now->target, err) < 0)
            return -1;
    }
}

static int cancel(const char *state, struct history_run **run, bool now, struct ended *out, struct error *err)
{
    AUTO_FREE char *store = layout_store(state);
    struct child worker = CHILD_INIT;
    int64_t begin = moment_monotonic();
    bool had_ended = (*run)->outcome != NULL, died = false;
    int found = running_find(state, *run, &worker, err);
    if (found > 0) {
        cancel_tell(&worker, now);
        help_note("%s: run %s is %s", (*run)->target, id_shown((*run)->id),
                  now ? "ended at once" : "asked to end; a second cancel, or --now, ends it at once");
        found = cancel_wait(state, *run, &worker, (now ? AT_ONCE_S : ORDERLY_S) * NS_PER_S, now, err);
        child_close(&worker);
    } else {
        died = found == 0;
    }
    if (found < 0 || take_end(state, store, run, err) < 0)
        return error_prefix(err, "%s: run %s", (*run)->target, id_shown((*run)->id));
    *out = (struct ended){.run = (*run)->id,
                          .target = (*run)->target,
                          .outcome = (*run)->outcome,
                          .took_ns = had_ended ? -1 : moment_monotonic() - begin,
                          .unlooked = now || died,
                          .exit_code = (*run)->exit_code};
    return 0;
}

static int choose(struct sql *db, const char *word, struct history_run **run, struct error *err)
{
    if (word ? choose_run(db, word, run, err) < 0 : choose_run_active(db, true, run, err) < 0)
        return -1;
    if (!*run || (*run)->outcome || !reconcile_look(*run).elsewhere)
        return 0;
    error_set(err, ERROR_USAGE, "run %s of %s began on another machine or boot (%s): it is left as it is",
              id_shown((*run)->id), (*run)->target, (*run)->node ? (*run)->node : "unknown");
    history_run_free(TAKE(*run));
    return -1;
}

static int act(const struct command_context *context, const char *word, bool now, bool json,
               struct error *err)
{
    AUTO_FREE char *state = store_access_state(context, err);
    if (!state)
        return exit_code_of(err);
    AUTO_FREE char *store = layout_store(state);
    struct history_run *run = NULL;
    struct ended ended = {.took_ns = -1, .exit_code = -1};
    AUTO_SQL *db = NULL;
    if (history_find(store, &db, err) < 0 || (db && choose(db, word, &run, err) < 0))
        return exit_code_of(err);
    sql_close(TAKE(db)); /* what follows may take long */
    int code = run && cancel(state, &run, now, &ended, err) < 0 ? exit_code_of(err) : tell(&ended, json);
    history_run_free(run);
    return code;
}

static const struct option options[] = {{"now", no_argument, NULL, 'n'},
                                        {"json", no_argument, NULL, 'j'},
                                        {0}};

static int call(struct command_context *context, int argc, char **argv)
{
    bool now = false, json = false;
    optind = 0;
    for (int option; (option = options_next(context->command, argc, argv)) != -1;) {
        if (option == '?')
            return EXIT_BAD_USAGE;
        now |= option == 'n';
        json |= option == 'j';
    }
    if (argc - optind > 1) {
        help_problem("cancel takes one run or target; '%s' is one too many", argv[optind + 1]);
        return EXIT_BAD_USAGE;
    }
    AUTO_ERROR err = ERROR_INIT;
    int code = act(context, argv[optind], now, json, &err);
    if (err.kind != ERROR_NONE)
        help_problem("%s", error_text(&err));
    return code;
}

const struct command command_cancel = {
    .help = {"cancel", "[RUN|TARGET] [--now] [--json]", "end a run, and say when nothing of it is left"},
    .options = options,
    .run = call,
};
