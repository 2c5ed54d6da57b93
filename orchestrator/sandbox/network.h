/* A sandbox's network: a namespace of its name, a veth pair (outside it has the sandbox's name, inside it is
 * host0) with the two addresses of a /30, the filter's rules, and the resolvers that the guest can reach. */
#pragma once
#include "base/error.h"
#include "base/text.h"
#include "base/words.h"
#include "sandbox/owner.h"

/* Under the sandboxes' lock: chooses the subnet that `owner` has none of yet. */
int network_choose(struct sandbox_owner *owner, struct error *err);
/* Makes namespace, pair and rules; what is there of an earlier attempt is removed first. */
int network_make(const struct sandbox_owner *owner, struct error *err);
/* Whether namespace and pair are there (they go with a reboot of this machine). */
bool network_is_there(const char *name);
/* Names of all interfaces of the network namespace that this process is in (/sys shows
 * that of whoever mounted it). */
int network_interfaces(struct words *out, struct error *err);
int network_remove(const char *name, struct error *err);
int network_left(const char *name, struct words *left, struct error *err);
/* The text of the guest's resolv.conf: this machine's IPv4 resolvers other than loopback ones (behind a stub,
 * those that the stub asks) and its search list. */
void network_resolvers(struct text *out);
