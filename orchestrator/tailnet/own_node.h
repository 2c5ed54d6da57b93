/* The node of our own daemon: brought into the wanted tailnet with the wanted tags and settings, and out of
 * it. Called with the lock held and the daemon answering. */
#pragma once
#include "base/deadline.h"
#include "base/error.h"
#include "tailnet/bring_up_order.h"

/* READY in end->sight, or an error. Nothing is made or changed where it is as wanted already. */
int own_node_join(const struct bring_up_order *order, struct deadline deadline, struct bring_up_end *end,
                  struct error *err);
/* Logs it out and sees that it is; ERROR_UNREACHABLE where the control server was not told. */
int own_node_log_out(struct deadline deadline, struct error *err);
/* What it calls itself when the settings name nothing; malloc'ed. */
char *own_node_name(const struct operator_settings *settings);
