/* Projects of examples/ whose servers are the fake cloud's (lab/hetzner.h) and whose hosts join a tailnet of
 * the test's own (lab/tailnet.h): only what names the real cloud, the real control server and the packages of
 * the internet is another there. Functions fail the test by themselves. */
#pragma once
#include "format/json.h"
#include "lab/hetzner.h"
#include "lab/tailnet.h"

/* Words for hetzner_start_hosts, so that operators of the tailnet can reach it. */
extern const char *const tailnet_cloud_words[];

/* What `triphase init` lays down with the files of that folder of examples/projects over it, run where that
 * operator is. `target` (in capitals, as in names of variables) is its only target and ends with its `vars`,
 * the last key of the file, to which those are added that bring Tailscale's programs onto the host. */
struct lab *tailnet_cloud_project(struct tailnet_lab *lab, struct tailnet_operator *op, struct hetzner *cloud,
                                  const char *example, const char *target);
/* `report --json`; json_free it. Where the last run is not healthy, or any phase but the bootstrap went not
 * over the tailnet, or a phase of `phases` (NULL-ended) is absent or not ok, the test fails and goes on,
 * with `said`. */
struct json *tailnet_cloud_hold(struct lab *project, const char *const *phases, const char *said);
/* Fails the test (and goes on) where the cloud has anything left of what costs or opens something. */
void tailnet_cloud_empty(struct hetzner *cloud);
