/* The file systems of a sandbox's root: overlays below /var/lib/triphase/<name>/root, whose upper and work
 * folders stand beside it. Their lower folders are never written. */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include "sandbox/owner.h"

/* malloc'ed /var/lib/triphase/<name>/root */
char *mounts_root(const char *name);
/* Makes the folders and mounts what is not mounted yet. */
int mounts_make(const struct sandbox_owner *owner, struct error *err);
/* Unmounts everything below the sandbox's folder, last first. */
int mounts_remove(const char *name, struct error *err);
/* The same of a folder `name` of `parent`, whatever was mounted there. Absent is fine. */
int mounts_remove_below(const char *parent, const char *name, struct error *err);
int mounts_left(const char *name, struct words *left, struct error *err);
