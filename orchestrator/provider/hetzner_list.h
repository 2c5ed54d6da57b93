/* What of triphase's making is to be found at Hetzner Cloud, by its labels, whoever made it; and how all that
 * belongs to a machine is removed. */
#pragma once
#include "base/deadline.h"
#include "cloud/api.h"
#include "provider/listed.h"

/* What a machine consists of, in the order of removal. */
enum hetzner_kind { HETZNER_SERVER, HETZNER_FIREWALL, HETZNER_KEY, HETZNER_KINDS };
/* "servers", "firewalls", "ssh_keys": path and member of the API. */
const char *hetzner_kind_path(enum hetzner_kind kind);

/* One item a machine: its server, or what is left of one whose server is gone. */
int hetzner_list(struct cloud_api *api, struct listing *out, struct error *err);
/* The same of what the API answered: lists of servers, firewalls, keys. Pure. */
void hetzner_list_read(struct json *const lists[HETZNER_KINDS], struct listing *out);
/* Of one kind what bears the machine's label; where nothing does, what has its name and no label of another
 * machine. An array. */
int hetzner_find(struct cloud_api *api, enum hetzner_kind kind, const char *machine, const char *name,
                 struct json **out, struct error *err);
/* Removes all of a machine, each on its own, and sees it gone. `project_id`: what bears another project's is
 * not touched; NULL: nobody asks. ERROR_PROVIDER names what is still there. */
int hetzner_remove(struct cloud_api *api, const char *machine, const char *name, const char *project_id,
                   struct error *err);
