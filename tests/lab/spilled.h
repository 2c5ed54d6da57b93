/* Secrets that a test used, looked for wherever they must not be: in the words and the environment of every
 * process while the test runs (they stand there for an instant only), and afterwards in files. Functions
 * fail the test by themselves. */
#pragma once

/* One that ends with a dash is the beginning of keys that others make, and looked for only in what the test
 * started. From here on a process beside the test looks through /proc without a pause, until spilled_check
 * or the test's end. Eight secrets at most; each is copied, and so in the memory of that process alone. */
void spilled_watch(const char *secret);
/* Ends the look, and fails where one of the secrets was seen in a process, or stands in a file below one of
 * the folders (NULL-ended; what is packed there as .tar.gz is unpacked). Files that are named `but` (may be
 * NULL) are where the test itself put them. */
void spilled_check(const char *but, const char *folder, ...) __attribute__((sentinel));
