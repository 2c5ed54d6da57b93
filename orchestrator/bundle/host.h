/* What a host says of itself, for a bundle: journal, cloud-init, systemd, kernel, network, firewall, disks,
 * processes, containers; over one SSH connection with the inventory's own arguments, within 90 s in all and
 * 15 s for each question, with bounded output. Nothing is changed on the host, and nothing is left: each
 * question ends by itself there. */
#pragma once
#include "bundle/archive.h"
#include "event/machine.h"
#include "transport/ssh_options.h"

/* Adds host/NAME.txt for each question that was answered, and what is missing to the bundle. A host that
 * cannot be reached is missing, and no failure. `facts` gets {"reached","as","transport","seconds"} for the
 * manifest; the caller frees. `agent_directory` as in ssh_arguments_make. `directory`: ssh starts there;
 * NULL: in the current one. */
int bundle_host_add(struct bundle *bundle, const struct machine *machine, const struct target *target,
                    enum transport_kind kind, const char *agent_directory, const char *directory,
                    struct json **facts, struct error *err);
