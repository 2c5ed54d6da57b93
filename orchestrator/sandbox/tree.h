/* Writing into a guest's root tree from outside. Every path is relative to the tree's root and is resolved as
 * the guest itself would (openat2 with RESOLVE_IN_ROOT), so that no link in the tree can lead a write out of
 * it. What stands at the path is replaced, never written through. */
#pragma once
#include "base/error.h"
#include "base/text.h"
#include <stdbool.h>
#include <sys/types.h>

/* Descriptor of the tree's root; the caller closes it. */
int tree_open(const char *path, struct error *err);
/* Whether something (a link is followed within the tree) stands there. */
bool tree_has(int root, const char *path);
/* Adds the file's content, at most `limit` bytes; -1 without a message in `err` being
 * needed when it is absent. */
int tree_read(int root, const char *path, size_t limit, struct text *out, struct error *err);
/* Missing folders above are made with 0755. */
int tree_write(int root, const char *path, const char *bytes, size_t length, mode_t mode, struct error *err);
int tree_link(int root, const char *path, const char *to, struct error *err);
/* A file or a link; absent is fine, a folder is an error. */
int tree_remove(int root, const char *path, struct error *err);
/* Makes the folder and those above it; mode and owner are set also where it was there. */
int tree_folder(int root, const char *path, mode_t mode, uid_t user, gid_t group, struct error *err);
int tree_own(int root, const char *path, uid_t user, gid_t group, struct error *err);
/* Copies a file (with its mode), a link, or a folder with all in it from this machine's `from` to
 * `path`. `wanted` (may be NULL) decides about each file by its own path. Special files are left out;
 * so is what cannot be read. */
typedef bool tree_wanted_function(const char *from);
int tree_copy(int root, const char *from, const char *path, tree_wanted_function *wanted, struct error *err);
