/* What would give a TUN on this machine: the exact command, or the exact flags of the container it is. */
#pragma once
#include "tailnet/tun.h"

/* What this machine is: "docker" "podman" "kubernetes" "lxc" "systemd-nspawn" "container", NULL: no
 * container that can be told. Static. */
const char *tun_advice_container(void);
/* One line, malloc'ed; NULL where the evidence lacks nothing. */
char *tun_advice(const struct tun_evidence *evidence, const char *container);
