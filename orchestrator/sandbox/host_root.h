/* The root `host`: parts of this machine, chosen by what is shown, not by what is hidden. Shown are its
 * packages (/usr without /usr/local, the package manager's records) and, of /etc, what a Debian system needs
 * and what holds no secret; everything else the guest gets empty. */
#pragma once
#include "base/error.h"
#include "sandbox/owner.h"

/* Adds the overlays to the owner's parts. */
int host_root_parts(struct sandbox_owner *owner, struct error *err);
/* Before a part is mounted: hides in its upper folder what of the lower one is not to be seen. */
int host_root_hide(const struct sandbox_part *part, const char *upper, struct error *err);
/* Whether the owner's parts are such a root. */
bool host_root_is(const struct sandbox_owner *owner);
/* Fills what the overlays do not hold into the mounted root. */
int host_root_fill(const char *path, struct error *err);
