/* What is written into a guest's root before it boots: name, resolvers, keys, an sshd that starts with the
 * machine, and nothing else that would only cost time in a throw-away host. */
#pragma once
#include "base/error.h"
#include <stdbool.h>

struct sandbox_settings {
    const char *machine; /* UUIDv7; becomes the machine-id */
    const char *host_name;
    const char *user; /* gets the key; made (with sudo without a password) where the tree does not have it */
    int port;
    const char *authorized_key; /* line of authorized_keys */
    const char *host_key;       /* the private host key's text */
    const char *host_public;    /* its public line */
    const char *resolvers;      /* text of resolv.conf */
};

/* 0, or ERROR_PROJECT when the tree at `path` cannot be a host (no init, no sshd); `name`
 * is what the user calls it. */
int prepare_check(const char *path, const char *name, struct error *err);
/* `python` becomes the interpreter's path in the tree, malloc'ed, or NULL. */
int prepare_guest(const char *path, const struct sandbox_settings *settings, char **python,
                  struct error *err);
