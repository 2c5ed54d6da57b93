/* Who asked: the user of this process, or behind sudo the one who called it. Their files are the user's
 * files, and what is written into a project is theirs. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

struct invoker {
    bool behind_sudo;
    uid_t uid;
    gid_t gid;
    char *home; /* absolute, or NULL */
};

/* From a NAME=VALUE list (NULL-terminated); NULL: this process's own environment. Behind sudo (SUDO_UID
 * set, effective user root) the home is the one of the user database: HOME and XDG_* there are root's, or
 * whoever's. */
void invoker_find(const char *const *environment, struct invoker *out);
void invoker_clear(struct invoker *invoker);
#define AUTO_INVOKER __attribute__((cleanup(invoker_clear))) struct invoker
/* The folder of triphase's own user files ($XDG_CONFIG_HOME/triphase). malloc'ed, NULL when there is no
 * home. */
char *invoker_config_directory(const struct invoker *invoker, const char *const *environment);
/* The path with a leading `~/` replaced; malloc'ed. */
char *invoker_expand(const struct invoker *invoker, const char *path);
/* Gives what was just made to the invoking user; nothing to do where that is this process's user. 0 or -1
 * with errno. */
int invoker_own(const struct invoker *invoker, const char *path);
/* The value of NAME in the list, NULL when absent or empty. Borrowed. */
const char *environment_value(const char *const *environment, const char *name);
