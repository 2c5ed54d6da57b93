#include "run/async_directory.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "playbook/scan.h"
#include "process/look.h"
#include "process/marked.h"
#include "process/program.h"
#include "transport/master_control.h"
#include "transport/ssh_words.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int64_t tidy_bound = 5 * NS_PER_S;

static bool is_mitogen_job(pid_t pid)
{
    enum { GENERATIONS = 256 };
    for (int up = 0; pid > 1 && up < GENERATIONS; up++) {
        struct process_look process;
        AUTO_TEXT words = TEXT_INIT;
        if (!process_look(pid, &process))
            return false;
        if (process.no_exec && process.session == pid)
            process_look_words(pid, &words);
        if (strstr(text_string(&words), "(mitogen:"))
            return true;
        pid = process.parent;
    }
    return false;
}

bool async_directory_is_of_job(pid_t pid)
{
    return marked_with_name(pid, "ANSIBLE_ASYNC_DIR=") || is_mitogen_job(pid);
}

bool async_directory_is_fixed(const struct project *project, const struct target *target)
{
    const struct recipe *recipe = project_recipe(project, target->recipe);
    bool found = false;
    for (size_t i = 0; recipe && i < recipe->phase_count + recipe->teardown_count && !found; i++) {
        const struct phase *phase =
            i < recipe->phase_count ? &recipe->phases[i] : &recipe->teardown[i - recipe->phase_count];
        struct scan scan = {0};
        if (project_accelerate(target, phase) == ACCELERATE_MITOGEN)
            return true;
        scan_playbook(project, phase->playbook, &scan);
        for (size_t k = 0; k < scan.count; k++)
            found = found ||
                    (scan.items[k].kind == SCAN_STRATEGY && ansible_strategy_is_mitogen(scan.items[k].text));
        scan_clear(&scan);
    }
    return found;
}

char *async_directory(const struct target *target, const struct ansible_settings *settings, bool fixed,
                      const char *root_run)
{
    const struct ansible_setting *theirs = &settings->of[SETTING_ASYNC_DIR];
    if (json_get_string(target->host_variables, "ansible_async_dir", NULL))
        return NULL;
    /* Handed on as a variable, it is no part of every process's environment. */
    if (theirs->value && *theirs->value)
        return text_starts(theirs->origin, "environment ") ? xstrdup(theirs->value) : NULL;
    if (fixed || ansible_strategy_is_mitogen(settings->of[SETTING_STRATEGY].value))
        return NULL;
    return xasprintf("~/.ansible_async/triphase-%s", root_run);
}

/* As root where that is to be had: tasks may have become anybody. */
static void tidy_host(const char *folder, const char *control_path)
{
    AUTO_TEXT path = TEXT_INIT, script = TEXT_INIT;
    text_add(&path, "ControlPath=");
    ssh_add_option_value(&path, control_path, true);
    text_addf(&script,
              "exec 2>/dev/null\nrmdir \"$HOME/%s\"\n"
              "while IFS=: read -r n p u g c home shell; do rmdir \"$home/%s\"; done </etc/passwd\n",
              folder, folder);
    const char *const argv[] = {
        "ssh",
        "-F",
        "none",
        "-T",
        "-o",
        "ControlMaster=no",
        "-o",
        "ProxyCommand=false",
        "-o",
        text_string(&path),
        "--",
        "x",
        "exec /bin/sh -c 'if [ \"$(id -u)\" != 0 ] && sudo -n true </dev/null >/dev/null "
        "2>&1; then exec sudo -n /bin/sh; fi; exec /bin/sh'",
        NULL};
    struct program program = {.argv = argv, .input = text_string(&script), .bound_ns = tidy_bound};
    struct child_end end;
    (void)program_run(&program, NULL, NULL, &end, NULL);
}

void async_directory_tidy(const char *root_run, const char *control_path)
{
    AUTO_FREE char *folder = xasprintf(".ansible_async/triphase-%s", root_run);
    const char *home = getenv("HOME");
    AUTO_FREE char *here = home ? file_join(home, folder) : NULL;
    if (here)
        (void)rmdir(here);
    if (master_socket_there(control_path))
        tidy_host(folder, control_path);
}
