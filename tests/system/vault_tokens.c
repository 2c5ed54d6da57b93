/* The tokens of the recipe vault from outside: which there are, a new way to them, what a restore does. */
#include "lab/vault.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

TestSuite(vault_tokens, .timeout = 580);

/* The documented way to a root token, there and back. */
static void hold_a_root_token_is_made_by_order_and_ends_with_the_next_run(struct lab *lab)
{
    vault_expect(lab, 0, "run", "vault", "finalize", "--", "-e", "vault_finalize_root_token=true", NULL);
    AUTO_JSON *kept = vault_kept(lab);
    AUTO_FREE char *root = xstrdup(json_get_string(kept, "root_token", "")), *said = NULL;
    cr_assert(eq(int, vault_ask(lab, root, "GET", "/v1/auth/token/lookup-self", &said), 200), "%s", said);
    cr_assert(strstr(said, "\"policies\":[\"root\"]") != NULL, "%s", said);
    vault_expect(lab, 0, "run", "vault", "finalize", NULL);
    cr_assert(eq(int, vault_token_status(lab, root), 403), "the root token is valid");
    vault_expect_tokens(lab);
}

/* The phase that only looks. */
static void hold_verify_tells_all_that_is_wrong_and_changes_nothing(struct lab *lab)
{
    vault_expect(lab, 0, "run", "vault", "--verify", NULL);
    free(vault_guest(lab,
                     "systemctl stop openbao-snapshot.timer; mv /var/lib/openbao/receipt.json /root; "
                     "find /etc/openbao /var/lib/openbao -type f ! -path '*/data/*' -exec sha256sum {} + | "
                     "sort >/root/before",
                     NULL, NULL));
    struct lab_result wrong = vault_expect(lab, 2, "run", "vault", "--verify", NULL);
    cr_assert(strstr(wrong.err, "the host's receipt and the shares in ") != NULL, "%s", wrong.err);
    cr_assert(strstr(wrong.err, "; the timer openbao-snapshot.timer is not active") != NULL, "%s", wrong.err);
    AUTO_FREE char *changed = vault_changed(lab);
    cr_assert(eq(str, changed, ""));
    free(vault_guest(lab,
                     "find /etc/openbao /var/lib/openbao -type f ! -path '*/data/*' -exec sha256sum {} + | "
                     "sort | cmp - /root/before; mv /root/receipt.json /var/lib/openbao; systemctl start "
                     "openbao-snapshot.timer",
                     NULL, NULL));
}

/* What a restore does to tokens, by hand: the server as it was then, on a host with another receipt. */
static void hold_a_restore_revives_no_token(struct lab *lab)
{
    AUTO_FREE char *before = vault_kept_token(lab);
    vault_save(lab, before);
    cr_assert(eq(int, vault_ask(lab, before, "PUT", "/v1/auth/token/revoke-self", NULL), 204));
    cr_assert(eq(int, vault_token_status(lab, before), 403));
    /* That somebody revoked it is not passed over; the advice is followed. */
    struct lab_result refused = vault_expect(lab, 2, "run", "vault", "finalize", NULL);
    cr_assert(strstr(refused.err, "-e vault_common_root_from_shares=true") != NULL, "%s", refused.err);
    vault_expect(lab, 0, "run", "vault", "finalize", "--", "-e", "vault_common_root_from_shares=true", NULL);
    AUTO_FREE char *after = vault_kept_token(lab);
    vault_restore(lab, after);
    /* It is applied after the reply. */
    cr_assert(vault_until_token(lab, 60, before, 200), "the restore revived nothing");
    cr_assert(eq(int, vault_token_status(lab, after), 403));

    struct lab_result result = vault_expect(lab, 0, "run", "vault", "finalize", NULL);
    AUTO_FREE char *now = vault_kept_token(lab);
    cr_assert(eq(int, vault_token_status(lab, now), 200), "%s", result.out);
    cr_assert(eq(int, vault_token_status(lab, before), 403), "what had been revoked lives: %s", result.out);
    vault_expect_tokens(lab);
    vault_expect(lab, 0, "run", "vault", "finalize", "--check-idempotent", NULL);
}

Test(vault_tokens, there_is_one_of_each_a_lost_one_is_made_anew_and_a_restore_revives_none)
{
    struct lab *lab = vault_lab();
    vault_expect(lab, 0, "create", NULL);
    vault_expect_tokens(lab);
    hold_verify_tells_all_that_is_wrong_and_changes_nothing(lab);
    hold_a_root_token_is_made_by_order_and_ends_with_the_next_run(lab);
    hold_a_restore_revives_no_token(lab);
}
