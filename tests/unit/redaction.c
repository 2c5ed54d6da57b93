/* What must not be told: known values wherever they stand, and what looks like a secret. */
#include "data/redaction.h"

#include "base/file.h"
#include "base/memory.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>

static char *redacted(const struct redaction *redaction, const char *string)
{
    struct text out = TEXT_INIT;
    redaction_add(redaction, string, &out);
    return text_take(&out);
}

Test(redaction, a_known_value_is_taken_out_wherever_it_stands)
{
    struct redaction *redaction = redaction_new();
    redaction_learn(redaction, "hunter2", 7);
    redaction_learn(redaction, "hunter2-and-more", 16);
    redaction_learn(redaction, "ab", 2);
    AUTO_FREE char *out = redacted(redaction, "xhunter2y hunter2-and-more ab hunter");
    cr_assert_str_eq(out, "x***y *** ab hunter");
    redaction_free(redaction);
}

Test(redaction, what_a_phase_is_given_in_sealed_memory_is_known)
{
    static const char inventory[] =
        "{\"_meta\":{\"hostvars\":{\"box\":{\"ansible_become_password\":{\"__ansible_unsafe\":\"swordfish\"}}"
        "}},"
        "\"all\":{\"hosts\":[\"boxhost\"],\"vars\":{\"triphase_secrets\":{\"x\":{\"__ansible_unsafe\":\"open "
        "sesame\"}}}}}";
    struct redaction *redaction = redaction_new();
    AUTO_CLOSE int variables = memfd_create("a", MFD_CLOEXEC), single = memfd_create("b", MFD_CLOEXEC);
    cr_assert(file_write_all(variables, inventory, strlen(inventory)) == 0 &&
              file_write_all(single, "vaultword", 9) == 0);
    redaction_learn_descriptor(redaction, variables);
    redaction_learn_descriptor(redaction, single);
    redaction_learn_descriptor(redaction, -1);
    AUTO_FREE char *out = redacted(redaction, "swordfish, open sesame, vaultword, boxhost");
    cr_assert_str_eq(out, "***, ***, ***, boxhost");
    redaction_free(redaction);
}

Test(redaction, what_looks_like_a_secret_is_taken_out_and_its_name_stays)
{
    static const struct {
        const char *in, *out;
    } all[] = {
        {"mysql --password=geheim -u root", "mysql --password=*** -u root"},
        {"tool --api-token geheim run", "tool --api-token *** run"},
        {"DB_PASSWORD=geheim exec", "DB_PASSWORD=*** exec"},
        {"{\"token\": \"geheim\", \"x\": 1}", "{\"token\": \"***\", \"x\": 1}"},
        {"curl https://me:geheim@host/x", "curl https://me:***@host/x"},
        {"Authorization: Bearer geheimgeheim", "Authorization: Bearer ***"},
        {"ansible-playbook -e key=geheim p.yml", "ansible-playbook -e *** p.yml"},
        {"ansible-playbook --extra-vars {a:geheim} p.yml", "ansible-playbook --extra-vars *** p.yml"},
        {"ansible-playbook -e @/run/file p.yml", "ansible-playbook -e @/run/file p.yml"},
        {"-----BEGIN OPENSSH PRIVATE KEY----- geheim", "-----BEGIN OPENSSH PRIVATE KEY-----***"},
        {"TASK [read the secret engine] ****", "TASK [read the secret engine] ****"},
        {"sleep 60", "sleep 60"},
    };
    struct redaction *redaction = redaction_new();
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        AUTO_FREE char *out = redacted(redaction, all[i].in);
        cr_expect_str_eq(out, all[i].out);
    }
    redaction_free(redaction);
}
