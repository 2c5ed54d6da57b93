/* What tasks read and write on this machine, word by word: the paths that words name, and where a template
 * decides, the folders in which the file must lie. Looks at which files exist, opens none. */
#pragma once
#include "base/words.h"
#include "playbook/meaning.h"

/* Any file below the folder whose path has this ending could be meant. */
struct read_guess {
    char *folder, *ending;
};

struct reads {
    struct words files;   /* files and folders that count, absolute; several times perhaps */
    struct words written; /* files and folders (with what is below) that tasks write */
    struct words code;    /* playbooks, task files and roles that were gone through */
    struct read_guess *guesses;
    size_t guess_count;
};

#define AUTO_READS __attribute__((cleanup(reads_clear))) struct reads
void reads_clear(struct reads *reads);

struct reads_place {
    const char *project, *playbook_folder;
    const char *file; /* that the words stand in */
    const struct meaning_names *names;
};

/* A value of a play (`module` and `key`: "vars", "vars_files") or of a task: its
 * module, or a keyword of it. */
void reads_add(struct reads *reads, const struct reads_place *place, const char *module,
               const struct node *value);
