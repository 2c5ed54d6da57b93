/* What is found behind a test's end: in a suite's .fini, and in what is put in its place. Criterion calls
 * that in the test's process, but an assertion there is heard by nobody: the test would pass. */
#pragma once

/* The test has failed, for this reason. printf-like. Ends its process. */
_Noreturn void ending_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
