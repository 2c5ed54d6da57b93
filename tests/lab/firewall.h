/* A host with an agent that the world can reach, for tests of the role node_firewall: the test's process goes
 * into mount and network namespaces of its own (lab/sandbox.h), a sandbox is made there, and addresses of
 * all kinds of peers are this process's. What comes from them comes to the host from outside. Everything ends
 * with the test process. Functions fail the test by themselves. */
#pragma once
#include "lab/lab.h"
#include "lab/sandbox.h"

#define FIREWALL_AGENT   8443 /* what the role guards */
#define FIREWALL_ANOTHER 9000 /* served too, guarded by nobody */
/* Peers: of the CDN, of a control network, of neither; IPv4 and IPv6. */
#define FIREWALL_CDN         "173.245.48.9"
#define FIREWALL_CDN_6       "2400:cb00::9"
#define FIREWALL_CONTROL     "203.0.113.7"
#define FIREWALL_CONTROL_6   "2001:db8:7::7"
#define FIREWALL_ELSEWHERE   "198.51.100.9"
#define FIREWALL_ELSEWHERE_6 "2001:db8:9::9"
/* The host's own IPv6 address; IPv4: of its machine. */
#define FIREWALL_HOST_6 "fd77::2"

/* Made, the agent serves as an enabled unit. To be called before lab_new. Skips the test
 * where no sandbox can be made. `root` as of rig_new. */
struct rig *firewall_guest(const char *root);
/* A project as `triphase init` lays it down, whose target `host` is that guest (provider static); its phase
 * runs node_firewall, with no CDN asked. */
struct lab *firewall_project(const struct rig *guest);
/* From here on it runs that role of the recipe `node`; `more`: further lines of YAML for the play, may be
 * "". */
void firewall_play(struct lab *lab, const char *role, const char *more);
/* `triphase WORD host`, which has to end with that code. */
struct lab_result firewall_run(struct lab *lab, int code, const char *word);

/* One try of each flow, words apart by blanks ("open,tcp,FROM,TO,PORT"; tests/lab/firewall_probe.py says
 * more); a line each: "tcp,FROM,TO,PORT open". malloc'ed. */
char *firewall_ask(const char *flows);
/* Starts a program of tests/lab with these words, which runs until its stdin ends, and waits for its first
 * line. */
struct firewall_client; /* lives as long as the test */
struct firewall_client *firewall_start(struct lab *lab, const char *program, const char *words);
/* What it said so far, malloc'ed. */
char *firewall_said(const struct firewall_client *client);
/* Gives it a line. */
void firewall_tell(struct firewall_client *client, const char *word);
/* Ends it, and gives its last line, malloc'ed. */
char *firewall_end(struct firewall_client *client);
/* Goes through these flows until it is ended, which gives what was seen as JSON. */
struct firewall_client *firewall_stream(struct lab *lab, const char *flows);
