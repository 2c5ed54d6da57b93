/* docs/provider.schema.json, by a validator of JSON Schema, against the table of answers that the program is
 * held against (unit suite command_answer) and against what the manual shows. What triphase really asks and
 * programs really answer is looked at where they do: suites command and examples. */
#include "lab/provider_schema.h"

#include <criterion/criterion.h>

TestSuite(provider_schema, .timeout = 60);

Test(provider_schema, each_answer_of_the_table_is_taken_or_refused_as_the_program_does)
{
    cr_expect_gt(provider_schema_look("table", "tests/cases/provider/answers.json"), 100);
}

Test(provider_schema, the_manuals_examples_are_of_it_and_its_program_answers_so)
{
    /* A request, three answers, and three of a program. */
    cr_expect_eq(provider_schema_look("manual", "docs/triphase-provider.7"), 7);
}
