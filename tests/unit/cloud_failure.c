/* What a cloud's codes and statuses mean. */
#include "cloud/failure.h"

#include "base/memory.h"

#include <criterion/criterion.h>

Test(cloud_failure, each_code_and_each_status_has_its_class)
{
    static const struct {
        int status;
        const char *code, *words;
        enum cloud_class class;
        enum cloud_again again;
    } cases[] = {
        {412, "resource_unavailable", "error during placement", CLOUD_CAPACITY, CLOUD_AGAIN_NEVER},
        {422, "invalid_input", "unsupported location for server type", CLOUD_CAPACITY, CLOUD_AGAIN_NEVER},
        {403, "resource_limit_exceeded", NULL, CLOUD_QUOTA, CLOUD_AGAIN_NEVER},
        {403, "server_limit_exceeded", NULL, CLOUD_QUOTA, CLOUD_AGAIN_NEVER},
        {403, "dedicated_core_limit_exceeded", NULL, CLOUD_QUOTA, CLOUD_AGAIN_NEVER},
        {422, "invalid_input", "invalid input in field 'name'", CLOUD_CONFIGURATION, CLOUD_AGAIN_NEVER},
        {400, "json_error", NULL, CLOUD_CONFIGURATION, CLOUD_AGAIN_NEVER},
        {422, "unsupported_error", NULL, CLOUD_CONFIGURATION, CLOUD_AGAIN_NEVER},
        {422, "placement_error", NULL, CLOUD_CONFIGURATION, CLOUD_AGAIN_NEVER},
        {422, "never_heard_of", NULL, CLOUD_CONFIGURATION, CLOUD_AGAIN_NEVER},
        {401, "unauthorized", NULL, CLOUD_AUTH, CLOUD_AGAIN_NEVER},
        {401, "token_readonly", NULL, CLOUD_AUTH, CLOUD_AGAIN_NEVER},
        {403, "forbidden", NULL, CLOUD_AUTH, CLOUD_AGAIN_NEVER},
        {403, NULL, NULL, CLOUD_AUTH, CLOUD_AGAIN_NEVER},
        {429, "rate_limit_exceeded", NULL, CLOUD_RATE, CLOUD_AGAIN_ALWAYS},
        {429, NULL, NULL, CLOUD_RATE, CLOUD_AGAIN_ALWAYS},
        {409, "conflict", NULL, CLOUD_TRANSIENT, CLOUD_AGAIN_ALWAYS},
        {423, "locked", NULL, CLOUD_TRANSIENT, CLOUD_AGAIN_ALWAYS},
        {403, "maintenance", NULL, CLOUD_TRANSIENT, CLOUD_AGAIN_ALWAYS},
        {422, "service_error", NULL, CLOUD_TRANSIENT, CLOUD_AGAIN_HARMLESS},
        {502, "bad_gateway", NULL, CLOUD_TRANSIENT, CLOUD_AGAIN_HARMLESS},
        {503, "unavailable", NULL, CLOUD_TRANSIENT, CLOUD_AGAIN_HARMLESS},
        {504, "timeout", NULL, CLOUD_TRANSIENT, CLOUD_AGAIN_HARMLESS},
        {500, NULL, NULL, CLOUD_TRANSIENT, CLOUD_AGAIN_HARMLESS},
        {404, "not_found", NULL, CLOUD_ABSENT, CLOUD_AGAIN_NEVER},
        {422, "resource_in_use", NULL, CLOUD_IN_USE, CLOUD_AGAIN_NEVER},
        {422, "must_be_unassigned", NULL, CLOUD_IN_USE, CLOUD_AGAIN_NEVER},
        {409, "uniqueness_error", NULL, CLOUD_NOT_UNIQUE, CLOUD_AGAIN_NEVER},
        {423, "protected", NULL, CLOUD_OTHER, CLOUD_AGAIN_NEVER},
        {410, "deprecated_api_endpoint", NULL, CLOUD_OTHER, CLOUD_AGAIN_NEVER},
        {302, NULL, NULL, CLOUD_OTHER, CLOUD_AGAIN_NEVER},
        {0, "never_heard_of", NULL, CLOUD_OTHER, CLOUD_AGAIN_NEVER},
        {0, "resource_unavailable", NULL, CLOUD_CAPACITY, CLOUD_AGAIN_NEVER},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct cloud_failure failure = cloud_failure_judge(cases[i].status, cases[i].code, cases[i].words);
        cr_expect_eq(failure.class, cases[i].class, "%d %s: %s", cases[i].status, cases[i].code,
                     cloud_class_facts(failure.class)->name);
        cr_expect_eq(failure.again, cases[i].again, "%d %s: again %d", cases[i].status, cases[i].code,
                     (int)failure.again);
        cr_expect(failure.next && *failure.next, "%d %s: what to do next", cases[i].status, cases[i].code);
    }
}

Test(cloud_failure, only_what_the_users_file_or_token_is_to_blame_for_is_the_projects_fault)
{
    for (int class = CLOUD_CAPACITY; class < CLOUD_CLASSES; class ++) {
        const struct cloud_class_facts *facts = cloud_class_facts((enum cloud_class) class);
        bool theirs = class == CLOUD_CONFIGURATION || class == CLOUD_AUTH || class == CLOUD_NOT_UNIQUE;
        cr_expect_eq(facts->kind, theirs ? ERROR_PROJECT : ERROR_PROVIDER, "%s", facts->name);
        cr_expect(*facts->name && *facts->means && *facts->next, "%d", class);
    }
}
