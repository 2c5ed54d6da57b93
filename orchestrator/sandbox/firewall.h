/* The guest's way out through this machine's packet filter: an nftables table of its own with the
 * masquerading, and, where another forward chain filters (Docker's, a firewall's), one accept pair at its
 * head that carries the sandbox's name as comment. All is found again by that name alone. */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include <netinet/in.h>
#include <stdbool.h>

int firewall_add(const char *name, in_addr_t subnet, struct error *err);
/* Removes whatever of the name is found; none is fine. */
int firewall_remove(const char *name, struct error *err);
/* Says what of the name is still there, one line each. */
int firewall_left(const char *name, struct words *left, struct error *err);
/* Whether rules of others translate or filter what this machine forwards, or it cannot be told. */
bool firewall_others_forward(void);
