/* The tokens of the recipe vault where it takes minutes: cut off at each step of making them anew, and a
 * snapshot that is older than their period. */
#include "lab/vault.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(vault_tokens_soak, .timeout = 3000);

#define TASKS     "playbooks/vault/roles/vault_finalize/tasks/"
#define BY_SHARES "vault_common_root_from_shares=true"

static int valid(struct lab *lab, const char *token)
{
    return vault_ask(lab, token, "GET", "/v1/auth/token/lookup-self", NULL);
}

static const struct cut {
    const char *file, *task;
} cuts[] = {
    {TASKS "root.yml", "Make a root token of the shares"},
    {TASKS "root.yml", "Keep the root token on the execution host"},
    {TASKS "root.yml", "Look at the tokens with it"},
    {TASKS "tokens.yml", "Make the tokens that are missing"},
    {TASKS "tokens.yml", "Keep the admin token on the execution host"},
    {TASKS "tokens.yml", "Keep who is who, and who is to end"},
    {TASKS "tokens.yml", "Put the token for snapshots where their unit reads it"},
    {TASKS "tokens.yml", "End what is to end"},
    {TASKS "end.yml", "Keep who is to end"},
    {TASKS "end.yml", "End them"},
    {TASKS "end.yml", "Look whether they are gone"},
    {TASKS "end.yml", "Forget the root token here"},
    {TASKS "end.yml", "Forget that one was tried for"},
};

/* Both tokens are lost; what a run that was cut off made, and nobody kept, must not live either. */
Test(vault_tokens_soak, making_them_anew_cut_off_at_any_step_is_made_good_by_the_next_run)
{
    struct lab *lab = vault_lab();
    vault_expect(lab, 0, "create", NULL);
    AUTO_FREE char *state = vault_state(lab), *path = file_join(state, "admin.token");
    for (size_t i = 0; i < COUNT_OF(cuts); i++) {
        AUTO_FREE char *lost = vault_kept_token(lab);
        lab_write(lab, path, "s.lost\n");
        free(vault_guest(lab, "rm /etc/openbao/snapshot.token", NULL, NULL));
        AUTO_FREE char *whole = vault_cut_before(lab, cuts[i].file, cuts[i].task);
        struct lab_result cut = vault_expect(lab, 2, "run", "vault", "finalize", "--", "-e", BY_SHARES, NULL);
        cr_assert(strstr(cut.err, "cut here") != NULL, "%s", cut.err);
        lab_write(lab, cuts[i].file, "%s", whole);
        fprintf(stderr, "cut before '%s'\n", cuts[i].task);
        vault_expect(lab, 0, "run", "vault", "finalize", "--", "-e", BY_SHARES, NULL);
        vault_expect_tokens(lab);
        cr_assert(eq(int, valid(lab, lost), 403), "the token that was lost is valid");
        vault_expect(lab, 0, "run", "vault", "finalize", "--check-idempotent", NULL);
    }
}

struct token {
    struct lab *lab;
    const char *text;
};

static bool is_refused(void *context)
{
    const struct token *token = context;
    return valid(token->lab, token->text) == 403;
}

/* No token of the snapshot is valid when it is restored, and none that is younger is in it. */
Test(vault_tokens_soak, after_a_snapshot_that_is_older_than_their_period_they_are_made_anew)
{
    static const char period[] = "vault_finalize_period=90";
    static const char ask[] =
        "set -eu; read -r token || true; ask() { printf 'header = \"X-Vault-Token: %s\"\\n' "
        "\"$token\" | curl -sf --config - --cacert /etc/openbao/tls/ca.crt \"$@\"; }\n";
    struct lab *lab = vault_lab();
    vault_expect(lab, 0, "create", "vault", "--", "-e", period, NULL);
    AUTO_FREE char *old = vault_kept_token(lab);
    AUTO_FREE char *save =
        xasprintf("%sask -o /root/then https://127.0.0.1:8200/v1/sys/storage/raft/snapshot", ask);
    /* It may have taken longer to come here than it lives. */
    vault_expect(lab, 0, "run", "vault", "finalize", "--", "-e", period, "-e", BY_SHARES, NULL);
    free(old);
    old = vault_kept_token(lab);
    free(vault_guest(lab, save, old, NULL));
    cr_assert(lab_until(180, is_refused, &(struct token){lab, old}), "the token does not end");

    vault_expect(lab, 0, "run", "vault", "finalize", "--", "-e", BY_SHARES, NULL);
    AUTO_FREE char *young = vault_kept_token(lab);
    AUTO_FREE char *restore =
        xasprintf("%sask -X POST --data-binary @/root/then -H 'Content-Type: application/octet-stream' "
                  "https://127.0.0.1:8200/v1/sys/storage/raft/snapshot-force; rm /root/then\n"
                  "sed -i 's/^{/{\"restored\": \"yes\", /' /var/lib/openbao/receipt.json",
                  ask);
    free(vault_guest(lab, restore, young, NULL));
    cr_assert(lab_until(60, is_refused, &(struct token){lab, young}), "the restore was not applied");
    cr_assert(eq(int, valid(lab, old), 403));

    vault_expect(lab, 0, "run", "vault", "finalize", NULL);
    vault_expect_tokens(lab);
    vault_expect(lab, 0, "run", "vault", "--check-idempotent", NULL);
}
