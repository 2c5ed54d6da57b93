/* The file of a change, read and written under one lock, so that of two changes at once none is lost. */
#pragma once
#include "base/error.h"
#include "base/text.h"
#include "config/invoker.h"

struct change_write {
    const struct invoker *acts_as; /* files are read and made as this user does behind sudo; NULL: as ours */
    char *path;                    /* a link's target */
    int lock;
    bool there;
    struct text bytes; /* what it holds */
};

/* A file that is not there is an empty one with `may_be_absent`. */
int change_write_begin(const char *path, const struct invoker *acts_as, bool may_be_absent,
                       struct change_write *out, struct error *err);
/* The whole of it, or nothing of it. A new one is 0600, and so is its folder. ERROR_BUSY: somebody else
 * changed the file since it was read. */
int change_write_put(struct change_write *write, const struct text *bytes, struct error *err);
void change_write_end(struct change_write *write);
