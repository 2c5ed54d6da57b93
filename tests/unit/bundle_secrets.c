/* What a bundle must not hold is asked for without handing it to those who are asked. */
#include "bundle/secrets.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "process/child.h"
#include "unit/folder.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(bundle_secrets, .timeout = 60, .fini = folder_clean);

Test(bundle_secrets, the_ansible_that_opens_vaults_has_no_secret_of_any_target_in_its_environment)
{
    AUTO_FREE char *interpreter = folder_path("bin/interpreter"), *seen = folder_path("seen"),
                   *ansible = folder_path("bin/ansible-playbook"), *state = folder_path(".triphase"),
                   *entry = xasprintf("SEEN=%s", seen),
                   *script = xasprintf("#!%s\nfrom ansible.cli.playbook import main\n", interpreter);
    folder_fill();
    folder_write("triphase.yml", "project: demo\nansible: bin/ansible-playbook\n"
                                 "targets:\n  vault: {recipe: vault, secrets: {token: {env: DEMO_SOURCE}}}\n"
                                 "  other: {recipe: vault, become_password: {env: OTHERS_SOURCE}}\n");
    folder_write("bin/interpreter", "#!/bin/sh\nenv >\"$SEEN\"\n");
    folder_write("bin/ansible-playbook", script);
    cr_assert(chmod(interpreter, 0755) == 0 && chmod(ansible, 0755) == 0 && mkdir(state, 0700) == 0);
    AUTO_PROJECT *project = folder_load();
    project_secret_variables(project, child_keep_back);
    const char *const environment[] = {"PATH=/usr/bin:/bin",
                                       "DEMO_SOURCE=planted-value",
                                       "OTHERS_SOURCE=planted-value",
                                       "OTHER=kept",
                                       entry,
                                       NULL};
    struct bundle_secrets from = {.project = project,
                                  .target = project_target(project, "vault", NULL),
                                  .state = state,
                                  .target_name = "vault",
                                  .environment = environment};
    struct redact_rules *rules = redact_rules_new();
    AUTO_JSON *unread = json_new_array();
    bundle_secrets_add(&from, rules, unread);
    redact_rules_free(rules);
    AUTO_TEXT text = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(file_read(seen, 1 << 20, &text, &err), 0, "%s", error_text(&err));
    cr_has(text_string(&text), "OTHER=kept");
    cr_has_not(text_string(&text), "planted-value");
}
