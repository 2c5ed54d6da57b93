/* What must hold of whatever a fuzzer is given: where it does not, the fuzzer ends with the words. */
#pragma once
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static inline void hold(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}
