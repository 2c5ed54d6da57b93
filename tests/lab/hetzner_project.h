/* A project whose target is at the fake cloud, as tests of the provider `hetzner` begin and end with it.
 * Functions fail the test by themselves. */
#pragma once
#include "lab/hetzner.h"
#include "lab/lab.h"

/* Lines of it for a server that nobody answers for: made at once, and not to be logged in to; the second has
 * a firewall of its own too. */
#define HETZNER_UNREACHED                                     \
    "    host_keys: accept-new\n    port: 1\n    ready: []\n" \
    "    stage_deadline: {transport: 1s, provision: 20s, destroy: 20s}\n"
#define HETZNER_NOBODY HETZNER_UNREACHED "    firewalls: [{in: [tcp/22]}]\n"

/* Project `lab` with a target `host` at that cloud, which has further lines of its own, and recipe `work`.
 * Its token lies in the file `token`. */
struct lab *hetzner_project(struct hetzner *cloud, const char *lines);
/* A cloud whose servers are all this machine, where nobody answers for them. */
struct hetzner *hetzner_of_nobody(void);
/* So many are there of each kind of what a machine has at the cloud. */
void hetzner_expect_each(struct hetzner *cloud, size_t count);
/* `destroy host` ends well, and nothing is there. */
void hetzner_expect_destroyed(struct lab *lab, struct hetzner *cloud);
