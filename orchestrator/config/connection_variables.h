/* Every variable that Ansible's connection plugin ssh reads, and what a run makes of it. A test compares
 * the list with what the installed Ansibles document. Variables of become and of the remote shell are
 * the user's own: they say what is done on the host, not how it is reached (all but ansible_async_dir,
 * see run/async_directory.h). */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum connection_role {
    CONNECTION_WHERE,  /* which host, and by which program and arguments: never another than was verified */
    CONNECTION_WHO,    /* as whom: verified as rendered, but a play or task may change it as Ansible has it */
    CONNECTION_SECRET, /* secrets in variables: triphase logs in by keys, so none of them is used */
    CONNECTION_HOW,    /* how a connection that stands is used: left to Ansible */
};

struct connection_variable {
    const char *name;
    enum connection_role role;
};

extern const struct connection_variable connection_variables[];
extern const size_t connection_variable_count;

/* NULL: not one of them. */
const struct connection_variable *connection_variable_find(const char *name);
/* Whether a host's value is compared with the rendered one. */
bool connection_variable_is_fixed(const struct connection_variable *variable);
/* Whether there is one of that name that is. */
bool connection_variable_is_fixed_by_name(const char *name);
