/* What a plan found: things that refuse, each with the kind of its exit code, and warnings. */
#pragma once
#include "base/error.h"
#include "format/json.h"
#include <stdbool.h>
#include <stddef.h>

struct plan_finding {
    bool refuses;         /* else a warning */
    enum error_kind kind; /* of one that refuses */
    char *where;          /* "recipe vault, phase install" or "playbooks/x.yml:12"; may be NULL */
    char *text;
};

struct plan_report {
    char *target;
    struct plan_finding *findings;
    size_t count;
    struct json *evidence; /* of the transports; see transport_choose */
    struct json *contact;  /* what the host itself said (preflight/host_check.h); NULL: it was not asked */
    struct json *differs;  /* from what was made, see made_json; NULL: nothing is made, or not looked at */
    bool remembered;       /* an unchanged plan that passed before: Ansible was not asked again */
    char *ansible_version; /* NULL: not found */
};

/* Adds a finding; `kind` ERROR_NONE: a warning. `where` may be NULL. */
void plan_find(struct plan_report *report, enum error_kind kind, const char *where, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same, unless that stands there already. Takes the text over. */
void plan_find_once(struct plan_report *report, enum error_kind kind, const char *where, char *text);
void plan_find_error(struct plan_report *report, const char *where, const struct error *err);
/* Whether any finding from the one of that index on refuses. */
bool plan_refuses(const struct plan_report *report, size_t from);
void plan_report_clear(struct plan_report *report);
/* 0 when nothing refuses; else -1 and an error that lists what does, with the kind that counts (project
 * before missing before usage). */
int plan_error(const struct plan_report *report, struct error *err);
/* What the host itself said that a run would certainly fail by. */
size_t plan_contact_failures(const struct plan_report *report);
struct json *plan_json(const struct plan_report *report);
