/* What the tests of `triphase up` share: a project that joins the lab's headscale, and what must be left of
 * it afterwards. Functions fail the test by themselves. */
#pragma once
#include "format/json.h"
#include "lab/tailnet.h"

/* A project whose operator joins this headscale as `op` with tag:operator and what `keys` say
 * ("  auth_key: …\n"), run on that machine. */
struct lab *up_project(struct tailnet_lab *lab, struct tailnet_operator *op, const char *keys);
/* The same with this key, in a file. */
struct lab *up_project_with_key(struct tailnet_lab *lab, struct tailnet_operator *op, const char *key);
/* The same with the lab's API and OAuth's credentials; further keys may be given. */
struct lab *up_project_with_api(struct tailnet_lab *lab, struct tailnet_operator *op, const char *keys);
/* What a command printed; what the daemon at the socket says by Tailscale's own program; headscale's
 * nodes. */
struct json *up_parsed(const struct lab_result *result);
struct json *up_status(struct tailnet_operator *op, const char *socket);
struct json *up_nodes(struct tailnet_lab *lab);
/* Of our own daemon: what is kept, what runs, what interfaces there are; "" where all is gone. malloc'ed. */
char *up_left(struct tailnet_operator *op);
/* How it is after `up --down`, or an `up` that failed: nothing runs, nothing is kept but the log, no device
 * is left. */
void up_expect_nothing_is_left(struct tailnet_lab *lab, struct tailnet_operator *op);
void up_down(struct lab *project);
bool up_has(const struct json *list, const char *word);
char *up_string(const struct json *document, const char *key); /* borrowed, "" where it is absent */
/* How many tailscaled run on that machine. */
int up_daemons(struct tailnet_operator *op);
/* `up` killed at so many instants of its way, from before its lock to behind its join; each time either the
 * next one or `--down` goes on from there, and nothing may be left. */
void up_kill_rounds(struct tailnet_lab *lab, struct tailnet_operator *op, struct lab *project, int instants);
