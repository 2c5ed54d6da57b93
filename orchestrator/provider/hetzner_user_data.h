/* What cloud-init of a new server is given: triphase's part, which puts a throw-away host key in place
 * until the host's own were read over it (provider/hetzner_host_keys.h), and the user's behind it. Pure. */
#pragma once
#include "base/error.h"

enum { HETZNER_USER_DATA_MOST = 32 * 1024 };

/* On the host. */
#define HETZNER_FIRST_KEY     "/etc/ssh/triphase_host_key"
#define HETZNER_FIRST_SETTING "/etc/ssh/sshd_config.d/00-triphase.conf"

/* `first_key`: the private throw-away key in OpenSSH's format; NULL: the host keys are known otherwise, and
 * triphase has no part. `users`: the user's file, whose path messages name; NULL: none. `out` is malloc'ed,
 * NULL where there is neither. ERROR_PROJECT: too large, or what cannot be put beside triphase's part. */
int hetzner_user_data_make(const char *first_key, const char *users, const char *path, char **out,
                           struct error *err);
/* The line for a shell of the host, as root, that tells its own public host keys and takes everything of the
 * throw-away key away, from cloud-init's copies too. */
extern const char hetzner_user_data_collect[];
