/* Secrets that a test used, looked for wherever they must not be: in the words and the environment of every
 * process while the test runs (they stand there for an instant only), in what programs printed, and at the
 * end in files. The lab of a tailnet does all of it by itself for every key that it makes (lab/tailnet.h); a
 * test adds those that it thought up. */
#pragma once
#include "base/words.h"

/* From here on a process beside the test looks through /proc, until spilled_found or the test's end. It is
 * looked for in every process of this machine, so it has to be of this test alone. 32 secrets at most; each
 * is copied, and so in the memory of that process alone. Fails the test by itself. */
void spilled_watch(const char *secret);
/* Each line of that file is one too, whenever it comes: keys that others make for the test. Copied. */
void spilled_watch_lines(const char *path);
/* The test itself wrote this file, so a secret may stand in it. */
void spilled_given(const char *path);
/* What a program printed. */
void spilled_said(const char *words);
/* Ends the look. Where a secret was seen in a process, in what was printed, or stands in a file below one of
 * the folders (what is packed there as .tar.gz is unpacked), one line for each; "" where none was, or none
 * was watched for. malloc'ed. For the end of a test, where an assertion would be heard by nobody: fails
 * nothing. */
char *spilled_found(const struct words *folders);
