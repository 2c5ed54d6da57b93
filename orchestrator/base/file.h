/* Files and folders, with the safety the rest relies on: descriptors are CLOEXEC, writes go to the end
 * or fail, a replaced file is either the old or the new one, removing a tree never follows a link.
 * Errors are ERROR_SYSTEM. */
#pragma once
#include "base/error.h"
#include "base/text.h"
#include "base/words.h"
#include <stdbool.h>
#include <sys/types.h>

/* Adds the whole file; refuses more than `limit` bytes. */
int file_read(const char *path, size_t limit, struct text *out, struct error *err);
/* The last `limit` bytes at most. */
int file_read_tail(const char *path, size_t limit, struct text *out, struct error *err);
/* open(2) for writing with O_CREAT, O_NOFOLLOW and O_CLOEXEC. What root makes in somebody's folder (behind
 * sudo, or logged in as root) belongs to that folder's owner: that holds here, for file_replace and for
 * file_make_dirs. Descriptor, or -1 with errno. */
int file_create(const char *path, int flags, mode_t mode);
/* Gives one file or folder away, a link itself and not what it leads to. A file with several names could be
 * anybody's and is left (EPERM). 0 or -1 with errno. */
int file_give(const char *path, uid_t user, gid_t group);
/* Gives what root owns in the tree to the owner of the folder above it: for what other programs made there as
 * root. Follows no link, leaves files with several names alone. Best effort. */
void file_give_tree(const char *path);
/* Writes beside and renames over; fsyncs the file. */
int file_replace(const char *path, const void *bytes, size_t length, mode_t mode, struct error *err);
/* The same with a file that is there, which keeps its mode, owner and group. Where it may not be written, or
 * is a link, it fails. */
int file_rewrite(const char *path, const void *bytes, size_t length, struct error *err);
/* All bytes, over short writes and EINTR. 0 or -1 with errno. */
int file_write_all(int fd, const void *bytes, size_t length);
bool file_exists(const char *path);
/* 1 where something is there, 0 where nothing is, -1 where that cannot be seen (a closed folder, a disk that
 * fails): never to be told as absent. */
int file_look(const char *path, struct error *err);
bool file_is_dir(const char *path);
/* An executable regular file. */
bool file_is_program(const char *path);
/* mkdir -p; folders it makes get `mode`; fine when it is there. */
int file_make_dirs(const char *path, mode_t mode, struct error *err);
/* rm -rf without following links or leaving the file system it starts on; fine when it is absent. */
int file_remove_tree(const char *path, struct error *err);
/* malloc'ed "a/b"; b when b is absolute or a is NULL or "". */
char *file_join(const char *a, const char *b);
/* malloc'ed: the path without its last part; "." where it has no slash. */
char *file_parent(const char *path);
/* malloc'ed: the path itself where it is a folder, else its parent. */
char *file_folder(const char *path);
/* Whether a path is that folder or lies below it, by their names alone. */
bool file_is_within(const char *path, const char *folder);
/* What of the path is below the folder, else the whole of it; a part of `path`. */
const char *file_below(const char *path, const char *folder);
/* Where programs are looked for when PATH is not set. */
#define FILE_USUAL_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
/* The first program of that name in the colon-separated list (NULL: PATH, and behind it the sbin beside each
 * usual bin in it); a name with a slash is itself. malloc'ed or NULL. */
char *file_find_program(const char *name, const char *path_list);
/* Names in a folder, sorted, without . and ..; an absent folder has none. */
int file_list(const char *path, struct words *out, struct error *err);
/* Whether the file system behind the path is a network or FUSE one (statfs). */
bool file_is_remote(const char *path);
