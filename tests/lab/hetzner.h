/* The fake of the Hetzner Cloud API, tests/lab/hetzner_api.py, as tests use it: it ends with the test's
 * process, however that ends. Its faults and what it tells of itself are described there and in
 * tests/lab/hetzner/faults.py. Functions fail the test by themselves.
 *
 *   struct hetzner *cloud = hetzner_start((const char *const[]){"--delay", "0.2", NULL});
 *   hetzner_fault(cloud, "{\"fault\": 429, \"method\": \"POST\", \"path\": \"/servers$\", \"times\": 2}");
 *   lab_environment(lab, "HCLOUD_TOKEN", HETZNER_TOKEN); // endpoint: hetzner_endpoint(cloud)
 */
#pragma once
#include "format/json.h"

#define HETZNER_TOKEN "fake-token"
/* In a reply to a creation without a key; must be found nowhere else. */
#define HETZNER_ROOT_PASSWORD "RootPasswordOfTheFake"

struct hetzner; /* lives as long as the test */

/* With further arguments of hetzner_api.py, NULL-ended; NULL: none. Several may be there. */
struct hetzner *hetzner_start(const char *const *words);
/* The same with a real host behind each server: a sandbox of setup/cloud-tree.sh's Debian whose cloud-init
 * finds the server's user_data and keys, so that root can log in with them at the server's address. Skips the
 * test where no sandbox can be made. */
struct hetzner *hetzner_start_hosts(const char *const *words);
/* "http://127.0.0.1:PORT/v1" */
const char *hetzner_endpoint(const struct hetzner *cloud);
/* What somebody else asks of it, below the endpoint, with HETZNER_TOKEN; it must be answered with that
 * status. `body` may be NULL. */
void hetzner_by_hand(struct hetzner *cloud, const char *method, const char *path, const char *body,
                     int status);
/* One more fault, a JSON object, or several, an array. */
void hetzner_fault(struct hetzner *cloud, const char *json);
void hetzner_forgive(struct hetzner *cloud);
/* An object of what is to be another: "{\"delay\": 2}". */
void hetzner_set(struct hetzner *cloud, const char *json);
/* Removes a server behind one's back. */
void hetzner_vanish(struct hetzner *cloud, const char *server_name);
/* So many servers that run already, with labels (a JSON object). */
void hetzner_preload(struct hetzner *cloud, int servers, const char *labels);
/* {"servers": […], "ssh_keys": […], "firewalls": […], "networks": […], "placement_groups": […],
 * "actions": […], "faults": […]}; json_free it. */
struct json *hetzner_state(struct hetzner *cloud);
/* How many there are of "servers", "ssh_keys", …. */
size_t hetzner_count(struct hetzner *cloud, const char *kind);
/* How many requests came so far that begin with `line`, as "METHOD PATH STATUS": "POST /v1/servers ",
 * "GET /v1/servers". */
size_t hetzner_asked(struct hetzner *cloud, const char *line);
void hetzner_forget_requests(struct hetzner *cloud);
/* Before the test's end: what it has made is gone afterwards, and nobody listens. */
void hetzner_stop(struct hetzner *cloud);
