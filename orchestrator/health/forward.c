#include "health/forward.h"

#include "base/memory.h"
#include "base/text.h"
#include "process/aside.h"
#include "transport/master_control.h"

#include <string.h>
#include <unistd.h>

struct health_forward {
    struct loop *loop;
    const struct scope *scope;
    char *marker;
    char *control_path, *host; /* that it goes through and to; NULL: nowhere yet */
    int port, number;
    char *socket;
    bool ready;
    char *why; /* it could not be made; NULL: it could, or is being made */
    struct aside *aside;
    health_forward_done *done;
    void *context;
};

struct health_forward *health_forward_new(struct loop *loop, const struct scope *scope, const char *marker,
                                          health_forward_done *done, void *context)
{
    struct health_forward *forward = xcalloc(1, sizeof *forward);
    *forward = (struct health_forward){
        .loop = loop, .scope = scope, .marker = xstrdup(marker), .done = done, .context = context};
    return forward;
}

void health_forward_drop(struct health_forward *forward)
{
    aside_stop(&forward->aside);
    if (forward->socket)
        (void)unlink(forward->socket);
    free(TAKE(forward->socket));
    free(TAKE(forward->control_path));
    free(TAKE(forward->host));
    free(TAKE(forward->why));
    forward->ready = false;
}

void health_forward_free(struct health_forward **held)
{
    struct health_forward *forward = TAKE(*held);
    if (!forward)
        return;
    health_forward_drop(forward);
    free(forward->marker);
    free(forward);
}

static int make(const void *what, struct text *out, struct error *err)
{
    const struct health_forward *forward = what;
    (void)out;
    return master_forward(forward->control_path, forward->socket, forward->host, forward->port, err);
}

static void on_made(void *context, const char *bytes, size_t length, const struct error *failure)
{
    struct health_forward *forward = context;
    (void)bytes;
    (void)length;
    forward->aside = NULL;
    forward->ready = !failure;
    if (failure)
        forward->why = xstrdup(error_text(failure));
    forward->done(forward->context);
}

static void begin(struct health_forward *forward, const char *control_path, const char *host, int port)
{
    AUTO_ERROR err = ERROR_INIT;
    const char *slash = strrchr(control_path, '/');
    health_forward_drop(forward);
    forward->control_path = xstrdup(control_path);
    forward->host = xstrdup(host);
    forward->port = port;
    forward->socket = xasprintf("%.*s" MASTER_FORWARD_PREFIX "%d",
                                slash ? (int)(slash + 1 - control_path) : 0, control_path, ++forward->number);
    if (aside_start(forward->loop, forward->scope, forward->marker, make, forward, on_made, forward,
                    &forward->aside, &err) < 0)
        forward->why = xstrdup(error_text(&err));
}

const char *health_forward_socket(struct health_forward *forward, const char *control_path, const char *host,
                                  int port, const char **why)
{
    bool same =
        text_is(forward->control_path, control_path) && text_is(forward->host, host) && forward->port == port;
    *why = NULL;
    if (same && forward->ready)
        return forward->socket;
    if (same && forward->aside)
        return NULL;
    if (same && forward->why) { /* told once, and tried again behind that */
        free(TAKE(forward->control_path));
        *why = forward->why;
        return NULL;
    }
    begin(forward, control_path, host, port);
    *why = forward->why;
    return NULL;
}
