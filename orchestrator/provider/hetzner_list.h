/* What of triphase's making is to be found at Hetzner Cloud, by its labels, whoever made it. */
#pragma once
#include "base/deadline.h"
#include "cloud/api.h"
#include "provider/listed.h"

/* What a machine consists of, in the order of removal. */
enum hetzner_kind { HETZNER_SERVER, HETZNER_FIREWALL, HETZNER_KEY, HETZNER_KINDS };
/* "servers", "firewalls", "ssh_keys": path and member of the API. */
const char *hetzner_kind_path(enum hetzner_kind kind);
/* "server", "firewall", "ssh_key": member of an answer about one. */
const char *hetzner_kind_member(enum hetzner_kind kind);
/* Of a thing as the API shows it. For people: "server 4711 (tp0123456789) in fsn1", malloc'ed. */
char *hetzner_what(enum hetzner_kind kind, const struct json *thing);
/* NULL: it has none. */
const char *hetzner_label(const struct json *thing, const char *label);
/* Wall; 0: it never expires, or does not say. */
int64_t hetzner_expiry(const struct json *thing);

/* One item a machine: its server, or what is left of one whose server is gone. */
int hetzner_list(struct cloud_api *api, struct listing *out, struct error *err);
/* The same of what the API answered: lists of servers, firewalls, keys. Pure. */
void hetzner_list_read(struct json *const lists[HETZNER_KINDS], struct listing *out);
/* Of one kind what bears the machine's label; where nothing does, what has its name (NULL: nothing then) and
 * no label of another machine. An array. */
int hetzner_find(struct cloud_api *api, enum hetzner_kind kind, const char *machine, const char *name,
                 struct json **out, struct error *err);
