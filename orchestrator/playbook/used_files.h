/* The files of this machine that a phase could have read, with a digest of each: so that a resume can tell
 * whether what a completed phase was made from is still the same. Files come from the playbook's text
 * (playbook/scan.h), from the places of the tasks that ran, and from what Ansible reads beside them: roles
 * count as whole folders; group_vars, host_vars and plugins beside playbook and inventory, the inventories,
 * ansible.cfg, the inventory's template. */
#pragma once
#include "base/words.h"
#include "config/project.h"
#include "format/json.h"

struct used_files_request {
    const struct project *project;
    const struct phase *phase;
    const char *config;        /* the ansible.cfg that counts, absolute; NULL: none */
    const char *transport;     /* that the inventory was rendered for; NULL: not known yet */
    const struct words *extra; /* values of -e; may be NULL */
    const struct words *ran;   /* files of tasks that ran; may be NULL */
    /* wall clock: the phase runs since then, what changed later counts as such; 0: no matter */
    int64_t since_ns;
};

/* {"roots": [..], "files": {path: digest}, "guessed": {path: digest}, "written": [..], "written_by_others":
 * [..], "untold": [..]}: paths below the project are relative to it. Guessed: where a template leaves open
 * which file is meant, those that it could be; what is new there does not count, nor what other phases are
 * made of or what any writes. The caller frees. */
struct json *used_files_look(const struct used_files_request *request);
/* A file that was another one in an earlier look, or is gone since, will never count as unchanged: nobody
 * knows which of the two the phase read. One that the phase writes itself counts as it is now; of one that
 * was only guessed it is untold. */
void used_files_mark_changed(struct json *look, const struct json *earlier);
/* Adds a line for each file that is not as it was: "playbooks/a.yml changed", "… is gone", "… is new"; to
 * `may` for one of which nobody knows whether the phase read it (it was guessed, or lies in a folder that
 * counts as a whole), and to `untold` what cannot be told. */
void used_files_compare(const struct project *project, const struct json *look, struct words *out,
                        struct words *may, struct words *untold);
