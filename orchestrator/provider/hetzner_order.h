/* What the API of Hetzner Cloud is sent for a machine, and what of a target's keys counts when one is made.
 * Pure. */
#pragma once
#include "base/error.h"
#include "config/project.h"
#include "event/machine.h"
#include "format/json.h"

/* Beside CLOUD_MACHINE_LABEL (cloud/create_server.h). */
#define HETZNER_ID_LABEL      "triphase-id"
#define HETZNER_TARGET_LABEL  "triphase-target"
#define HETZNER_EXPIRES_LABEL "triphase-expires"

enum { HETZNER_RULES_MOST = 50 };

/* Member of a machine's resources: an object of the keys that count for making, as they were then. */
#define HETZNER_MAKING "making"
/* {"server_type": TEXT, "networks": [TEXT…], …}. */
struct json *hetzner_order_making(const struct cloud_settings *settings);

/* What such a key was when the machine was made, for comparing; malloc'ed, NULL: not known, or none. Of
 * `location` where it came to be. */
char *hetzner_order_made(const struct machine *machine, const char *key);
/* Whether a server in `made` is where `now` (both as above) would have it. */
bool hetzner_order_location_fits(const char *made, const char *now);

/* The user's and triphase's own, an object of texts. `project_id` may be NULL. */
struct json *hetzner_order_labels(const struct cloud_settings *settings, const struct machine *machine,
                                  const char *project_id);
/* Those that a thing has, with all of these as they are now in their place: what it lost comes back. */
struct json *hetzner_order_relabel(const struct json *labels, const struct cloud_settings *settings,
                                   const struct machine *machine, const char *project_id);
/* Of POST /ssh_keys and /firewalls. */
struct json *hetzner_order_key(const char *name, const char *public_key, const struct json *labels);
struct json *hetzner_order_firewall(const char *name, const struct cloud_settings *settings,
                                    const struct json *labels);

/* Whether the machine's own firewall, where it is the only one, lets in that TCP port from anywhere. */
bool hetzner_order_lets_in(const struct cloud_settings *settings, int port);

struct hetzner_parts {
    const char *name, *server_type, *user_data; /* user_data may be NULL */
    int64_t image;
    int64_t placement_group;                        /* 0: none */
    const struct json *keys, *firewalls, *networks; /* arrays of ids */
    const struct json *labels;
};
/* Of POST /servers, without a location. */
struct json *hetzner_order_server(const struct hetzner_parts *parts, const struct cloud_settings *settings);

/* Where a server as the cloud shows it is reached: its IPv4, else ::1 of its IPv6 network, else its address
 * in the first of its private networks; malloc'ed, NULL while it has none. */
char *hetzner_order_address(const struct json *server);
