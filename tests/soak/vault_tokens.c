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
        cr_assert(eq(int, vault_token_status(lab, lost), 403), "the token that was lost is valid");
        vault_expect(lab, 0, "run", "vault", "finalize", "--check-idempotent", NULL);
    }
}

/* No token of the snapshot is valid when it is restored, and none that is younger is in it. */
Test(vault_tokens_soak, after_a_snapshot_that_is_older_than_their_period_they_are_made_anew)
{
    static const char period[] = "vault_finalize_period=90";
    struct lab *lab = vault_lab();
    vault_expect(lab, 0, "create", "vault", "--", "-e", period, NULL);
    AUTO_FREE char *old = vault_kept_token(lab);
    /* It may have taken longer to come here than it lives. */
    vault_expect(lab, 0, "run", "vault", "finalize", "--", "-e", period, "-e", BY_SHARES, NULL);
    free(old);
    old = vault_kept_token(lab);
    vault_save(lab, old);
    cr_assert(vault_until_token(lab, 180, old, 403), "the token does not end");

    vault_expect(lab, 0, "run", "vault", "finalize", "--", "-e", BY_SHARES, NULL);
    AUTO_FREE char *young = vault_kept_token(lab);
    vault_restore(lab, young);
    cr_assert(vault_until_token(lab, 60, young, 403), "the restore was not applied");
    cr_assert(eq(int, vault_token_status(lab, old), 403));

    vault_expect(lab, 0, "run", "vault", "finalize", NULL);
    vault_expect_tokens(lab);
    vault_expect(lab, 0, "run", "vault", "--check-idempotent", NULL);
}
