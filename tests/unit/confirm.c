/* What a host says of its way back, and what of it is taken. */
#include "base/memory.h"
#include "base/text.h"
#include "stage/confirm_host.h"

#include <criterion/criterion.h>
#include <string.h>

#define BEGIN "login noise\n\ntriphase-confirm N\n"

static struct json *answer_of(const char *said, struct error *err)
{
    struct json *answer = NULL;
    int status = confirm_host_read(said, strlen(said), "N", &answer, err);
    cr_assert((status == 0) == (answer != NULL));
    return answer;
}

Test(confirm, an_answer_is_taken_with_its_words_and_its_difference)
{
    AUTO_JSON *answer =
        answer_of(BEGIN "state restored\nwhy timer\nat 1796000000\nword new: drop\nword no route\n"
                        "line --- a\nline +\t\tdrop\nend N\n",
                  NULL);
    cr_assert_eq(confirm_host_state(answer), CONFIRM_RESTORED);
    AUTO_FREE char *words = confirm_host_words(answer);
    cr_expect_str_eq(words, "new: drop; no route");
    AUTO_JSON *detail = confirm_host_detail("rolled-back", "R/02", "why", answer);
    AUTO_FREE char *compact = json_compact(detail);
    cr_expect_str_eq(
        compact, "{\"state\":\"rolled-back\",\"id\":\"R/02\",\"message\":\"why\",\"why\":\"timer\",\"at\":"
                 "\"2026-11-30T00:53:20.000000000Z\",\"cut_off_by\":[\"new: drop\",\"no "
                 "route\"],\"difference\":\"--- a\\n+        drop\\n\"}");
}

Test(confirm, what_breaks_off_is_no_answer_and_may_be_asked_again)
{
    static const char *const all[] = {BEGIN, BEGIN "state renewed\n", BEGIN "state renewed\nend M\n",
                                      BEGIN "end N\n"};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        AUTO_ERROR err = ERROR_INIT;
        cr_expect_null(answer_of(all[i], &err), "%s", all[i]);
        cr_expect(err.kind == (i < 2 ? ERROR_UNREACHABLE : ERROR_SYSTEM), "%s: %s", all[i], error_text(&err));
    }
}

Test(confirm, what_no_answer_says_is_refused)
{
    static const char *const all[] = {"",
                                      "triphase-confirm M\nstate renewed\nend M\n",
                                      BEGIN "state won\nend N\n",
                                      BEGIN "why not\nend N\n",
                                      BEGIN "at soon\nend N\n",
                                      BEGIN "state renewed\nwhatever\nend N\n"};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        AUTO_ERROR err = ERROR_INIT;
        cr_expect_null(answer_of(all[i], &err), "%s", all[i]);
        cr_expect_eq(err.kind, ERROR_SYSTEM, "%s: %s", all[i], error_text(&err));
    }
}

Test(confirm, what_a_hostile_host_says_is_bounded_and_printable)
{
    AUTO_TEXT said = TEXT_INIT;
    text_add(&said, BEGIN "state restored\nwhy boot\n");
    for (int i = 0; i < 5000; i++)
        text_add(&said, "word \x1b[2J and so on\nline \x1b[2J\xff and a long line that goes on and on\n");
    text_add(&said, "end N\n");
    AUTO_JSON *answer = answer_of(text_string(&said), NULL);
    const char *difference = json_get_string(answer, "difference", "");
    cr_expect(strlen(difference) > 1000 && strlen(difference) <= 40 * 1024, "%zu bytes", strlen(difference));
    AUTO_FREE char *words = confirm_host_words(answer);
    cr_expect(strlen(words) < 16 * 1024, "%zu bytes", strlen(words));
    cr_expect(!strchr(difference, '\x1b') && !strchr(words, '\x1b'));
}
