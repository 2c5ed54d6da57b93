/* What the recipe vault keeps beyond a machine's life, and what it lets its host keep: on real hosts, in
 * `make soak`. */
#include "lab/vault.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "lab/sandbox.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

TestSuite(vault_state, .timeout = 1500);

static char *lineage_of(struct lab *lab)
{
    AUTO_JSON *kept = vault_kept(lab);
    return xstrdup(json_get_string(kept, "lineage", ""));
}

static struct lab *made(void)
{
    struct lab *lab = vault_lab();
    vault_expect(lab, 0, "create", NULL);
    return lab;
}

static void hold_well(struct lab *lab)
{
    vault_expect_active(lab);
    vault_expect(lab, 0, "run", "vault", "--check-idempotent", NULL);
}

Test(vault_state, a_life_that_is_given_up_is_moved_aside_and_the_next_one_is_another)
{
    struct lab *lab = made();
    AUTO_FREE char *first = lineage_of(lab), *state = vault_state(lab);
    cr_assert(eq(sz, strlen(first), 64));
    vault_expect(lab, 0, "destroy", "vault", "--yes", NULL);
    AUTO_FREE char *shares = file_join(state, "init.json"), *kept = lab_read(lab, shares);
    rig_shell("rm -rf %s/%s/store", lab_folder(lab), state);

    struct lab_result refused = vault_expect(lab, 2, "create", "vault", NULL);
    AUTO_FREE char *advice = xasprintf("-e vault_begin_anew=%s", first),
                   *variable = xasprintf("vault_begin_anew=%s", first);
    cr_assert(strstr(refused.err, advice) != NULL, "%s", refused.err);
    AUTO_FREE char *after = lab_read(lab, shares);
    cr_assert(eq(str, after, kept), "a refusal touched what is kept");
    refused = vault_expect(lab, 2, "run", "vault", "converge", "--", "-e",
                           "vault_begin_anew=0123456789abcdef", NULL);
    cr_assert(strstr(refused.err, "Nothing was moved") != NULL, "%s", refused.err);

    vault_expect(lab, 0, "create", "vault", "--", "-e", variable, NULL);
    vault_expect_active(lab);
    AUTO_FREE char *second = lineage_of(lab),
                   *aside = rig_output("cat %s/%s/aside/*-%s/init.json", lab_folder(lab), state, first);
    cr_assert(ne(str, second, first));
    cr_assert(eq(str, aside, kept));
    /* The words may stay where they were said: they name nothing any more. */
    vault_expect(lab, 0, "run", "vault", "converge", "--", "-e", variable, NULL);
    hold_well(lab);
    AUTO_FREE char *third = lineage_of(lab);
    cr_assert(eq(str, third, second));
}

Test(vault_state, a_host_that_is_not_to_unseal_itself_has_no_share)
{
    struct lab *lab = made();
    vault_expect(lab, 0, "run", "vault", "converge", "--", "-e", "vault_common_local_unseal=false", NULL);
    AUTO_FREE char *left = vault_guest(lab, "ls /etc/openbao/unseal.shares 2>/dev/null || true", NULL, NULL);
    cr_assert(eq(str, left, ""));
    vault_reboot(lab);
    cr_assert(eq(int, vault_ask(lab, NULL, "GET", "/v1/sys/health", NULL), 503));
    vault_expect(lab, 0, "run", "vault", "converge", "--", "-e", "vault_common_local_unseal=false", NULL);
    AUTO_FREE char *changed = vault_changed(lab);
    cr_assert(eq(str, changed, "Give the shares that unseal"));
    vault_expect_active(lab);
}

static char *serial(struct lab *lab)
{
    return vault_guest(lab, "openssl x509 -noout -serial -in /etc/openbao/tls/tls.crt", NULL, NULL);
}

Test(vault_state, a_certificate_near_its_end_is_signed_anew_by_the_same_authority)
{
    struct lab *lab = made();
    AUTO_FREE char *state = vault_state(lab), *ca_path = file_join(state, "ca.crt"),
                   *ca = lab_read(lab, ca_path), *before = serial(lab);
    vault_expect(lab, 0, "run", "vault", "--", "-e", "vault_install_renew_days=398", NULL);
    AUTO_FREE char *after = serial(lab), *ca_after = lab_read(lab, ca_path);
    cr_assert(ne(str, after, before));
    cr_assert(eq(str, ca_after, ca));
    hold_well(lab);
    AUTO_FREE char *key =
        vault_guest(lab, "grep -rl 'BEGIN.*PRIVATE' /etc/openbao /root /var/lib/openbao /tmp | sort", NULL,
                    NULL);
    cr_assert(eq(str, key, "/etc/openbao/tls/tls.key\n"), "a key too many on the host");
}

Test(vault_state, what_was_kept_with_the_machine_is_moved_once)
{
    struct lab *lab = made();
    AUTO_FREE char *state = vault_state(lab), *machine = lab_sql(lab, "SELECT id FROM machine"),
                   *token_path = file_join(state, "admin.token"), *token = lab_read(lab, token_path),
                   *lineage = lineage_of(lab);
    rig_shell("cd %s && old=.triphase/machines/%s/state && mkdir -p $old && grep -v lineage %s/init.json "
              ">$old/vault-init.json && mv %s/admin.token $old/vault-admin.token && mv %s/tls.crt "
              "$old/vault-tls.crt && rm %s/init.json %s/receipt.json",
              lab_folder(lab), machine, state, state, state, state, state);
    vault_expect(lab, 0, "run", "vault", NULL);
    AUTO_FREE char *moved = lineage_of(lab), *token_after = lab_read(lab, token_path),
                   *left = rig_output("ls -A %s/.triphase/machines/%s/state", lab_folder(lab), machine);
    cr_assert(eq(str, moved, lineage));
    cr_assert(eq(str, token_after, token));
    cr_assert(eq(str, left, ""));
    hold_well(lab);
}

Test(vault_state, a_server_whose_address_comes_up_late_after_a_boot_waits_for_it)
{
    struct lab *lab = vault_lab();
    lab_write(lab, "triphase.yml",
              "project: lab\ntargets:\n  vault:\n    recipe: vault\n    vars: {vault_install_listen: "
              "198.51.100.7}\n");
    lab_write(
        lab, "playbooks/vault/address.yml",
        "- hosts: recipe_vault\n  gather_facts: false\n  tasks:\n"
        "    - ansible.builtin.copy:\n        dest: /etc/systemd/system/late.service\n        mode: '0644'\n"
        "        content: |\n          [Service]\n          Type=oneshot\n          ExecStart=/bin/sh -c "
        "'until systemctl show -P ControlPID openbao | grep -q [1-9]; do sleep 0.1; done; sleep 2; ip "
        "address add 198.51.100.7/32 dev lo'\n          [Install]\n          "
        "WantedBy=multi-user.target\n"
        "    - ansible.builtin.command: systemctl enable late.service\n"
        "    - ansible.builtin.command: ip address add 198.51.100.7/32 dev lo\n");
    AUTO_FREE char *recipe = lab_read(lab, "phases/vault.yml");
    char *at = strstr(recipe, "phases:\n");
    cr_assert(at != NULL);
    at += strlen("phases:\n");
    lab_write(lab, "phases/vault.yml", "%.*s  - name: address\n    playbook: playbooks/vault/address.yml\n%s",
              (int)(at - recipe), recipe, at);
    vault_expect(lab, 0, "create", NULL);
    /* A sandbox's network is there before it boots, and would have it still. */
    free(vault_guest(lab, "ip address del 198.51.100.7/32 dev lo", NULL, NULL));
    vault_reboot(lab);
    free(vault_guest(lab, "timeout 60 systemctl start openbao openbao-unseal", NULL, NULL));
    AUTO_FREE char *said =
        vault_guest(lab,
                    "curl -s --cacert /etc/openbao/tls/ca.crt -o /dev/null -w '%{http_code}' "
                    "https://127.0.0.1:8200/v1/sys/health; ss -Hltn | grep -c 198.51.100.7:8200",
                    NULL, NULL);
    cr_assert(eq(str, said, "2001\n"));
}
