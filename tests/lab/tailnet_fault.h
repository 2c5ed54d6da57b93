/* Harm to what goes between an operator and a guest of the lab's tailnet. Most of it is done on the guest's
 * tailscale0, to SSH alone, so that it is the same whether the operator has a TUN or not; `from` is the
 * operator's tailnet address (NULL: everybody's), so that two operators can be treated differently. One fault
 * takes the place of the one before. Functions fail the test by themselves. */
#pragma once
#include "lab/tailnet.h"

enum tailnet_fault {
    TAILNET_FAULT_NONE,
    TAILNET_FAULT_SILENCE,  /* nothing arrives, either way */
    TAILNET_FAULT_RESET,    /* each segment is answered by a reset */
    TAILNET_FAULT_HOLE,     /* packets of `amount` bytes and more that it sends are lost (a path-MTU hole) */
    TAILNET_FAULT_LOSS,     /* `amount` of 100 packets are lost, either way */
    TAILNET_FAULT_BYTES,    /* a connection that carried `amount` bytes goes silent */
    TAILNET_FAULT_IDLE,     /* a connection that was idle for `amount` seconds is forgotten: then silence */
    TAILNET_FAULT_THROTTLE, /* what the guest sends goes at `amount` kbit/s, whoever it is for */
};
void tailnet_fault(const struct rig *guest, const char *from, enum tailnet_fault fault, int amount);
/* Below the tailnet: true: no UDP between guests and operators, so that all goes by the relay (headscale's
 * DERP); false: as before. */
void tailnet_fault_relay(struct tailnet_lab *lab, bool relay);
/* A signal to the operator's daemon, or to the guest's. */
void tailnet_fault_daemon(struct tailnet_operator *op, int number);
void tailnet_fault_guest_daemon(const struct rig *guest, int number);
/* A policy in which nobody reaches anything of tag:host and tag:vault, or the open one again; returns when
 * the daemon of `op` has heard of it: the first takes away all hosts that it knows. */
void tailnet_fault_policy(struct tailnet_operator *op, bool closed);
