/* What is known during a run, and shared by its attempts: its folders and scope, the machine, the
 * transport that was verified. */
#pragma once
#include "ansible/arguments.h"
#include "ansible/zygote.h"
#include "process/scope.h"
#include "run/join_key.h"
#include "run/request.h"
#include "run/way_order.h"

struct run_context {
    const struct runner_request *request;
    char *self;           /* this program's path, for stage children */
    char *folder, *shown; /* the run's folder, absolute and relative to .triphase */
    char *boot_id, *node;
    struct scope run_scope;
    struct machine *machine; /* owned copy; NULL before one was announced */
    char *transport;         /* chosen and verified; NULL: to be found (anew) */
    struct way_order order;  /* in which the next ones are looked for */
    char *evidence;          /* its evidence as JSON text */
    char *control_path;      /* its master's socket */
    bool sudo_needs_tty;     /* of the host that it leads to */
    char *callback_folder, *launcher_folder, *fact_cache;
    bool async_seen;       /* a task of the run was asynchronous */
    struct spare *spare;   /* the interpreter of the next phase, started ahead; NULL: none */
    struct zygote *zygote; /* forks the phases that mitogen carries; NULL: none */
    char *inventory;       /* path of the one rendered last; NULL: to be rendered */
    struct json *expect;
    struct json *recovery;  /* what the next stage is asked beyond the usual, owned; NULL: nothing */
    int health_fd;          /* of the stage that waits until the host is healthy; -1: it is not due */
    int64_t recovery_bound; /* of a stage that recovers */
    int inventories;
    int64_t ends_ns;     /* wall clock: the run's own deadline; 0: it has none */
    struct join_key key; /* for the bootstrap that is next, or of the one that was, also of a killed run's */
    struct ansible_arguments arguments;
};

int run_context_enter(struct run_context *context, const struct runner_request *request, const char *folder,
                      struct error *err);
/* The run is over: masters are asked to end, their folders go. The scope is the caller's to end. */
void run_context_leave(struct run_context *context);
void run_context_clear(struct run_context *context);

/* A new machine, with an id and everything its provider needs to find it after a crash. Nothing is made. */
int run_context_announce(struct run_context *context, struct error *err);
/* Whether the phase can begin over the transport that was verified last. */
bool run_context_has_transport(const struct run_context *context, const struct phase *phase);
/* `control_path`: the master's socket; NULL where it is not known. */
void run_context_took_transport(struct run_context *context, const char *transport, const char *control_path,
                                const struct json *evidence);
/* Brings the machine's row to the id of the key that is held (its `tailnet.key`), so that whoever comes after
 * a killed worker deletes it; false: it is so already, or there is no device. */
bool run_context_note_key(struct run_context *context);
/* The run is over: its machine may be swept when its ttl is over, which was put off for the run; false: it
 * was not. */
bool run_context_expires(struct run_context *context);
/* Transport, inventory and facts are to be found anew: before a further attempt, after churn. */
void run_context_forget(struct run_context *context);
