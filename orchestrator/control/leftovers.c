#include "control/leftovers.h"

#include "base/file.h"
#include "base/memory.h"
#include "config/layout.h"
#include "process/marked.h"
#include "process/scope.h"
#include "provider/provider.h"

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
    const char *root = scope_root(NULL);
    AUTO_FREE char *scope = root ? xasprintf("%s/run-%s", root, run) : NULL;
    if (scope)
        look_at_path("scope", scope, left);
    for (int kind = 0; kind < TRANSPORT_KINDS; kind++) {
        AUTO_FREE char *sockets = layout_sockets(run, (enum transport_kind)kind);
        look_at_path("sockets", sockets, left);
    }
    return look_at_marker("TRIPHASE_RUN", run, left, err);
}

/* A machine that is a guest of this one. */
static int look_at_guest(const struct provider *provider, const char *machine, struct words *left,
                         struct error *err)
{
    const char *root = scope_root(NULL);
    AUTO_FREE char *scope = root ? xasprintf("%s/machine-%s", root, machine) : NULL;
    if (scope)
        look_at_path("scope", scope, left);
    return provider->left(machine, left, err) < 0 ? -1
                                                  : look_at_marker("TRIPHASE_MACHINE", machine, left, err);
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
    const struct provider *calls = provider_named(provider);
    return calls && calls->left ? look_at_guest(calls, machine, left, err) : 0;
}
