/* Which phases that ask for mitogen go without it, and what for. */
#include "ansible/mitogen.h"

#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"
#include "unit/folder.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void fill(void)
{
    folder_fill();
    folder_write("phases/vault.yml",
                 "phases:\n  - {name: install, playbook: playbooks/install.yml, accelerate: mitogen}\n"
                 "  - {name: b, playbook: playbooks/b.yml, accelerate: mitogen}\n"
                 "  - {name: c, playbook: playbooks/install.yml}\n");
    folder_write("playbooks/b.yml", "- hosts: all\n");
}

TestSuite(mitogen, .timeout = 60, .init = fill, .fini = folder_clean);

/* An ansible-playbook that pip would have installed, whose interpreter answers with these words. */
static char *plain_script(const char *answer)
{
    AUTO_FREE char *interpreter = folder_path("python3"), *program = folder_path("ansible-playbook");
    AUTO_FREE char *script =
        xasprintf("#!%s\nimport sys\nfrom ansible.cli.playbook import main\n", interpreter);
    AUTO_FREE char *answers = xasprintf("#!/bin/sh\ncat >/dev/null\n%s\n", answer);
    folder_write("python3", answers);
    folder_write("ansible-playbook", script);
    cr_assert(chmod(interpreter, 0755) == 0 && chmod(program, 0755) == 0);
    return TAKE(program);
}

static void expect_refused(const char *what, const char *answer, const char *install, const char *b)
{
    AUTO_PROJECT *project = folder_load();
    AUTO_WORDS found = WORDS_INIT;
    free(project->ansible);
    project->ansible = plain_script(answer);
    mitogen_refusals(project, &project->targets[0], &found);
    const char *of_install = words_env(&found, "install"), *of_b = words_env(&found, "b");
    cr_expect(install ? of_install && strstr(of_install, install) : !of_install, "%s: %s", what, of_install);
    cr_expect(b ? of_b && strstr(of_b, b) : !of_b, "%s: %s", what, of_b);
    cr_expect_null(words_env(&found, "c"), "%s: it did not ask", what);
}

Test(mitogen, the_interpreter_says_whether_it_has_one_that_was_tried_with_its_ansible)
{
    expect_refused("it has", "echo yes", NULL, NULL);
    expect_refused("it has not", "echo 'mitogen is not there'", "mitogen is not there",
                   "mitogen is not there");
    expect_refused("it fails", "echo 'no such thing' >&2; exit 3", "no such thing", "cannot be told");
}

/* The question itself, to an interpreter with packages of these versions; mitogen "": none. */
Test(mitogen, only_versions_that_were_tried_with_each_other_are_taken)
{
    static const struct {
        const char *ansible, *mitogen, *why;
    } rows[] = {
        {"2.14.18", "(0, 3, 54)", NULL},
        {"2.19.14", "(0, 3, 54)", NULL},
        {"2.21.5", "(0, 3, 54)", NULL},
        {"2.21.5", "(0, 3, 53)", "mitogen 0.3.53 was not tried, but 0.3.54"},
        {"2.20.1", "(0, 3, 54)", "mitogen was not tried with ansible-core 2.20.1, but with 2.14, 2.19, 2.21"},
        {"2.22.0rc1", "(0, 3, 54)", "mitogen was not tried with ansible-core 2.22.0rc1"},
        {"2.19.14", "", "mitogen is not there"},
    };
    AUTO_FREE char *top = getcwd(NULL, 0), *packages = folder_path("packages");
    AUTO_FREE char *answer = xasprintf("unset TRIPHASE_MITOGEN; PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=%s exec "
                                       "python3 %s/launcher/triphase_mitogen.py --ask",
                                       packages, top);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *ansible = xasprintf("__version__ = '%s'\n", rows[i].ansible),
                       *mitogen = xasprintf("__version__ = %s\n", rows[i].mitogen);
        folder_write("packages/ansible/__init__.py", "");
        folder_write("packages/ansible/release.py", ansible);
        folder_write("packages/mitogen/__init__.py", *rows[i].mitogen ? mitogen : "");
        folder_write("packages/ansible_mitogen/__init__.py", "");
        expect_refused(rows[i].ansible, answer, rows[i].why, rows[i].why);
    }
}

Test(mitogen, a_folder_of_async_jobs_of_an_inventory_goes_without)
{
    AUTO_PROJECT *project = folder_load();
    AUTO_WORDS found = WORDS_INIT;
    free(project->ansible);
    project->ansible = plain_script("echo yes");
    project->targets[0].host_variables = json_new_object();
    json_set_string(project->targets[0].host_variables, "ansible_async_dir", "/x");
    mitogen_refusals(project, &project->targets[0], &found);
    cr_has(words_env(&found, "install"), "ansible_async_dir of the inventory");
}

Test(mitogen,
     a_play_of_a_strategy_that_it_has_not_and_a_folder_of_async_jobs_that_it_does_not_know_go_without)
{
    static const struct {
        const char *play, *why;
    } rows[] = {
        {"  strategy: free\n", NULL},
        {"  strategy: ansible.builtin.host_pinned\n", NULL},
        {"  strategy: ansible.legacy.linear\n", NULL},
        {"  strategy: mitogen_linear\n", NULL},
        {"  strategy: debug\n", "playbooks/b.yml:2: mitogen has no strategy debug"},
        {"  strategy: '{{ mine }}'\n", "mitogen has no strategy {{ mine }}"},
        {"  vars: {ansible_async_dir: /x}\n", "playbooks/b.yml:2: ansible_async_dir is set"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *play = xasprintf("- hosts: all\n%s", rows[i].play);
        folder_write("playbooks/b.yml", play);
        expect_refused(rows[i].play, "echo yes", NULL, rows[i].why);
    }
}

Test(mitogen, a_setting_that_says_so_is_of_all_phases)
{
    static const struct {
        const char *config, *why;
    } rows[] = {
        {"strategy = linear", NULL},
        {"strategy = mitogen_free", NULL},
        {"strategy = debug", "ansible.cfg:2: mitogen has no strategy debug"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *config = xasprintf("[defaults]\n%s\n", rows[i].config);
        folder_write("ansible.cfg", config);
        expect_refused(rows[i].config, "echo yes", rows[i].why, rows[i].why);
    }
    folder_write("ansible.cfg", "");
    cr_assert(setenv("ANSIBLE_ASYNC_DIR", "/x", 1) == 0);
    expect_refused("a folder of async jobs", "echo yes", "names a folder for async jobs",
                   "ANSIBLE_ASYNC_DIR");
    cr_assert(unsetenv("ANSIBLE_ASYNC_DIR") == 0);
}
