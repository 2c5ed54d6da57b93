/* A project of the test's own: files from texts, loaded under an environment that holds nothing but what
 * the test says. Removed by folder_clean (a suite's .fini). */
#pragma once
#include "base/error.h"
#include "config/config.h"

/* The folder, made at the first call. Its user file, were there one, is
 * <folder>/home/.config/triphase/config.yml. */
const char *folder(void);
void folder_write(const char *path, const char *text);
/* The files of tests/cases/NAME, over what is there. */
void folder_case(const char *name);
/* malloc'ed. */
char *folder_path(const char *path);
void folder_clean(void);
/* A project `demo` with one target `vault` of the recipe `vault` with one phase `install`, whose playbook
 * is there. */
void folder_fill(void);

/* NAME=VALUE texts and "PATH=YAML" texts for the next loads; NULL-terminated varargs. */
void folder_environment(const char *first, ...) __attribute__((sentinel));
void folder_sets(const char *first, ...) __attribute__((sentinel));
/* Fails the test when it does not load. */
struct project *folder_load(void);
/* The message; fails the test when it loads or the kind is another one. malloc'ed. */
char *folder_refusal(enum error_kind kind);
/* The value that config_explain says for the path, "value <- origin | hidden | …", malloc'ed; NULL when
 * the path is not told. */
char *folder_explain(const struct project *project, const char *path);

#define cr_has(text, part)     cr_assert(strstr((text), (part)), "'%s' does not say '%s'", (text), (part))
#define cr_has_not(text, part) cr_assert_null(strstr((text), (part)), "'%s' says '%s'", (text), (part))
