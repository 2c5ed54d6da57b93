#include "control/leftovers.h"

#include "base/file.h"
#include "base/memory.h"
#include "config/layout.h"
#include "config/marks.h"
#include "process/marked.h"
#include "process/scope.h"
#include "provider/provider.h"

static void look_at_path(const char *what, const char *path, struct words *left)
{
    if (file_exists(path))
        words_addf(left, "%s %s", what, path);
}

static int look_at_marker(const char *marker, struct words *left, struct error *err)
{
    int count = marked_find(marker, NULL, err);
    if (count > 0)
        words_addf(left, "%d processes with %s", count, marker);
    return count < 0 ? -1 : 0;
}

static void look_at_scope(const char *name, struct words *left)
{
    const char *root = scope_root(NULL);
    AUTO_FREE char *path = root ? file_join(root, name) : NULL;
    if (path)
        look_at_path("scope", path, left);
}

static int look_at_run(const char *run, struct words *left, struct error *err)
{
    AUTO_FREE char *marker = marks_run(run), *name = marks_run_scope(run);
    look_at_scope(name, left);
    for (int kind = 0; kind < TRANSPORT_KINDS; kind++) {
        AUTO_FREE char *sockets = layout_sockets(run, (enum transport_kind)kind);
        look_at_path("sockets", sockets, left);
    }
    return look_at_marker(marker, left, err);
}

/* A machine that is a guest of this one. */
static int look_at_guest(const struct provider *provider, const char *machine, struct words *left,
                         struct error *err)
{
    AUTO_FREE char *marker = marks_machine(machine), *name = marks_machine_scope(machine);
    look_at_scope(name, left);
    return provider->left(machine, left, err) < 0 ? -1 : look_at_marker(marker, left, err);
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
