/* What a phase was given in sealed memory is known as secret. */
#include "data/redact_sealed.h"

#include "base/file.h"
#include "base/memory.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>

Test(redact_sealed, variables_that_are_marked_and_a_secret_by_itself_are_known)
{
    static const char inventory[] =
        "{\"_meta\":{\"hostvars\":{\"box\":{\"ansible_become_password\":{\"__ansible_unsafe\":\"swordfish\"}}"
        "}},"
        "\"all\":{\"hosts\":[\"boxhost\"],\"vars\":{\"triphase_secrets\":{\"x\":{\"__ansible_unsafe\":\"open "
        "sesame\"}}}}}";
    static const char said[] = "swordfish, open sesame, vaultword, boxhost";
    struct redact_rules *rules = redact_rules_new();
    AUTO_CLOSE int variables = memfd_create("a", MFD_CLOEXEC), single = memfd_create("b", MFD_CLOEXEC);
    cr_assert(file_write_all(variables, inventory, strlen(inventory)) == 0 &&
              file_write_all(single, "vaultword", 9) == 0);

    redact_sealed_add(rules, variables);
    redact_sealed_add(rules, single);
    redact_sealed_add(rules, -1);

    AUTO_TEXT out = TEXT_INIT;
    cr_expect_eq(redact_text(rules, said, strlen(said), &out), 3U);
    cr_expect_str_eq(text_string(&out), "[REDACTED secret], [REDACTED secret], [REDACTED secret], boxhost");
    redact_rules_free(rules);
}
