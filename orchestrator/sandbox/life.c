#include "sandbox/life.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/words.h"
#include "config/marks.h"
#include "process/marked.h"
#include "process/scope.h"
#include "sandbox/owner.h"

#include <net/if.h>

/* Processes of it, -1 where that cannot be told. */
static int processes_of(const char *machine, struct error *err)
{
    AUTO_FREE char *marker = marks_machine(machine);
    const char *root = scope_root(NULL);
    int count = marked_find(marker, NULL, err);
    if (count != 0 || !root)
        return count;
    AUTO_FREE char *name = marks_machine_scope(machine), *path = file_join(root, name);
    struct scope scope;
    if (scope_open_existing(path, &scope, NULL) < 0)
        return 0;
    count = scope_populated(&scope) ? 1 : 0; /* in another PID namespace they have no number here */
    scope_close(&scope);
    return count;
}

/* Without a note of its owner: dead only where nothing at all bears its name. */
static enum sandbox_life judge_unowned(const char *name, char **said)
{
    AUTO_FREE char *folder = sandbox_path(name, NULL);
    AUTO_FREE char *namespace = xasprintf("/run/netns/%s", name);
    AUTO_WORDS inside = WORDS_INIT;
    AUTO_ERROR err = ERROR_INIT;
    int there = file_look(folder, &err);
    if (there < 0 || file_list(folder, &inside, &err) < 0) {
        *said = xasprintf("a sandbox whose owner cannot be read (%s)", error_text(&err));
        return SANDBOX_UNJUDGED;
    }
    if (there && !inside.count && !file_exists(namespace) && !if_nametoindex(name)) {
        *said = xstrdup("an empty folder of a sandbox that is gone");
        return SANDBOX_DEAD;
    }
    *said =
        xasprintf(there ? "a sandbox without a note of its owner in %s: it may be in use"
                        : "a sandbox of a triphase whose folder %s is not to be seen from here: of another "
                          "container or mount namespace, which may be using it",
                  folder);
    return SANDBOX_UNJUDGED;
}

enum sandbox_life sandbox_life_judge(const char *name, char **said)
{
    AUTO_SANDBOX_OWNER owner = SANDBOX_OWNER_INIT;
    AUTO_ERROR err = ERROR_INIT;
    int known = sandbox_owner_read(name, &owner, &err);
    if (known < 0) {
        *said = xasprintf("a sandbox whose owner cannot be read (%s): whether it is in use cannot be told",
                          error_text(&err));
        return SANDBOX_UNJUDGED;
    }
    if (known == 0)
        return judge_unowned(name, said);
    AUTO_FREE char *whose = sandbox_whose(&owner);
    int processes = owner.machine ? processes_of(owner.machine, &err) : -1;
    if (processes < 0) {
        *said = xasprintf("%s; whether it runs cannot be told", whose);
        return SANDBOX_UNJUDGED;
    }
    int folder = owner.directory ? file_look(owner.directory, &err) : -1;
    if (processes > 0) {
        *said = xasprintf("%s; it runs%s", whose,
                          folder == 0 ? ", though the project's folder is not to be seen here" : "");
        return SANDBOX_RUNS;
    }
    if (folder > 0) {
        *said = xasprintf("%s; it does not run", whose);
        return SANDBOX_RESTS;
    }
    if (folder < 0 || !sandbox_owner_sees_the_same(&owner)) {
        *said = xasprintf("%s; it does not run, and the project's folder cannot be seen from here", whose);
        return SANDBOX_UNJUDGED;
    }
    *said = xasprintf(
        "%s; nothing of it runs, and the project has it no more (had its folder only been moved, any "
        "command that acts in it takes this along)",
        whose);
    return SANDBOX_DEAD;
}

char *sandbox_removal(const char *name)
{
    return xasprintf("ip link del %s; ip netns del %s; nft delete table ip %s; umount -R " SANDBOX_HOME
                     "/%s/root; rm -r --one-file-system " SANDBOX_HOME "/%s",
                     name, name, name, name, name);
}
