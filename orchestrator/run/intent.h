/* What a run set out to do, kept in its row (run.plan) as JSON, so that a resume can go on with it
 * and tell what has changed since. Nothing of it is a secret: -e arguments are not in it, and
 * variables count by a digest.
 * {"does": "create", "phases": [..], "reboots": [..], "asked": [..], "arguments": [..], "settings": {key:
 * text}, "transports": text, "dry_run": false, "keep_state": false, …,
 *  "at": phase a resume went on at, "owed_at": …, "fresh": …, "done": {phase: {"entry": {..},
 *  "roots": [..], "files": {..}}}} */
#pragma once
#include "base/words.h"
#include "config/project.h"
#include "format/json.h"

struct intent_request {
    const char *does;             /* "create", "run", "destroy": what a resume goes on doing */
    const struct target *target;  /* NULL: a destroy without the project's files */
    const struct recipe *recipe;  /* likewise */
    const char *const *asked;     /* names of the phases asked for; empty: all */
    const char *const *arguments; /* behind --; NULL where there are none, or where they hold -e */
    bool partial, dry_run, check_idempotent, keep_state, no_teardown;
};

/* The caller frees. */
struct json *intent_new(const struct intent_request *request);
/* Notes that a phase ran whole; `used` (taken over) is what used_files_look says. */
void intent_done(struct json *plan, const struct phase *phase, struct json *used);
/* Its record, NULL when it did not run whole. Borrowed. */
const struct json *intent_of_phase(const struct json *plan, const char *phase);
/* Whether the phase was to reboot its host. */
bool intent_reboots(const struct json *plan, const char *phase);
/* Adds a line for each thing that keeps `now` from going on where `before` ended: another order of
 * phases, a phase before completed ones, a completed phase that is gone or has another entry, another
 * target or other transports. What differs in phases that are not completed is none. `recipe` is the
 * present one (NULL: not readable). */
void intent_compare(const struct json *before, const struct json *now, const struct recipe *recipe,
                    struct words *out);
