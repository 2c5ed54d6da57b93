/* What stands in one task of a playbook, read as YAML: names, arguments, whether it can run at all. Pure. */
#pragma once
#include "format/node.h"

/* A scalar's text; NULL: it is something else, or not there. */
const char *task_text(const struct node *node);
/* Without "ansible.builtin." or "ansible.legacy."; a part of `module`. */
const char *task_short_name(const char *module);
/* An argument's text, from a map, from "name=ssh state=restarted", or from the task's
 * `args`. malloc'ed or NULL. */
char *task_argument(const struct node *task, const struct node *arguments, const char *name);
/* Of `action` and `local_action`: the module, short, with its arguments as a node of the caller's; NULL: none
 * is named. Both malloc'ed. */
char *task_named_module(const struct node *action, struct node **arguments);
/* In the background: what it does goes on while others look after it. */
bool task_is_asynchronous(const struct node *task);
/* `when: false`, or the tag `never`: nobody who does not ask for it by name gets it. */
bool task_never_runs(const struct node *task);
