/* Paths that stand on the command line. One that is not there, is of another kind or is closed to the user is
 * the user's slip (ERROR_USAGE), told before anything is done; only what fails afterwards is the machine's.
 * `what` is the word that the path belongs to ("store merge", "-C"), said before the message. */
#pragma once
#include "base/error.h"
#include <stdbool.h>

/* A file to read. */
int given_path_file(const char *what, const char *path, struct error *err);
/* A file to write in a folder that is there; where something stands in its place
 * only `replaces` lets it be. */
int given_path_new_file(const char *what, const char *path, bool replaces, struct error *err);
/* A folder that is there, or that can be made with those above it. */
int given_path_new_folder(const char *what, const char *path, struct error *err);
