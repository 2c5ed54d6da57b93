/* What one step is to do: who it is, what runs, where its files lie, and what bounds it. Only described here;
 * step/step.h does it. Everything pointed to is borrowed and stays as it is until the step is over; all
 * times are nanoseconds. */
#pragma once
#include "ansible/warm.h"
#include "config/watchdog_facts.h"
#include "process/child.h"
#include "process/scope.h"
#include "step/confirm.h"
#include "step/forensics.h"
#include "transport/watch.h"

struct step_order {
    int seq, attempt;
    const char *kind, *name;                   /* "stage" or "phase" */
    const char *run;                           /* id */
    const char *transport, *evidence;          /* may be NULL */
    const char *accelerated, *accelerated_why; /* as the row has them; may be NULL */
    const char *host;                          /* the target's name in the inventory; may be NULL */
    const struct words *own;                   /* hosts that it is about (event/own_hosts.h); NULL: all */
    /* absolute path, made by the step (0600), and relative to the state folder, for the row */
    const char *log, *log_shown;
    const char *events, *events_shown; /* the same; NULL for stages */
    /* what the shared ssh connection said: tells why a host was UNREACHABLE where
     * Ansible does not; NULL: none */
    const char *master_log;
    struct child_plan child; /* scope, in, out, error are the step's to fill */
    struct spare **spare;    /* an interpreter that may become the child; NULL, or NULL in it: none */
    const char *scope_name;  /* both as config/marks.h has them for it */
    const char *scope_marker;
    const struct scope *run_scope; /* where async jobs of the run go before the step's scope is ended */
    bool (*is_async)(pid_t);       /* whether a process is an async job's; NULL: there are none */
    struct phase_limits limits;
    struct confirm_plan confirm;                 /* its address is kept until the step is over */
    struct transport_watch_plan transport_watch; /* control_path NULL: nothing to watch */
    /* the look before it is ended by us; scope, run and log are the step's to fill; self NULL: none */
    struct forensics_plan forensics;
    const struct json *pending_handlers; /* owed by earlier attempts; may be NULL */
    bool only_looks, lost_handlers_warn, reboots;
};
