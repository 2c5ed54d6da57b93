/* What makes a phase's Ansible faster: who says it, and what is really used. */
#include "ansible/accelerate.h"

#include "base/memory.h"
#include "base/text.h"
#include "unit/folder.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(accelerate, .timeout = 60, .init = folder_fill, .fini = folder_clean);

#define TWO_PHASES                                                                                      \
    "phases:\n  - {name: install, playbook: playbooks/install.yml, accelerate: mitogen}\n  - {name: b," \
    " playbook: playbooks/install.yml}\n"

/* "install b": how each of the two is to be made faster. */
static char *asked(void)
{
    AUTO_PROJECT *project = folder_load();
    const struct recipe *recipe = project_recipe(project, "vault");
    return xasprintf("%s %s", accelerate_name(project_accelerate(&project->targets[0], &recipe->phases[0])),
                     accelerate_name(project_accelerate(&project->targets[0], &recipe->phases[1])));
}

Test(accelerate, a_phase_may_say_it_else_its_target_and_one_variable_says_it_for_all)
{
    static const struct {
        const char *target, *variables[2], *set, *asked;
    } rows[] = {
        {"", {NULL}, NULL, "mitogen warm"},
        {", accelerate: none", {NULL}, NULL, "mitogen none"},
        {", accelerate: none", {"TRIPHASE_ACCELERATE=warm"}, NULL, "warm warm"},
        {"", {"TRIPHASE_ACCELERATE=none"}, NULL, "none none"},
        {"", {"TRIPHASE_ACCELERATE="}, NULL, "mitogen warm"},
        {"",
         {"TRIPHASE_ACCELERATE=none", "TRIPHASE_PHASES_VAULT_INSTALL_ACCELERATE=warm"},
         NULL,
         "warm none"},
        {"", {"TRIPHASE_ACCELERATE=none", "TRIPHASE_TARGETS_VAULT_ACCELERATE=warm"}, NULL, "none warm"},
        {"", {"TRIPHASE_ACCELERATE=none"}, "targets.vault.accelerate=mitogen", "none mitogen"},
        {"", {"TRIPHASE_ACCELERATE=none"}, "phases.vault.b.accelerate=warm", "none warm"},
        {"", {NULL}, "phases.vault.defaults.accelerate=none", "none none"},
    };
    folder_write("phases/vault.yml", TWO_PHASES);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *file =
            xasprintf("project: demo\ntargets:\n  vault: {recipe: vault%s}\n", rows[i].target);
        folder_write("triphase.yml", file);
        folder_environment(rows[i].variables[0], rows[i].variables[1], NULL);
        folder_sets(rows[i].set, NULL);
        AUTO_FREE char *found = asked();
        cr_expect_str_eq(found, rows[i].asked, "row %zu: %s", i, found);
    }
}

Test(accelerate, what_the_variable_says_is_told_as_its_origin_and_a_wrong_word_is_refused_once)
{
    folder_write("phases/vault.yml", TWO_PHASES);
    folder_environment("TRIPHASE_ACCELERATE=none", NULL);
    AUTO_PROJECT *project = folder_load();
    AUTO_FREE char *target = folder_explain(project, "targets.vault.accelerate"),
                   *install = folder_explain(project, "phases.vault.install.accelerate"),
                   *other = folder_explain(project, "phases.vault.b.accelerate");
    cr_expect_str_eq(target, "none <- environment TRIPHASE_ACCELERATE | built-in: warm");
    cr_has(install, "none <- environment TRIPHASE_ACCELERATE | phases/vault.yml:2:");
    cr_expect_str_eq(other, "null <- built-in (the target's)");
    folder_environment("TRIPHASE_ACCELERATE=mitogn", NULL);
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_expect_str_eq(said, "environment TRIPHASE_ACCELERATE: there is no 'mitogn'; did you mean 'mitogen'?");
}

/* A program that pip and Debian would have installed, run by an interpreter that is there. */
static char *plain_script(void)
{
    AUTO_FREE char *interpreter = folder_path("python3"), *program = folder_path("ansible-playbook");
    AUTO_FREE char *script =
        xasprintf("#!%s\nimport sys\nfrom ansible.cli.playbook import main\n", interpreter);
    folder_write("python3", "#!/bin/sh\n");
    folder_write("ansible-playbook", script);
    cr_assert(chmod(interpreter, 0755) == 0 && chmod(program, 0755) == 0);
    return TAKE(program);
}

Test(accelerate, less_than_what_was_asked_for_is_used_only_with_the_reason)
{
    AUTO_FREE char *plain = plain_script(), *other = folder_path("wrapper");
    folder_write("wrapper", "#!/bin/sh\nexec ansible-playbook \"$@\"\n");
    const struct {
        enum accelerate asked;
        char *program;
        enum accelerate used;
        const char *why;
    } rows[] = {
        {ACCELERATE_NONE, plain, ACCELERATE_NONE, NULL},
        {ACCELERATE_NONE, other, ACCELERATE_NONE, NULL},
        {ACCELERATE_WARM, plain, ACCELERATE_WARM, NULL},
        {ACCELERATE_WARM, other, ACCELERATE_NONE,
         "/wrapper is not the plain script that pip and Debian install"},
        {ACCELERATE_MITOGEN, other, ACCELERATE_NONE,
         "/wrapper is not the plain script that pip and Debian install"},
        {ACCELERATE_MITOGEN, plain, ACCELERATE_MITOGEN, NULL},
        {ACCELERATE_MITOGEN, plain, ACCELERATE_WARM, "mitogen is not there"},
    };
    AUTO_WORDS refused = WORDS_INIT;
    words_set_env(&refused, "install", "mitogen is not there");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct project project = {.ansible = rows[i].program};
        struct target target = {.accelerate = rows[i].asked};
        struct phase phase = {.name = "install"};
        AUTO_ACCELERATION found = ACCELERATION_INIT;
        accelerate_decide(&project, &target, &phase, i == COUNT_OF(rows) - 1 ? &refused : NULL, &found);
        cr_expect_eq(found.kind, rows[i].used, "row %zu: %s", i, accelerate_name(found.kind));
        cr_expect(rows[i].why ? found.why && text_ends(found.why, rows[i].why) : !found.why, "row %zu: %s", i,
                  found.why);
    }
}
