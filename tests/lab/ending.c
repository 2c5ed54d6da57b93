#include "lab/ending.h"

#include "base/memory.h"

#include <criterion/abort.h>
#include <stdarg.h>
#include <stdlib.h>

void ending_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *why = xvasprintf(format, args);
    va_end(args);
    criterion_test_die("%s", why);
    abort(); /* it does not come back */
}
