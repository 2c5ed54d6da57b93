#include "base/error.h"

#include "base/memory.h"

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

int error_system(struct error *err, int number, const char *format, ...)
{
    if (err) {
        char reason[128];
        va_list args;
        va_start(args, format);
        AUTO_FREE char *what = xvasprintf(format, args);
        va_end(args);
        replace(err, ERROR_SYSTEM, xasprintf("%s: %s", what, strerror_r(number, reason, sizeof reason)));
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
