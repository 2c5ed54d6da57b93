/* What lies where below a project's .triphase folder, and where its sockets are
 * (docs/contract.md, "Files and folders"). Pure names, but for layout_make_*. Every returned string is
 * malloc'ed. Names of targets and steps, and ids, are looked at here, wherever they come from (command line,
 * store, journal, another program): what is none gives a path below /dev/null, on which every call fails, so
 * that it never leads out of the folder. */
#pragma once
#include "base/error.h"
#include "config/transport_kind.h"

/* <project>/.triphase */
char *layout_state(const char *project_directory);
char *layout_store(const char *state);
/* The project's folder that a store is of. */
char *layout_project(const char *store);
char *layout_run(const char *state, const char *run);
char *layout_machine(const char *state, const char *machine);
char *layout_target_state(const char *state, const char *target);
/* What Ansible made of its modules, for all runs (launcher/triphase_payloads.py). */
char *layout_payloads(const char *state);
char *layout_lock(const char *state, const char *target);
/* "NN-STEP.ATTEMPT.SUFFIX" within a run's folder; for SUFFIX "log", "events.ndjson", … */
char *layout_step_file(int seq, const char *step, int attempt, const char *suffix);
/* A file that the store names: `path` is relative to .triphase, and has no part that leads elsewhere. */
char *layout_stored(const char *state, const char *path);
/* Folder of the control sockets of a run over one transport: /tmp/triphase-UID/<last 12 hex><d|t|u>. Short,
 * since a control path holds about 90 characters; not in XDG_RUNTIME_DIR, which ends with the login. */
char *layout_sockets(const char *run, enum transport_kind transport);
/* Makes .triphase and the folders that every run needs, all 0700, and a .gitignore that keeps all of it out
 * of the repository; a link in its place is refused. */
int layout_make(const char *state, struct error *err);
/* Makes a socket folder 0700; refuses one that is somebody else's, a link, or open to others. */
int layout_make_sockets(const char *path, struct error *err);
