#include "provider_schema.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <stdlib.h>

int provider_schema_look(const char *kind, const char *path)
{
    /* The linters' environment has the validator. */
    const char *const argv[] = {".venv-lint/bin/python3", "tests/lab/provider_schema.py", kind, path, NULL};
    AUTO_TEXT out = TEXT_INIT, errors = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct child_end end = {0};
    struct program program = {.argv = argv, .bound_ns = 60 * NS_PER_S};
    cr_assert_eq(program_run(&program, &out, &errors, &end, &err), 0, "%s", error_text(&err));
    cr_assert_eq(end.code, 0, "%s %s: %s%s", kind, path, text_string(&out), text_string(&errors));
    return (int)strtol(text_string(&out), NULL, 10);
}
