/* One archive of what is known of a run: files that are redacted on their way in, and a manifest that says
 * what is in it, what is missing and why, and what was redacted. Nothing of a file is held in memory; what
 * was redacted waits in a file without a name beside the archive, since an archive needs sizes first. */
#pragma once
#include "base/error.h"
#include "format/json.h"
#include "format/tarball.h"
#include "redact/redact.h"
#include <stddef.h>
#include <stdint.h>

struct bundle;
/* `top` is the folder that everything in it lies in. `rules` stay the caller's and must outlive it. */
int bundle_begin(const char *path, enum tarball_format format, const char *top,
                 const struct redact_rules *rules, struct bundle **out, struct error *err);
/* One file, `name` below the top folder, in pieces; one at a time. `facts` (may be NULL, taken over) are
 * further members of its entry in the manifest. */
int bundle_open(struct bundle *bundle, const char *name, struct error *err);
int bundle_put(struct bundle *bundle, const char *bytes, size_t length, struct error *err);
int bundle_close(struct bundle *bundle, struct json *facts, struct error *err);
/* The same with a file that is there in one piece. */
int bundle_add(struct bundle *bundle, const char *name, const struct text *text, struct json *facts,
               struct error *err);
/* A regular file in a folder (a descriptor), as long as it is now, however it grows or shrinks meanwhile.
 * Links are not followed. What cannot be read is missing, and no failure. Of more than 256 MiB the last ones
 * are taken, from a whole line on. */
int bundle_add_file(struct bundle *bundle, int folder, const char *file, const char *name, struct error *err);
/* Every regular file of a folder, without its subfolders, below `name`. An absent folder is missing. */
int bundle_add_folder(struct bundle *bundle, const char *path, const char *name, struct error *err);
bool bundle_has(const struct bundle *bundle, const char *name);
/* Says that a part is not in it. */
void bundle_missing(struct bundle *bundle, const char *part, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds manifest.json: `about` (taken over) with "files", "missing" and "redactions" added; `unread`: values
 * that could not be read. Then the archive gets its name. Ends the bundle in any case. `manifest` (may be
 * NULL) gets what was written, for the caller to free. */
int bundle_end(struct bundle *bundle, struct json *about, const struct json *unread, struct json **manifest,
               int64_t *size, struct error *err);
/* Ends it without a trace. NULL is fine. */
void bundle_drop(struct bundle *bundle);
/* The name with what is no letter, digit, dot, dash or underscore replaced by _. malloc'ed. */
char *bundle_safe_name(const char *name);
