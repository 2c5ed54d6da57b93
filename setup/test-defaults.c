/* Linked into every test program: a test that names no limit of its own gets one,
 * from TEST_TIMEOUT (seconds). */
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <stdlib.h>

ReportHook(PRE_ALL)(struct criterion_test_set *set)
{
    const char *text = getenv("TEST_TIMEOUT");
    double limit = text ? strtod(text, NULL) : 0;
    if (!(limit > 0))
        limit = 120;
    FOREACH_SET (struct criterion_suite_set *suite, set->suites) {
        bool has_limit = suite->suite.data && suite->suite.data->timeout > 0;
        FOREACH_SET (struct criterion_test *test, suite->tests) {
            if (test->data->timeout <= 0 && !has_limit)
                test->data->timeout = limit;
        }
    }
}
