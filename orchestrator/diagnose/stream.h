/* Programs whose stdin and stdout are streams, run side by side and measured as the channels of a session are
 * (net/ssh_session.h). Blocking. */
#pragma once
#include "base/deadline.h"
#include "net/ssh_session.h"
#include "process/scope.h"

struct stream {
    const char *const *argv;
    const char *const *environment; /* NULL: inherited */
    const char *directory;          /* NULL: inherited */
    const struct scope *scope;
    size_t input_bytes; /* zeros to its stdin, which ends then */
    bool holds;         /* its stdin stays open until it ends */
    int64_t throttle;   /* bytes a second that are read; 0: what comes */
    int64_t silence_ns; /* without a byte either way for so long it is ended; 0: the deadline alone does */
    size_t keep;        /* bytes of its stdout kept */
    void (*on_look)(void *context,
                    pid_t pid); /* once a second while it runs, and before it is ended; may be NULL */
    void *context;
};

/* All of them at once. `ends` are filled also on failure: ERROR_DEADLINE where one was ended because its
 * time was over or it was silent; ERROR_MISSING where one could not be started. */
int stream_run(const struct stream *streams, int count, struct deadline deadline,
               struct ssh_channel_end *ends, struct error *err);
