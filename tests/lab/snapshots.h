/* The store of snapshots of the recipe vault: cases of tests/lab/snapshot_store.py, each a program of its
 * own. Of unit and system tests alike, so it stands here whole. */
#pragma once
#include "base/error.h"
#include "base/moment.h"
#include "base/text.h"
#include "process/program.h"

#include <criterion/criterion.h>

/* Runs one case on one kind of store (directory, loose, versitygw); fails the test unless it holds. */
static inline void snapshots_hold(const char *name, const char *kind)
{
    const char *const argv[] = {"/usr/bin/python3", "tests/lab/snapshot_store.py", name, kind, NULL};
    struct program program = {.argv = argv, .bound_ns = 100 * NS_PER_S};
    struct child_end end;
    AUTO_TEXT out = TEXT_INIT, said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(program_run(&program, &out, &said, &end, &err) == 0, "%s: %s", name, error_text(&err));
    cr_assert(end.code == 0, "%s on %s: %s", name, kind, text_string(&said));
}
