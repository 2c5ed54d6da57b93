/* What the runner tells the world, once each; store, live view and others subscribe (one sink, the runner
 * knows none of them). All pointers are borrowed for the call; a subscriber copies what it keeps. */
#pragma once
#include "event/machine.h"
#include "event/outcome.h"
#include <stdbool.h>
#include <stdint.h>

enum event_kind {
    EVENT_RUN_BEGIN,
    EVENT_RUN_END,
    EVENT_RUN_PLAN, /* of_run.plan alone: a phase more is completed */
    EVENT_STEP_BEGIN,
    EVENT_STEP_END,
    /* somebody looked at the host after a step had ended: survivors_host and host_evidence of its
     * row, nothing else of of_step */
    EVENT_HOST_LOOK,
    EVENT_TASK,        /* one host's result of one task */
    EVENT_UNREACHABLE, /* one UNREACHABLE, ignored or not */
    EVENT_MACHINE,     /* a machine row as it is now (inserted or replaced by id) */
    /* anything else worth a row: watchdog, forensics, a second attempt, a mark: kind and JSON detail */
    EVENT_NOTE,
    EVENT_SAMPLE, /* one of many looks of a kind: at the path of a tailnet ("path") */
};

struct event_run {
    const char *id, *kind; /* create run destroy resume */
    const char *target, *recipe, *provider, *project;
    const char *group_id, *parent_id; /* may be NULL */
    const char *machine_id;           /* may be NULL until known; EVENT_RUN_END sets it */
    const char *ansible;              /* version or NULL */
    bool partial, fresh;      /* fresh: the machine was made in this run (final value at EVENT_RUN_END) */
    const char *extra_digest; /* digest of -e arguments, NULL */
    const char *plan; /* JSON text: steps in order with digests of their files, for resume; may be NULL */
    int64_t pid, pid_start;     /* of the worker */
    const char *boot_id, *node; /* of this kernel; this machine's name */
    int64_t started_ns;
    /* EVENT_RUN_END */
    int64_t duration_ns;
    enum outcome outcome;
    int exit_code;
    const char *message; /* why, one line; may be NULL */
    /* the row of the table of verdicts (verdict/verdict.h), and the evidence in words */
    const char *verdict, *seen;
};

struct event_step {
    int seq;                 /* from 1 within the run, attempts count */
    const char *kind, *name; /* "stage" or "phase" */
    int attempt;
    const char *transport;    /* NULL for stages before there is one */
    const char *evidence;     /* JSON text of the transport's evidence, or the stage's own; may be NULL */
    const char *scope;        /* "cgroup" or "session" */
    const char *log, *events; /* paths relative to the state directory; may be NULL */
    /* what a phase's Ansible was made faster with (config/accelerate.h), and why that is not what was asked
     * for; NULL: it was, or it is no phase */
    const char *accelerated, *accelerated_why;
    int64_t started_ns, deadline_ns;
    int64_t started_monotonic_ns;
    /* EVENT_STEP_END */
    int64_t duration_ns;
    enum outcome outcome;
    const char *cause, *message; /* may be NULL */
    const char *verdict, *seen;  /* as of a run */
    int exit_code, signal;       /* of the child; -1: none */
    int64_t ok, changed, failed, skipped, unreachable, ignored, rescued;
    int64_t cpu_usec; /* of its scope, -1 unknown */
    int survivors_here;
    int survivors_host;        /* -1: nobody looked */
    const char *host_evidence; /* how that is known, or why nobody looked */
    int64_t event_bytes;       /* of the event file that are in the store */
    const char *handlers_owed; /* JSON list of {host, handler} still owed; may be NULL */
};

struct event_task {
    const char *host, *play, *role, *task, *path, *action;
    const char *status; /* ok changed failed skipped unreachable */
    bool ignored, rescued, async, handler, unchecked;
    int64_t items, started_ns, duration_ns;
    const char *message; /* bounded; may be NULL */
};

struct event_unreachable {
    const char *host, *task, *cause, *cause_source, *message, *transport;
    bool ignored;
    int64_t at_ns;
};

struct event_sample {
    const char *kind;
    int healthy;        /* 0, 1; -1: nothing is said of it */
    const char *detail; /* JSON text or NULL */
    int64_t at_ns;
};

struct event {
    enum event_kind kind;
    const char *run; /* id */
    int step;        /* seq; 0: of the run */
    /* what came from a step's event file: the offset behind its line, stored with the row, so that a crash
     * neither loses nor doubles one; else 0 */
    int64_t event_bytes;
    union {
        struct event_run of_run;
        struct event_step of_step;
        struct event_task task;
        struct event_unreachable unreachable;
        const struct machine *machine;
        struct event_sample sample;
        struct {
            const char *kind, *detail; /* detail: JSON text or NULL */
            int64_t at_ns;
        } note;
    };
};
