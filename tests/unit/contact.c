/* What a run remembers of its last contact with the host, and asks of the stages that will connect. */
#include "run/contact.h"

#include "base/memory.h"

#include <criterion/criterion.h>

static struct json *ask(const struct contact *contact, const char *stage)
{
    struct json *request = json_new_object();
    contact_ask(contact, stage, request);
    return request;
}

Test(contact, whatever_connects_next_is_told_when_somebody_knocked)
{
    static const char *const stages[] = {"sweep", "async", "transport"};
    struct contact contact = {.knocked_ns = 1234};
    for (size_t i = 0; i < COUNT_OF(stages); i++) {
        AUTO_JSON *request = ask(&contact, stages[i]);
        cr_expect_eq(json_get_integer(request, "knocked_ns", 0), 1234, "%s", stages[i]);
    }
}

Test(contact, a_host_is_starting_until_somebody_got_through_to_it)
{
    struct contact contact = {.starting = true, .drop_masters = true};
    AUTO_JSON *before = ask(&contact, "transport"), *sweep = ask(&contact, "sweep");
    cr_expect(json_get_bool(before, "starting") && json_get_bool(before, "drop_masters"));
    cr_expect_null(json_get(sweep, "drop_masters"), "a look says so itself");
    AUTO_JSON *result = json_new_object();
    contact_verified(&contact, NULL, "run", 1, NULL, result);
    AUTO_JSON *after = ask(&contact, "transport");
    cr_expect_not(json_get_bool(after, "starting") || json_get_bool(after, "drop_masters"));
    contact_clear(&contact);
}
