/* The run's journal: what is written after a line that did not fit can be read. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "event/subscriber.h"
#include "format/json.h"
#include "unit/hostile.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

extern const struct subscriber subscriber_journal;

TestSuite(journal, .fini = hostile_clean);

static struct event mark(const char *kind)
{
    return (struct event){.kind = EVENT_NOTE,
                          .run = "01890000-0000-7000-8000-0123456789ab",
                          .note = {.kind = kind, .at_ns = 1}};
}

static bool is_whole(const char *line, size_t length, const char *kind)
{
    AUTO_JSON *json = json_parse(line, length, NULL);
    return text_is(json_get_string(json, "kind", NULL), kind);
}

Test(journal, a_line_that_was_written_in_part_takes_no_other_along)
{
    const struct subscriber_place place = {.run_folder = hostile_folder()};
    void *journal = NULL;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *path = hostile_path("run.ndjson");
    AUTO_TEXT bytes = TEXT_INIT;
    struct stat file;
    struct rlimit before, full;
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(subscriber_journal.open(&place, &journal, &err), 0, "%s", error_text(&err));
    struct event first = mark("first"), lost = mark("lost"), last = mark("last");
    cr_assert_eq(subscriber_journal.event(journal, &first, &err), 0, "%s", error_text(&err));
    cr_assert(stat(path, &file) == 0 && getrlimit(RLIMIT_FSIZE, &before) == 0);
    full = (struct rlimit){(rlim_t)file.st_size + 10, before.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
    cr_assert_eq(subscriber_journal.event(journal, &lost, &err), -1);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    cr_assert_eq(subscriber_journal.event(journal, &last, &err), 0, "%s", error_text(&err));
    subscriber_journal.close(journal, 0, NULL);
    cr_assert_eq(file_read(path, 1 << 16, &bytes, NULL), 0);
    const char *text = text_string(&bytes), *second = strchr(text, '\n') + 1;
    const char *third = strchr(second, '\n') + 1;
    cr_expect(is_whole(text, (size_t)(second - 1 - text), "first"));
    cr_expect(is_whole(third, bytes.length - (size_t)(third - text) - 1, "last"), "%s", text);
}
