/* Ten causes made real over a userspace network, one at a time, and three ways that are well: what
 * `diagnose` calls each, and in what time. CAUSE picks one by its name. */
#include "base/text.h"
#include "lab/causes.h"
#include "soak/figures.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

TestSuite(diagnose, .timeout = 5400);

enum { BOUND_S = 300 };

static const char head[] = "| induced over userspace | matrix | conclusion | right | exit | took |\n"
                           "|---|---|---|---|---|---|\n";

static void diagnose(struct causes *causes, const struct cause *cause)
{
    AUTO_TEXT row = TEXT_INIT;
    const char *wanted = getenv("CAUSE");
    if (wanted && !text_is(wanted, cause->name))
        return;
    struct causes_said said = causes_diagnose(causes, cause, NULL);
    bool right = text_is(said.variable, cause->word) && said.code == cause->code;
    text_addf(&row, "| %s | %s | `%s`: %s | %s | %d | %.0f s |\n", cause->name,
              cause->size ? cause->size : "usual", said.variable, said.words, right ? "yes" : "NO", said.code,
              said.seconds);
    figures_add(head, text_string(&row));
    cr_expect(right, "%s: %s, exit %d\n%s", cause->name, said.variable, said.code, said.all);
    cr_expect(lt(dbl, said.seconds, BOUND_S), "%s", cause->name);
}

Test(diagnose, names_each_of_ten_causes_and_none_where_there_is_none)
{
    struct causes causes = causes_new();
    for (const struct cause *cause = causes_healthy; cause->name; cause++)
        diagnose(&causes, cause);
    for (const struct cause *cause = causes_of_ten; cause->name; cause++)
        diagnose(&causes, cause);
    causes_end(&causes);
}
