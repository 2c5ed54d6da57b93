/* A host key that is not the known one, in two lines in place of what ssh says at length. Pure. */
#pragma once
#include <stdbool.h>

/* What is (line 1) and what to do (line 2), malloc'ed; NULL where `said`, ssh's own words whole or joined,
 * tells of no such key. `known_as`: the name under which the target's keys are known (HostKeyAlias, else the
 * host's); a key of another name, but for one of triphase's own making, is one of a host on the way. A key
 * that is revoked is told so too. `others`: the words may be about a host on the way; without it NULL where
 * they name another than the target's, for then the target itself said so (a server ends a login with a text
 * of its own, which ssh prints), and no other host's key is to be forgotten for that. */
char *host_key_change_text(const char *said, const char *target, const char *known_as, bool others);
/* The same where ssh names no host: one of those of `proxy`, ProxyJump or ProxyCommand as ssh has it, shows a
 * key that nobody knows, and there was nobody to ask. malloc'ed. */
char *host_key_on_the_way_text(const char *target, const char *proxy);
