#include "preflight/doctor.h"

#include "ansible/found.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/layout.h"
#include "config/programs.h"
#include "config/provider_facts.h"
#include "preflight/cloud_facts.h"
#include "preflight/tailnet_facts.h"
#include "process/program.h"
#include "process/scope.h"
#include "provider/provider.h"
#include "sandbox/check.h"
#include "sandbox/life.h"

#include <string.h>
#include <unistd.h>

#define BOUND (10 * NS_PER_S)

static void look_at_scopes(struct facts *out)
{
    const char *reason = NULL;
    const char *root = scope_root(&reason);
    if (root)
        facts_add(out, "scopes", FACT_OK, xasprintf("steps end whole by their cgroup below %s", root), NULL,
                  NULL);
    else
        facts_add(out, "scopes", FACT_WARNING,
                  xasprintf("no cgroup is to be had (%s): what a step leaves is found by its session and "
                            "environment instead",
                            reason ? reason : "unknown"),
                  geteuid() == 0 ? "in a container: docker run --privileged --cgroupns=private …"
                                 : "systemd-run --user --scope -p Delegate=yes triphase …",
                  NULL);
}

static void look_at_ssh(struct facts *out)
{
    static const char *const argv[] = {"ssh", "-V", NULL};
    struct program program = {.argv = argv, .bound_ns = BOUND};
    struct child_end end;
    AUTO_TEXT said = TEXT_INIT;
    if (program_run(&program, NULL, &said, &end, NULL) == 0)
        facts_add(out, "openssh", FACT_OK,
                  xasprintf("%.*s", (int)strcspn(text_string(&said), ",\r\n"), text_string(&said)), NULL,
                  NULL);
    else
        facts_add(out, "openssh", FACT_MISSING,
                  xstrdup("the program ssh is missing: every host is reached with it"),
                  "apt-get install -y openssh-client", "openssh-client");
}

static void look_at_ansible(const struct project *project, struct facts *out)
{
    static const char install[] = "apt-get install -y ansible-core, or: " ANSIBLE_INSTALL_LINE;
    AUTO_FREE char *program = programs_own(),
                   *places = programs_path(NULL, (const char *const *)environ, program),
                   *found = project ? (project->ansible_found ? xstrdup(project->ansible) : NULL)
                                    : file_find_program("ansible-playbook", places);
    if (!found) {
        facts_add(out, "ansible", FACT_MISSING,
                  xasprintf("%s is not to be found: no phase can run",
                            project ? project->ansible : "ansible-playbook"),
                  install, NULL);
        return;
    }
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *version = ansible_version(found, &err);
    if (version)
        facts_add(out, "ansible", FACT_OK, xasprintf("ansible-core %s (%s)", version, found), NULL, NULL);
    else
        facts_add(out, "ansible", FACT_MISSING, xasprintf("%s does not work: %s", found, error_text(&err)),
                  install, NULL);
}

static void look_at_store(const struct project *project, struct facts *out)
{
    AUTO_FREE char *state = layout_state(project->directory);
    const char *at = file_is_dir(state) ? state : project->directory;
    if (file_is_remote(at))
        facts_add(out, "store", FACT_WARNING,
                  xasprintf("%s is on a network or FUSE file system: the store works there without its "
                            "write-ahead log, slower",
                            at),
                  "keep the project on a local file system", NULL);
    else if (access(at, W_OK) < 0)
        facts_add(out, "store", FACT_MISSING, xasprintf("%s cannot be written: no run could be recorded", at),
                  "run triphase as the user whom the project belongs to", NULL);
    else
        facts_add(out, "store", FACT_OK, xasprintf("%s can hold the store", at), NULL, NULL);
}

/* How to remove one is said only of what is dead beyond doubt. */
static void look_at_sandboxes(struct facts *out)
{
    AUTO_LISTING found = {0};
    AUTO_ERROR err = ERROR_INIT;
    if (provider_sandbox.list(NULL, NULL, &found, &err) < 0)
        facts_add(out, "sandboxes", FACT_WARNING, xstrdup(error_text(&err)), NULL, NULL);
    for (size_t i = 0; i < found.count; i++) {
        const char *name = found.items[i].reference;
        char *said = NULL;
        enum sandbox_life life = sandbox_life_judge(name, &said);
        AUTO_FREE char *mend = life == SANDBOX_DEAD ? sandbox_removal(name) : NULL;
        facts_add(out, name, life == SANDBOX_RUNS || life == SANDBOX_RESTS ? FACT_OK : FACT_WARNING, said,
                  mend, NULL);
    }
}

bool doctor_look(const struct project *project, struct facts *out)
{
    AUTO_FACTS sandbox = {NULL, 0};
    const char *root = NULL;
    for (size_t i = 0; project && i < project->target_count && !root; i++)
        if (provider_facts(project->targets[i].provider)->local)
            root = project->targets[i].root;
    sandbox_facts(root, &sandbox);
    bool works = !facts_have_missing(&sandbox);
    for (size_t i = 0; i < sandbox.count; i++)
        facts_add(out, sandbox.items[i].name, sandbox.items[i].state, xstrdup(sandbox.items[i].what),
                  sandbox.items[i].mend, sandbox.items[i].package);
    look_at_scopes(out);
    look_at_ssh(out);
    look_at_ansible(project, out);
    tailnet_facts_add(project, out);
    cloud_facts_add(project, out);
    if (project)
        look_at_store(project, out);
    look_at_sandboxes(out);
    return works;
}
