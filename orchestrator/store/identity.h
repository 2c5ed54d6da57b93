/* Which project a folder is: .triphase/project.json holds an id of its own and the path where the
 * project was last at work, so that a folder that was moved is followed, and one that was copied touches
 * nothing of the original's. Clones that say the same `id` in triphase.yml are one project: what was made
 * from one of them is each's. */
#pragma once
#include "base/error.h"
#include <stdbool.h>

/* The project's id, malloc'ed: before it was given one, what its triphase.yml says; NULL where that says
 * nothing, or it cannot be read. */
char *identity_id(const char *project_directory);
/* The id that it was given, whatever its triphase.yml says; malloc'ed, NULL: none, or it cannot be read. */
char *identity_given(const char *project_directory);
/* Whether both paths lead to one folder that is there; the same path always does. */
bool identity_same_folder(const char *a, const char *b);

/* Before a command acts. Gives a project without one its id: what its triphase.yml says, else a new one;
 * ERROR_PROJECT where it has another than that. Where the folder was moved, writes the new path;
 * `moved_from` gets the old one (malloc'ed, else NULL). ERROR_PROJECT where it is a copy whose store still
 * believes in machines of the original's, naming those targets, or where the original may be there and
 * cannot be seen; a copy that believes in none becomes a project of its own. The state folder must be there;
 * its store need not be. */
int identity_claim(const char *project_directory, char **moved_from, struct error *err);
/* Whether identity_claim would refuse it as a copy: 1, and where the original is (malloc'ed); else 0. -1
 * where that cannot be told. */
int identity_is_copy(const char *project_directory, char **original, struct error *err);
