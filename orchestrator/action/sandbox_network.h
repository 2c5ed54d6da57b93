/* A sandbox's network: a namespace of its name, a veth pair (outside it has the sandbox's name, inside it is host0) with the two addresses of a /30,
 * the filter's rules, ip_forward for as long as any sandbox is there, and the resolvers that the guest can reach. */
#pragma once
#include "action/sandbox_owner.h"
#include "base/error.h"
#include "base/text.h"
#include "base/words.h"

/* Under the sandboxes' lock: chooses the subnet that `owner` has none of yet. */
int network_choose(struct sandbox_owner *owner, struct error *err);
/* Under the lock: remembers what ip_forward was before the first sandbox since boot, and turns it on. */
int network_forward_on(struct error *err);
/* Under the lock, once the sandbox's own folder is gone: puts ip_forward back when no sandbox is left. */
int network_forward_off(struct error *err);
/* Makes namespace, pair and rules; what is there of an earlier attempt is removed first. */
int network_make(const struct sandbox_owner *owner, struct error *err);
/* Whether namespace and pair are there (they go with a reboot of this machine). */
bool network_is_there(const char *name);
int network_remove(const char *name, struct error *err);
int network_left(const char *name, struct words *left, struct error *err);
/* The text of the guest's resolv.conf: this machine's IPv4 resolvers other than loopback ones (behind a stub, those that the stub asks) and its search list. */
void network_resolvers(struct text *out);
