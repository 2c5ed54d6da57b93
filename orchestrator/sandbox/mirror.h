/* Where this machine's own apt gets Debian from (sources.list, its folder, both formats), so that a root tree
 * comes from the same place. */
#pragma once
#include "base/error.h"
#include "base/words.h"

struct mirror {
    char *archive;  /* URI of the Debian archive; NULL: none is configured */
    char *security; /* of its security updates; may be NULL */
};

#define AUTO_MIRROR __attribute__((cleanup(mirror_clear))) struct mirror
void mirror_clear(struct mirror *mirror);
/* Reads below `folder` ("/etc/apt"). */
void mirror_find(const char *folder, struct mirror *out);
/* apt's proxy settings as lines of apt.conf; those that hold a password are left out. */
void mirror_proxies(struct words *out);
