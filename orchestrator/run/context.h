/* The items of a run (a stage, or a phase with the transport it needs) and what one attempt of one needs: argv, environment, files, descriptors. The runner
 * (run/runner.h) decides what comes next; here is how each is done. */
#pragma once
#include "ansible/child.h"
#include "run/request.h"
#include "step/step.h"

struct item {
    const char *stage;         /* "provision" or "destroy"; NULL: a phase */
    const struct phase *phase; /* NULL: a stage */
};

struct item_list {
    struct item *items;
    size_t count;
};

/* create: provision, phases. run: phases. destroy: teardown phases, destroy. Of a resume what is completed is left out; a machine that was made is verified again. */
void item_list_make(const struct runner_request *request, struct item_list *out);
void item_list_free(struct item_list *list);

/* What the items of one run share. */
struct item_context {
    const struct runner_request *request;
    char *self;           /* this program's path, for stage children */
    char *folder, *shown; /* the run's folder, absolute and relative to .triphase */
    char *boot_id, *node;
    struct scope run_scope;
    struct machine *machine; /* owned copy; NULL before one was announced */
    char *transport;         /* chosen and verified; NULL: to be found (anew) */
    char *evidence;          /* its evidence as JSON text */
    char *control_path;      /* its master's socket */
    bool sudo_needs_tty;     /* of the host that it leads to */
    char *callback_folder, *launcher_folder, *fact_cache;
    bool async_seen;     /* a task of the run was asynchronous */
    struct spare *spare; /* the interpreter of the next phase, started ahead; NULL: none */
    char *inventory;     /* path of the one rendered last; NULL: to be rendered */
    struct json *expect;
    struct json *recovery;  /* what the next stage is asked beyond the usual, owned; NULL: nothing */
    int64_t recovery_bound; /* of a stage that recovers */
    int inventories;
    struct ansible_arguments arguments;
};

struct item_attempt {
    struct step_plan plan;
    const char *stage;   /* NULL: a phase */
    struct json *result; /* of a stage, once judged */
    int request_fd, result_fd, *keep;
    struct words argv, environment, owned, own; /* owned: strings the plan points to; own: its hosts */
    struct ansible_child ansible;
    struct json *pending;
};

int item_enter(struct item_context *context, const struct runner_request *request, const char *folder,
               struct error *err);
/* Starts the interpreter of a phase that is to come, unless one stands ready. It saves time where it can be had, so a failure is no error. */
void item_look_ahead(struct item_context *context, const struct phase *phase);
/* The run is over: masters are asked to end, their folders go. The scope is the caller's to end. */
void item_leave(struct item_context *context);
void item_context_free(struct item_context *context);

/* A new machine, with an id and everything its provider needs to find it after a crash. Nothing is made. */
int item_announce(struct item_context *context, struct error *err);
/* Whether the phase can begin over the transport that was verified last. */
bool item_has_transport(const struct item_context *context, const struct phase *phase);
/* `control_path`: the master's socket; NULL where it is not known. */
void item_took_transport(struct item_context *context, const char *transport, const char *control_path,
                         const struct json *evidence);
/* Transport, inventory and facts are to be found anew: before a further attempt, after churn. */
void item_forget(struct item_context *context);

/* One attempt of a stage (`stage` not NULL; for "transport" `next` is the phase that needs it) or of a phase. */
int item_prepare(struct item_context *context, const char *stage, const struct phase *phase,
                 const struct phase *next, int seq, int attempt, const struct json *owed,
                 struct item_attempt **out, struct error *err);
struct verdict item_judge(struct item_attempt *attempt, const struct evidence *evidence);
void item_attempt_free(struct item_attempt *attempt); /* NULL is fine */
