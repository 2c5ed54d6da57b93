/* What a program of the user's tells of its hosts, and what is refused of it. */
#include "base/memory.h"
#include "base/moment.h"
#include "provider/command_answer.h"

#include <criterion/criterion.h>
#include <string.h>

static int read_hosts(const char *text, struct listing *out, struct error *err)
{
    AUTO_JSON *answer = command_answer_parse(text, strlen(text), err);
    return answer ? command_answer_hosts(answer, out, err) : -1;
}

Test(listed, each_host_has_what_was_said_of_it_and_what_was_not_is_unknown)
{
    AUTO_LISTING found = {0};
    AUTO_ERROR err = ERROR_INIT;
    int status = read_hosts("{\"now\": 1700000100, \"hosts\": [{\"reference\": \"i-1\", \"project\": \"p\", "
                            "\"target\": \"web\", \"machine\": \"01890000-0000-7000-8000-00000000aaaa\", "
                            "\"made\": 1700000000, \"expires\": "
                            "1700003600, \"what\": \"in zone b\", \"protected\": true},"
                            " {\"reference\": \"i-2\", \"project\": null, \"expires\": null}]}",
                            &found, &err);
    cr_assert_eq(status, 0, "%s", error_text(&err));
    cr_assert_eq(found.count, 2);
    cr_expect_eq(found.now_ns, 1700000100 * NS_PER_S);
    const struct listed *full = listing_find(&found, "i-1"), *bare = listing_find(&found, "i-2");
    cr_expect_str_eq(full->project_id, "p");
    cr_expect_str_eq(full->target, "web");
    cr_expect_str_eq(full->machine, "01890000-0000-7000-8000-00000000aaaa");
    cr_expect_str_eq(full->what, "in zone b");
    cr_expect_eq(full->made_ns, 1700000000 * NS_PER_S);
    cr_expect_eq(full->expires_ns, 1700003600 * NS_PER_S);
    cr_expect_str_eq(full->kept_by, "its program says that it is protected");
    cr_expect(!bare->project_id && !bare->target && !bare->machine && !bare->what && !bare->kept_by);
    cr_expect_eq(bare->expires_ns, 0);
}

Test(listed, what_is_no_list_of_hosts_is_refused_by_the_members_name)
{
    static const struct {
        const char *answer, *says;
    } cases[] = {
        {"{}", "'hosts' is no list"},
        {"{\"hosts\": {}}", "'hosts' is no list"},
        {"{\"hosts\": [7]}", "'hosts' holds what is no object"},
        {"{\"hosts\": [{}]}", "holds one without a reference"},
        {"{\"hosts\": [{\"reference\": \"\"}]}", "'reference' of a host is no text"},
        {"{\"hosts\": [{\"reference\": \"a\", \"expire\": 1}]}", "did you mean 'expires'?"},
        {"{\"hosts\": [{\"reference\": \"a\", \"expires\": \"soon\"}]}",
         "'expires' is no time: UNIX seconds"},
        {"{\"hosts\": [{\"reference\": \"a\", \"made\": 1700000000000}]}", "'made' is no time: UNIX seconds"},
        {"{\"hosts\": [{\"reference\": \"a\", \"protected\": \"no\"}]}", "is neither true nor false"},
        {"{\"hosts\": [{\"reference\": \"a\\u001b[2J\"}]}",
         "'reference' 'a\\x1b[2J' holds a control character"},
        {"{\"hosts\": [{\"reference\": \"a\", \"what\": \"b\\nc\"}]}", "holds a control character"},
        {"{\"hosts\": [{\"reference\": \"a\", \"project\": \"\\u0007\"}]}", "holds a control character"},
        {"{\"hosts\": [{\"reference\": \"a\", \"machine\": \"../../etc\"}]}",
         "'../../etc' is no id of a machine"},
        {"{\"hosts\": [{\"reference\": \"a\", \"target\": \"../x\"}]}", "'../x' is no name"},
        {"{\"hosts\": [], \"more\": true}", "has a member 'more', which is unknown"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_LISTING found = {0};
        AUTO_ERROR err = ERROR_INIT;
        cr_expect(read_hosts(cases[i].answer, &found, &err) < 0, "%s", cases[i].answer);
        cr_expect(strstr(error_text(&err), cases[i].says), "%s: %s", cases[i].answer, error_text(&err));
        cr_expect_eq(found.count, 0, "%s", cases[i].answer);
    }
}
