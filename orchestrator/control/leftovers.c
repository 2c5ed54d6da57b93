#include "control/leftovers.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/layout.h"
#include "process/marked.h"
#include "process/scope.h"
#include "provider/provider.h"
#include "sandbox/boot.h"
#include "sandbox/mounts.h"
#include "sandbox/network.h"
#include "sandbox/owner.h"

static void look_at_path(const char *what, const char *path, struct words *left)
{
    if (file_exists(path))
        words_addf(left, "%s %s", what, path);
}

static int look_at_marker(const char *name, const char *id, struct words *left, struct error *err)
{
    AUTO_FREE char *marker = xasprintf("%s=%s", name, id);
    int count = sweep_find(marker, NULL, err);
    if (count > 0)
        words_addf(left, "%d processes with %s", count, marker);
    return count < 0 ? -1 : 0;
}

static int look_at_run(const char *run, struct words *left, struct error *err)
{
    static const char *const transports[] = {"direct", "tailnet", "tailnet-userspace"};
    const char *root = scope_root(NULL);
    AUTO_FREE char *scope = root ? xasprintf("%s/run-%s", root, run) : NULL;
    if (scope)
        look_at_path("scope", scope, left);
    for (size_t i = 0; i < COUNT_OF(transports); i++) {
        AUTO_FREE char *sockets = layout_sockets(run, transports[i]);
        look_at_path("sockets", sockets, left);
    }
    return look_at_marker("TRIPHASE_RUN", run, left, err);
}

static int look_at_sandbox(const char *machine, struct words *left, struct error *err)
{
    char name[SANDBOX_NAME_SIZE];
    const char *root = scope_root(NULL);
    AUTO_FREE char *scope = root ? xasprintf("%s/machine-%s", root, machine) : NULL;
    if (scope)
        look_at_path("scope", scope, left);
    if (sandbox_name(machine, name, err) < 0 || boot_left(machine, name, left, err) < 0 ||
        mounts_left(name, left, err) < 0 || network_left(name, left, err) < 0)
        return -1;
    AUTO_FREE char *folder = sandbox_path(name, NULL);
    look_at_path("folder", folder, left);
    return look_at_marker("TRIPHASE_MACHINE", machine, left, err);
}

int leftovers_look(const char *state, const char *provider, const char *machine, const char *const *runs,
                   struct words *left, struct error *err)
{
    for (; *runs; runs++)
        if (look_at_run(*runs, left, err) < 0)
            return -1;
    if (!machine)
        return 0;
    AUTO_FREE char *folder = layout_machine(state, machine);
    look_at_path("folder", folder, left);
    return text_is(provider, provider_sandbox.name) ? look_at_sandbox(machine, left, err) : 0;
}
