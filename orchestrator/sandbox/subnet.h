/* A /30 for a sandbox that no route, address or resolver of this machine and no other sandbox uses. */
#pragma once
#include "base/error.h"
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

struct subnet {
    uint32_t address; /* host byte order, masked */
    int bits;
};

struct subnets {
    struct subnet *items;
    size_t count;
};

#define AUTO_SUBNETS __attribute__((cleanup(subnets_clear))) struct subnets
void subnets_add(struct subnets *list, uint32_t address, int bits);
void subnets_clear(struct subnets *list);
/* Adds the destination of each IPv4 route in every table of the kernel (the local table holds the addresses);
 * default routes, also in the halves or quarters that VPNs lay, are left out. */
int subnets_add_routes(struct subnets *list, struct error *err);
/* The first free /30, searched from a place that `seed` decides, in four private ranges and the range for
 * benchmarks (RFC 1918, RFC 2544). */
int subnet_choose(const struct subnets *taken, const char *seed, in_addr_t *out, struct error *err);
