/* What is there as people see it: whole at any width. */
#include "view/estate_view.h"

#include "base/memory.h"
#include "base/moment.h"

#include <criterion/criterion.h>
#include <string.h>

static char *shown_at(int width)
{
    char *text[] = {(char *)(uintptr_t) "tp0123456789", (char *)(uintptr_t) "another's",
                    (char *)(uintptr_t) "a sandbox of target box of project lab (/srv/lab)\x1b[2J",
                    (char *)(uintptr_t) "expires in 2 h",
                    (char *)(uintptr_t) "01890000-0000-7000-8000-00000000aaaa"};
    const struct listed listed[] = {{.reference = text[0], .what = text[2], .made_ns = NS_PER_S},
                                    {.reference = text[0]}};
    const struct machine machine = {.reference = text[0], .id = text[4]};
    struct estate_item items[] = {{.provider = "sandbox",
                                   .listed = &listed[0],
                                   .now_ns = 121 * NS_PER_S,
                                   .due = DUE_FOREIGN,
                                   .why = text[1]},
                                  {.provider = "hetzner",
                                   .listed = &listed[1],
                                   .machine = &machine,
                                   .target = "web",
                                   .due = DUE_STAYS,
                                   .why = text[3]}};
    const struct estate estate = {.items = items, .count = COUNT_OF(items)};
    const struct table_look look = {.width = width, .utf8 = true};
    AUTO_TEXT out = TEXT_INIT;
    estate_view_text(&estate, ESTATE_ALL, &look, &out);
    return text_take(&out);
}

Test(estate_view, a_row_that_is_wider_than_the_terminal_has_its_reason_below_and_loses_nothing)
{
    AUTO_FREE char *wide = shown_at(200), *narrow = shown_at(50);
    cr_expect_str_eq(wide,
                     "           TARGET  PROVIDER  HOST          AGE  WHY\n"
                     "stays      web     hetzner   tp0123456789       expires in 2 h\n"
                     "another's          sandbox   tp0123456789  2 m  another's; a sandbox of target box of "
                     "project lab (/srv/lab)\\x1b[2J\n");
    cr_expect_str_eq(narrow, "           TARGET  PROVIDER  HOST          AGE\n"
                             "stays      web     hetzner   tp0123456789\n"
                             "  expires in 2 h\n"
                             "another's          sandbox   tp0123456789  2 m\n"
                             "  another's; a sandbox of target box of project\n"
                             "  lab (/srv/lab)\\x1b[2J\n");
}
