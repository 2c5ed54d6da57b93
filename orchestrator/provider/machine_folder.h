/* What a provider that makes a machine's key keeps in the machine's folder. */
#pragma once
#include "base/error.h"
#include "base/text.h"
#include <stddef.h>

/* <folder>/<file> and its .pub, ed25519 without a passphrase; an older one is replaced. */
int machine_folder_make_key(const char *folder, const char *file, const char *comment, struct error *err);
/* A small file's content without the newlines at its end. */
int machine_folder_read(const char *folder, const char *file, struct text *out, struct error *err);
/* What was put into it is there after a power cut too, and so is the folder itself, with the two above it. */
int machine_folder_settle(const char *folder, struct error *err);
/* What is written into a project belongs to whoever the project belongs to, also behind sudo: the folder and
 * these files in it, as far as they are there. */
int machine_folder_give(const char *folder, const char *const *files, size_t count, struct error *err);
/* Removes these files, also half written ones, and the folder too where nothing else is in it. A NULL folder
 * is fine. */
void machine_folder_forget(const char *folder, const char *const *files, size_t count);
