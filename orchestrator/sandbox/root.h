/* The root tree that a sandbox shows its guest: Debian built once by mmdebstrap and kept in
 * /var/cache/triphase, a folder, a tar archive unpacked once, or parts of this machine (`host`). None of them
 * is ever written by a guest. */
#pragma once
#include "base/error.h"
#include "sandbox/owner.h"
#include <stdbool.h>
#include <stdint.h>

#define SANDBOX_CACHE "/var/cache/triphase"

enum root_kind { ROOT_DEBIAN, ROOT_HOST, ROOT_FOLDER, ROOT_TAR };

/* What a `root` setting names; a path that is not absolute is below `project`. `path` (malloc'ed, may be
 * NULL) is the folder or archive. -1 with ERROR_PROJECT when it is neither a known name nor there. */
int root_kind(const char *root, const char *project, char **path, struct error *err);
/* Adds the parts of the tree to `owner`, building or unpacking it first, at most `bound_ns`, where it is not
 * in the cache. Two that build the same wait for each other. */
int root_parts(const char *root, const char *project, int64_t bound_ns, struct sandbox_owner *owner,
               struct error *err);
/* Under the sandboxes' lock: removes every cached tree that no sandbox shows its guest and nobody is building
 * or about to use; `kept` gets the others, `removed` those that went, also where it fails. */
int root_drop_unused(struct words *kept, struct words *removed, struct error *err);
/* Whether root_parts would have to build or unpack. */
bool root_is_cached(const char *root, const char *project);
