/* The life of a vault beyond its host: a secret is written, a snapshot taken and brought here, the host destroyed,
 * and the next one made of what was kept. */
#include "lab/vault.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(vault_restore, .timeout = 580);

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

    vault_expect(lab, 0, "destroy", "vault", "--yes", NULL);
    AUTO_FREE char *slot = kept_slot(lab);
    turn_a_bit(lab, slot);
    struct lab_result refused = vault_expect(lab, 2, "create", NULL);
    cr_assert(strstr(refused.err, "what the store has is no sound snapshot") != NULL &&
                  strstr(refused.err, "another SHA-256"),
              "%s", refused.err);
    cr_assert(eq(int, vault_ask(lab, NULL, "GET", "/v1/sys/health", NULL), 501), "the host was touched");

    turn_a_bit(lab, slot);
    vault_expect(lab, 0, "run", "vault", NULL);
    vault_expect_active(lab);
    AUTO_FREE char *after = word(lab),
                   *note = vault_guest(lab, "ls -A /var/lib/openbao/bootstrap", NULL, NULL);
    cr_assert(eq(str, after, before));
    cr_assert(strstr(note, "restoring") == NULL && strstr(note, ".snap") == NULL, "left behind: %s", note);
    struct lab_result report = lab_run(lab, "report", NULL);
    cr_assert(strstr(report.out, "restore: snapshot 2 in ") != NULL, "%s", report.out);
    vault_expect(lab, 0, "run", "vault", "--check-idempotent", NULL);
}
