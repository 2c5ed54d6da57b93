/* `triphase diagnose`: causes made real between an operator without a TUN and a host of a real tailnet, and the
 * word for each. All ten, and more healthy ways, are in tests/soak. */
#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"
#include "lab/causes.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <string.h>

TestSuite(diagnose, .timeout = 240);

static void find(struct causes *causes, const char *name)
{
    const struct cause *cause = causes_named(name);
    struct causes_said said = causes_diagnose(causes, cause, NULL);
    cr_expect(eq(str, said.variable, (char *)cause->word), "%s: %s\n%s", name, said.words, said.all);
    cr_expect(eq(int, said.code, cause->code), "%s", name);
    cr_expect(lt(dbl, said.seconds, 60), "%s", name);
}

Test(diagnose, of_three_causes_over_userspace_names_each_and_of_none_none)
{
    struct causes causes = causes_new();

    find(&causes, "nothing, quickly");
    find(&causes, "MaxSessions");
    find(&causes, "a dead daemon");
    find(&causes, "policy");

    causes_end(&causes);
}
