/* What Ansible's own settings (ansible.cfg, ANSIBLE_*) say of how hosts are reached, as the lowest of all
 * layers: it counts where no key of triphase is set. */
#pragma once
#include "base/words.h"
#include "config/ansible_settings.h"
#include "format/node.h"

struct settings;

/* `warnings` gets what no key could take. */
void ansible_layer_add(struct settings *layers, const struct ansible_settings *settings,
                       struct words *warnings);
/* The value that triphase's own layers give for a target's key, NULL for none; `origin`
 * says where. Both borrowed. */
const struct node *ansible_layer_over(struct settings *layers, const char *target, const char *key,
                                      const char **origin);
