/* The life of a vault beyond its host: a secret is written, a snapshot taken and brought here, the host
 * destroyed, and the next one made of what was kept. */
#include "lab/vault.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "lab/sandbox.h"
#include "process/child.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(vault_restore, .timeout = 580);

#define ACCESS_KEY "AKIATRIPHASELAB"
#define SECRET_KEY "made-for-this-test-and-for-nothing-else"
#define BAO                                                                                \
    "set -eu; export BAO_ADDR=https://127.0.0.1:8200 BAO_CACERT=/etc/openbao/tls/ca.crt; " \
    "read -r BAO_TOKEN; export BAO_TOKEN\n"

/* sh on the guest as the operator, whose token is on its stdin. */
static char *as_operator(struct lab *lab, const char *script)
{
    AUTO_FREE char *state = vault_state(lab), *path = file_join(state, "admin.token"),
                   *token = lab_read(lab, path), *whole = xasprintf(BAO "%s", script);
    return vault_guest(lab, whole, token, NULL);
}

static char *word(struct lab *lab)
{
    return as_operator(lab, "bao kv get -field=word secret/life");
}

static char *snapshot_status(struct lab *lab)
{
    return vault_guest(lab,
                       "systemctl start openbao-snapshot && systemctl show -P StatusText openbao-snapshot",
                       NULL, NULL);
}

/* Path of the slot that counts, below the lab's folder. malloc'ed. */
static char *kept_slot(struct lab *lab)
{
    AUTO_JSON *kept = vault_kept(lab);
    AUTO_FREE char *state = vault_state(lab),
                   *store = xasprintf("%s/store/%s", state, json_get_string(kept, "lineage", "")),
                   *pointer = file_join(store, "latest.json"), *text = lab_read(lab, pointer);
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *latest = json_parse(text, strlen(text), &err);
    cr_assert(latest != NULL, "%s: %s", pointer, error_text(&err));
    return file_join(store, json_get_string(latest, "slot", "none"));
}

/* One bit of a file below the lab's folder is turned. */
static void turn_a_bit(struct lab *lab, const char *below)
{
    AUTO_FREE char *path = file_join(lab_folder(lab), below);
    FILE *file = fopen(path, "r+");
    cr_assert(file && fseek(file, 5000, SEEK_SET) == 0, "%s", path);
    int byte = fgetc(file);
    cr_assert(byte != EOF && fseek(file, 5000, SEEK_SET) == 0 && fputc(byte ^ 1, file) != EOF);
    cr_assert(fclose(file) == 0);
}

/* As the role's README says it is wired: a phase of one's own that looks. */
static void hold_what_is_kept_opens_in_a_scratch_server(struct lab *lab)
{
    AUTO_FREE char *recipe = lab_read(lab, "phases/vault.yml");
    lab_write(lab, "phases/vault.yml",
              "%s  - name: snapshots\n    playbook: playbooks/vault/verify-snapshots.yml\n", recipe);
    vault_expect(lab, 0, "run", "vault", "--verify", NULL);
    lab_write(lab, "phases/vault.yml", "%s", recipe);
    struct lab_result report = lab_run(lab, "report", NULL);
    cr_assert(strstr(report.out, "opens in a scratch server with the shares that are kept") != NULL, "%s",
              report.out);
    AUTO_FREE char *left =
        vault_guest(lab,
                    "ls -A /var/lib/openbao/snapshots | grep verify; ls -d /tmp/scratch-* 2>/dev/null; "
                    "systemctl list-units --all --plain --no-legend 'snapshot-verify-*'",
                    NULL, NULL);
    cr_assert(eq(str, left, ""), "left behind: %s", left);
}

Test(vault_restore, what_was_written_outlives_its_host_and_a_damaged_snapshot_is_refused)
{
    struct lab *lab = vault_lab();
    vault_expect(lab, 0, "create", NULL);
    free(as_operator(lab, "bao secrets enable -path=secret kv; "
                          "head -c 32 /dev/urandom | sha256sum | bao kv put secret/life word=-"));
    AUTO_FREE char *before = word(lab), *first = snapshot_status(lab), *second = snapshot_status(lab);
    cr_assert(strstr(first, " ok: ") && strstr(first, "kept as openbao-"), "%s", first);
    cr_assert(strstr(second, " ok: ") && strstr(second, "nothing new since openbao-"), "%s", second);
    vault_expect(lab, 0, "run", "vault", "finalize", NULL);
    AUTO_FREE char *changed = vault_changed(lab);
    cr_assert(strstr(changed, "Keep it") != NULL, "the snapshot was not brought: %s", changed);
    hold_what_is_kept_opens_in_a_scratch_server(lab);

    vault_expect(lab, 0, "destroy", "vault", "--yes", NULL);
    AUTO_FREE char *slot = kept_slot(lab);
    turn_a_bit(lab, slot);
    struct lab_result refused = vault_expect(lab, 2, "create", NULL);
    cr_assert(strstr(refused.err, "what the store has is no sound snapshot") != NULL &&
                  strstr(refused.err, "another SHA-256"),
              "%s", refused.err);
    int code;
    AUTO_FREE char *untouched =
        vault_guest(lab, "ls -A /var/lib/openbao/data; systemctl is-active openbao", NULL, &code);
    cr_assert(eq(str, untouched, "inactive\n"));

    turn_a_bit(lab, slot);
    vault_expect(lab, 0, "run", "vault", NULL);
    vault_expect_active(lab);
    AUTO_FREE char *after = word(lab),
                   *note = vault_guest(lab, "ls -A /var/lib/openbao/bootstrap", NULL, NULL);
    cr_assert(eq(str, after, before));
    cr_assert(strstr(note, "restoring") == NULL && strstr(note, ".snap") == NULL, "left behind: %s", note);
    struct lab_result report = lab_run(lab, "report", NULL);
    cr_assert(strstr(report.out, "restore: snapshot 2 in ") != NULL, "%s", report.out);
}

/* versitygw, reached by the guest at the address of its way out; ends with the descriptor that is held. */
struct service {
    struct child child;
    int held, port;
};

static void serve(struct lab *lab, struct service *service)
{
    AUTO_FREE char *found = rig_output("setup/s3-lab.sh --where"),
                   *free_port =
                       rig_output("python3 -c 'import socket; s = socket.socket(); s.bind((\"\", 0)); "
                                  "print(s.getsockname()[1])'");
    found[strcspn(found, "\n")] = free_port[strcspn(free_port, "\n")] = '\0';
    AUTO_FREE char *program = file_join(found, "versitygw"),
                   *script = xasprintf("mkdir -p %s/s3/bucket; %s --port :%s --quiet posix %s/s3 & "
                                       "cat >/dev/null; kill $!; wait",
                                       lab_folder(lab), program, free_port, lab_folder(lab));
    if (!file_exists(program))
        cr_skip_test("no versitygw in %s: setup/s3-lab.sh builds it", found);
    const char *const argv[] = {"sh", "-c", script, NULL};
    AUTO_ERROR err = ERROR_INIT;
    int in[2];
    cr_assert(setenv("ROOT_ACCESS_KEY", ACCESS_KEY, 1) == 0 && setenv("ROOT_SECRET_KEY", SECRET_KEY, 1) == 0);
    cr_assert(pipe2(in, O_CLOEXEC) == 0);
    struct child_plan plan = {.argv = argv, .in = in[0], .out = 2, .error = 2};
    cr_assert(child_start(&plan, &service->child, &err) == 0, "%s", error_text(&err));
    close(in[0]);
    cr_assert(unsetenv("ROOT_ACCESS_KEY") == 0 && unsetenv("ROOT_SECRET_KEY") == 0);
    service->held = in[1];
    service->port = (int)strtol(free_port, NULL, 10);
}

/* A guest reaches every address of this machine. */
static void write_settings(struct lab *lab, const struct service *service)
{
    AUTO_FREE char *address = rig_output("hostname -I | cut -d' ' -f1");
    address[strcspn(address, " \n")] = '\0';
    if (!*address)
        cr_skip_test("this machine has no address that a guest could reach");
    lab_write(lab, "s3.json",
              "{\"vault_snapshots_kind\": \"s3\", \"vault_snapshots_s3_url\": \"http://%s:%d\", "
              "\"vault_snapshots_s3_bucket\": \"bucket\", \"vault_snapshots_prefix\": \"vaults/one\", "
              "\"vault_snapshots_s3_access_key\": \"" ACCESS_KEY "\", \"vault_snapshots_s3_secret_key\": "
              "\"" SECRET_KEY "\"}",
              address, service->port);
}

Test(vault_restore, over_a_bucket_the_host_writes_itself_and_the_next_host_is_made_of_it)
{
    struct lab *lab = vault_lab();
    struct service service = {0};
    AUTO_FREE char *settings = xasprintf("@%s/s3.json", lab_folder(lab));
    serve(lab, &service);
    write_settings(lab, &service);
    vault_expect(lab, 0, "create", "vault", "--", "-e", settings, NULL);
    free(as_operator(lab, "bao secrets enable -path=secret kv; "
                          "head -c 32 /dev/urandom | sha256sum | bao kv put secret/life word=-"));
    AUTO_FREE char *before = word(lab), *next = snapshot_status(lab), *same = snapshot_status(lab);
    cr_assert(strstr(next, "; kept as snapshot 2 in http") != NULL, "%s", next);
    cr_assert(strstr(same, "; nothing new since snapshot 2 in http") != NULL, "%s", same);

    vault_expect(lab, 0, "destroy", "vault", "--yes", NULL);
    vault_expect(lab, 0, "create", "vault", "--", "-e", settings, NULL);
    AUTO_FREE char *after = word(lab),
                   *spilled = rig_output("grep -rl " SECRET_KEY " %s/.triphase || true", lab_folder(lab));
    cr_assert(eq(str, after, before));
    cr_assert(eq(str, spilled, ""), "the secret key is in %s", spilled);
    close(service.held);
    cr_assert(child_await(&service.child, 30 * NS_PER_S), "the service does not end");
}
