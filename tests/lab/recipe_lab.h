/* Projects as `triphase init` lays them down, for recipes that take longer than lab_run waits: commands, sh
 * on the guest and boots, under bounds of the caller's, in seconds, or TEST_PATIENCE (1) times as many. On
 * top of lab.h; functions fail the test by themselves. */
#pragma once
#include "lab/lab.h"
#include <stdarg.h>

/* Laid down within `bound_s`, nothing made yet; HOME is the lab's own. */
struct lab *recipe_lab_new(double bound_s);
/* `triphase WORDS…` (at most 8) to its end, at most `seconds`. */
struct lab_result recipe_lab_run(struct lab *lab, double seconds, const char *word, va_list more);
/* The same, and fails the test unless it ends with that code. */
struct lab_result recipe_lab_expect(struct lab *lab, double seconds, int code, const char *word, ...)
    __attribute__((sentinel));
struct lab_result recipe_lab_expect_list(struct lab *lab, double seconds, int code, const char *word,
                                         va_list more);
/* Runs sh on the guest of that target with `input` on its stdin (may be NULL), at most `bound_s`; its exit
 * code in `code` (NULL: must be 0). stdout, malloc'ed. */
char *recipe_lab_guest(struct lab *lab, const char *target, int bound_s, const char *script,
                       const char *input, int *code);
/* Reboots it over ssh and waits until it answers as another boot, at most `bound_s`, and is up; `guest_s` as
 * of recipe_lab_guest. */
void recipe_lab_reboot(struct lab *lab, const char *target, int guest_s, int bound_s);
/* How many tasks of the last run changed something. */
int64_t recipe_lab_changed(struct lab *lab);
