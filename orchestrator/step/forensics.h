/* What stood still before it is ended: a look at a step's processes, connections and last words, by a child
 * under a bound (stage/look.h), so that nothing that hangs can hold up the watchdog that asked. */
#pragma once
#include "format/json.h"
#include "process/loop.h"
#include "process/scope.h"

struct forensics_plan {
    const char *self;                             /* this program; NULL: no look is wanted */
    const char *run;                              /* id, the mark of the child */
    const char *control_directory, *control_path; /* of the run's masters, of the target's; may be NULL */
    const char *log, *console;                    /* may be NULL */
    const int *secrets; /* sealed descriptors whose content must not be told; ends with -1; may be NULL */
    const struct scope *scope;     /* the step's */
    const struct scope *run_scope; /* where the child lives */
};

struct forensics;
/* `look`: what came within the bound (1.3 s), to be kept with json_keep; {"unfinished":
 * true} in it when that struck. */
typedef void forensics_function(void *context, struct json *look);

/* `function` is called once, from the loop, unless it is stopped before. */
int forensics_start(struct loop *loop, const struct forensics_plan *plan, forensics_function *function,
                    void *context, struct forensics **out, struct error *err);
/* Ends the child. NULL in it is fine. */
void forensics_stop(struct forensics **forensics);
