#include "base/error.h"

#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void replace(struct error *err, enum error_kind kind, char *message)
{
    free(err->message);
    err->kind = kind;
    err->message = message;
}

int error_set(struct error *err, enum error_kind kind, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        replace(err, kind, xvasprintf(format, args));
        va_end(args);
    }
    return -1;
}

const char *error_meaning(int number)
{
    static const struct {
        int number;
        const char *meaning;
    } meanings[] = {
        {EACCES,
         "it, or a folder above it, is closed to this user: be the user whom it belongs to, or use sudo"},
        {EPERM, "this user or this container may not do that: be the user whom it belongs to, or use sudo"},
        {EROFS, "nothing can be written there: mount it writable, or keep the project elsewhere"},
        {ENOSPC, "the disk is full: make room on it (df -h, df -i), then do it again"},
        {EDQUOT, "this user's share of the disk is used up: make room, then do it again"},
        {EFBIG, "the file may not grow further: see the file system, and ulimit -f"},
        {EIO, "the disk does not work as it should: look at it (dmesg)"},
        {ESTALE, "the network file system has lost it: mount it again"},
        {EMFILE, "allow more open files (ulimit -n)"},
        {ENFILE, "this machine has too many files open: end something, or raise fs.file-max"},
        {ENOMEM, "this machine has no memory left: end something"},
        {ENOTDIR, "a part of the path is no folder"},
        {EISDIR, "a folder stands where a file belongs: move it away"},
        {ELOOP, "a symbolic link stands where none is followed, or leads in a circle"},
        {ENAMETOOLONG, "shorten the path"},
        {ETXTBSY, "the program is being written or run: wait, then do it again"},
    };
    for (size_t i = 0; i < COUNT_OF(meanings); i++)
        if (meanings[i].number == number)
            return meanings[i].meaning;
    return NULL;
}

int error_system(struct error *err, int number, const char *format, ...)
{
    if (err) {
        char reason[128];
        va_list args;
        va_start(args, format);
        AUTO_FREE char *what = xvasprintf(format, args);
        va_end(args);
        const char *meaning = error_meaning(number);
        replace(err, ERROR_SYSTEM,
                xasprintf("%s: %s%s%s", what, strerror_r(number, reason, sizeof reason), meaning ? "; " : "",
                          meaning ? meaning : ""));
    }
    return -1;
}

int error_prefix(struct error *err, const char *format, ...)
{
    if (err && err->kind != ERROR_NONE) {
        va_list args;
        va_start(args, format);
        AUTO_FREE char *what = xvasprintf(format, args);
        va_end(args);
        replace(err, err->kind, xasprintf("%s: %s", what, err->message));
    }
    return -1;
}

int error_move(struct error *to, struct error *from)
{
    if (to) {
        replace(to, from->kind, from->message);
        *from = (struct error)ERROR_INIT;
    } else {
        error_clear(from);
    }
    return -1;
}

void error_clear(struct error *err)
{
    replace(err, ERROR_NONE, NULL);
}

const char *error_text(const struct error *err)
{
    return err && err->message ? err->message : "no reason given";
}
