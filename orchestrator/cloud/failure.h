/* What a cloud means when it does not do what it was asked for: a table of its codes, one of its statuses,
 * and what follows from each class. Pure. */
#pragma once
#include "base/error.h"
#include <stdbool.h>

enum cloud_class {
    CLOUD_NONE,
    CLOUD_CAPACITY,
    CLOUD_QUOTA,
    CLOUD_CONFIGURATION,
    CLOUD_AUTH,
    CLOUD_RATE,
    CLOUD_TRANSIENT,
    CLOUD_ABSENT,
    CLOUD_IN_USE,
    CLOUD_NOT_UNIQUE,
    CLOUD_OTHER,
    CLOUD_CLASSES
};

/* Whether the very same request is worth another try after a pause. */
enum cloud_again {
    CLOUD_AGAIN_NEVER,
    CLOUD_AGAIN_HARMLESS, /* where it does no harm if the server acted after all: all but POST */
    CLOUD_AGAIN_ALWAYS    /* the server did nothing */
};

struct cloud_failure {
    enum cloud_class class;
    enum cloud_again again;
    const char *next; /* what to do about it; never NULL */
};

/* Of an answer (`status`), or of an action that failed (0). `code` NULL or unknown to the table: the status
 * decides. `words`: what the server says; NULL: nothing. */
struct cloud_failure cloud_failure_judge(int status, const char *code, const char *words);
/* Of a class alone. */
struct cloud_failure cloud_failure_of(enum cloud_class class);

struct cloud_class_facts {
    const char *name;  /* "capacity" */
    const char *means; /* "there is no capacity for it now" */
    const char *next;
    enum error_kind kind;
};
const struct cloud_class_facts *cloud_class_facts(enum cloud_class class);
