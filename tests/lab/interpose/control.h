/* What a test and the library that is loaded into the program share: a mapped file, named by
 * LAB_FAILING in the environment. */
#pragma once
#include <stdatomic.h>
#include <stdint.h>

enum fault_calls {
    FAULT_OPEN = 1,
    FAULT_READ = 2,
    FAULT_WRITE = 4,
    FAULT_SYNC = 8,
    FAULT_CHANGE = 16, /* make, rename, cut, allocate, owner, mode */
    FAULT_MAP = 32,
    FAULT_MEMORY = 64, /* allocations, wherever they come from */
    FAULT_REMOVE = 128 /* a full disk keeps nothing from it */
};

enum { FAULT_SHORT = -1 }; /* instead of an errno: half of what was asked for is done */

struct failing_control {
    /* Which calls count: of these kinds, on files below this folder, in processes whose name begins so. */
    uint32_t calls;
    char below[512], process[16];
    /* The nth of them fails, and with `forever` all that come after it. 0: they are counted only. */
    uint64_t nth;
    int32_t error, forever;
    /* What happened. */
    _Atomic uint64_t count;
    _Atomic uint32_t struck;
    char what[256]; /* the first call that failed */
};
