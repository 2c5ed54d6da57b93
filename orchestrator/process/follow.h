/* Following a file that grows, by inotify: new complete lines are handed out as they come. Works before the
 * file exists (the folder must). */
#pragma once
#include "base/error.h"
#include "process/loop.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file that was cut off behind what was read is at its end: nothing more is handed out, and follow_drain
 * fails, saying so. What is no regular file is not followed. The callback may stop the follow, but not drain
 * it. Without inotify it looks every 250 ms. */
struct follow;
/* `line` has no newline and a NUL behind it (bytes inside may be NUL too). `skipped` is true for a line over
 * the limit: then `line` holds its first 256 bytes. */
typedef void follow_function(void *context, const char *line, size_t length, bool skipped);

/* `limit`: longest line in bytes. Descriptors belong to the follow. Reads at most 256 KiB a turn of the loop,
 * so that timers stay on time in a flood. */
int follow_start(struct loop *loop, const char *path, size_t limit, follow_function *function, void *context,
                 struct follow **out, struct error *err);
/* Reads what is there now to the end, at once; a last line without newline is handed out too when `last`. */
int follow_drain(struct follow *follow, bool last, struct error *err);
/* Reads a file that grows no more from begin to end, however large it is; a last line without newline is left
 * out. `*offset` is where the line that is handed out ends. An absent file has no lines. */
int follow_whole(const char *path, size_t limit, follow_function *function, void *context, int64_t *offset,
                 struct error *err);
/* Bytes handed out so far (for a later reader to go on from). */
int64_t follow_offset(const struct follow *follow);
void follow_stop(struct follow **follow);
