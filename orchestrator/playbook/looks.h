/* What plan looks for in the words of playbooks, one look a kind, and what it found. */
#pragma once
#include "format/node.h"
#include "playbook/handlers.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum scan_kind {
    SCAN_PROMPT,    /* text: the variable */
    SCAN_TEMPLATED, /* text: the host pattern */
    /* text: the host pattern of a play that has no template in it, as Ansible lists it: "['all']" */
    SCAN_HOSTS,
    /* add_host or group_by: later plays may match hosts that no inventory knows; text: the module */
    SCAN_DYNAMIC,
    SCAN_RESTART,   /* text: the service */
    SCAN_PAUSE,     /* waits for a key that nobody presses; text: the module */
    SCAN_DEBUGGER,  /* text: when it asks ("always", "on_failed", …) */
    SCAN_STILL,     /* text: what is still for lasts_ns */
    SCAN_VARIABLE,  /* text: a variable of this machine's environment that is read */
    SCAN_DELEGATE,  /* text: the host that a task is given to */
    SCAN_DROPPED,   /* text: which handler never runs, and why */
    SCAN_IGNORED,   /* a task that notifies, and whose failure is ignored; text: "ignore_errors" */
    SCAN_STRATEGY,  /* text: a play's strategy */
    SCAN_ASYNC,     /* an async task; text: its play's strategy, "": what ansible.cfg says */
    SCAN_ASYNC_DIR, /* ansible_async_dir is set; text: likewise */
    SCAN_ELSEWHERE, /* text: a connection variable that leads past the verified connection */
    SCAN_BELOW,     /* text: "remote_user: x" of a block or task, which a rendered variable stands above */
    SCAN_NAME,      /* text: what a play, task or role is called */
    SCAN_BECOME,    /* text: what 'become' is said to be */
};

struct scan_item {
    enum scan_kind kind;
    char *where; /* "playbooks/x.yml:12" */
    char *text;
    int64_t lasts_ns;
};

struct scan {
    struct scan_item *items;
    size_t count;
};

void scan_clear(struct scan *scan);

struct looks {
    const char *directory;     /* the project's: places are told below it */
    struct scan *out;          /* NULL: nothing is looked for */
    struct owed_handlers owed; /* by the play, as far as its tasks are gone through in their order */
    bool here;                 /* the play runs on this machine */
    const char *strategy;      /* the play's; NULL: it names none */
    int unordered;             /* not 0: what is gone through may run at any time, or never */
};

/* Adds a finding, each once. */
void looks_add(struct looks *looks, enum scan_kind kind, const char *file, int line, const char *text);
/* A key of a task with its value: its module (without its collection), or a
 * keyword. Of a play its keywords. */
void looks_at(struct looks *looks, const char *file, const struct node *task, const char *module,
              const struct node *value, int line);
/* A file of variables (YAML), and any other text that is templated. */
void looks_at_variables(struct looks *looks, const char *file, const struct node *document);
void looks_at_text(struct looks *looks, const char *path);
