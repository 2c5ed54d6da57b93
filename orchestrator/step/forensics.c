#include "step/forensics.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/words.h"
#include "config/marks.h"
#include "process/child.h"
#include "stage/handover.h"

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BOUND_MS = 1300, RESULT_MOST = 1 << 20, PIDS_MOST = 512, KEEP_MOST = 4 };

struct forensics {
    struct child child;
    struct watch *watch;
    struct timer *bound;
    int result;
    forensics_function *function;
    void *context;
};

static struct json *members_of(const struct scope *scope)
{
    AUTO_FREE pid_t *pids = NULL;
    int count = scope ? scope_members(scope, &pids, NULL) : 0;
    struct json *list = json_new_array();
    for (int i = 0; i < count && i < PIDS_MOST; i++)
        json_append(list, json_new_integer(pids[i]));
    return list;
}

/* Every whole line of what the child wrote is a part. */
static struct json *read_parts(int fd)
{
    AUTO_FREE char *bytes = xmalloc(RESULT_MOST);
    size_t have = 0;
    for (ssize_t got;
         have < RESULT_MOST && (got = pread(fd, bytes + have, RESULT_MOST - have, (off_t)have)) > 0;)
        have += (size_t)got;
    struct json *look = json_new_object();
    for (const char *at = bytes, *end; (end = memchr(at, '\n', (size_t)(bytes + have - at))); at = end + 1) {
        AUTO_JSON *part = json_parse(at, (size_t)(end - at), NULL);
        const char *key;
        struct json *value;
        for (void *next = NULL; json_is_object(part) && json_each(part, &next, &key, &value);)
            json_set(look, key, json_keep(value));
    }
    return look;
}

static void finish(struct forensics *forensics, bool whole)
{
    AUTO_JSON *look = read_parts(forensics->result);
    if (!whole)
        json_set_bool(look, "unfinished", true);
    timer_disarm(forensics->bound);
    watch_stop(&forensics->watch);
    forensics->function(forensics->context, look);
}

static void on_child(void *context, uint32_t events)
{
    (void)events;
    struct forensics *forensics = context;
    struct child_end end = {0};
    /* Reaped by somebody else it is over too; how is not known then. */
    bool reaped = child_poll(&forensics->child, &end, NULL) == 1;
    finish(forensics, !reaped || (end.exited && end.code == 0));
}

static void on_bound(void *context)
{
    struct forensics *forensics = context;
    child_signal(&forensics->child, SIGKILL);
    finish(forensics, false);
}

static int start_child(const struct forensics_plan *plan, int request, int result, struct child *out,
                       struct error *err)
{
    int keep[KEEP_MOST + 3], count = 0;
    keep[count++] = request;
    keep[count++] = result;
    for (const int *fd = plan->secrets; fd && *fd >= 0 && count < KEEP_MOST + 2; fd++)
        keep[count++] = *fd;
    keep[count] = -1;
    AUTO_WORDS argv = WORDS_INIT, environment = WORDS_INIT;
    words_add_all(&argv, plan->self, "stage", "look", NULL);
    words_addf(&argv, "%d", request);
    words_addf(&argv, "%d", result);
    child_inherited(&environment);
    marks_environment(&environment, plan->run, 0);
    struct child_plan child = {.argv = words_argv(&argv),
                               .environment = words_argv(&environment),
                               .in = -1,
                               .out = -1,
                               .error = -1,
                               .keep = keep,
                               .scope = plan->run_scope};
    return child_start(&child, out, err);
}

static struct json *request_of(const struct forensics_plan *plan)
{
    struct json *request = json_new_object(), *secrets = json_new_array();
    json_set(request, "pids", members_of(plan->scope));
    json_set(request, "run_pids", members_of(plan->run_scope));
    json_set_string(request, "control_directory", plan->control_directory);
    json_set_string(request, "control_path", plan->control_path);
    json_set_string(request, "log", plan->log);
    json_set_string(request, "console", plan->console);
    for (const int *fd = plan->secrets; fd && *fd >= 0; fd++)
        json_append(secrets, json_new_integer(*fd));
    json_set(request, "secrets", secrets);
    return request;
}

int forensics_start(struct loop *loop, const struct forensics_plan *plan, forensics_function *function,
                    void *context, struct forensics **out, struct error *err)
{
    AUTO_JSON *ask = request_of(plan);
    AUTO_CLOSE int request = handover_memfd("look", ask, true, err);
    AUTO_CLOSE int result = request < 0 ? -1 : handover_memfd("looked", NULL, false, err);
    struct child child = CHILD_INIT;
    if (result < 0 || start_child(plan, request, result, &child, err) < 0)
        return -1;
    struct forensics *forensics = xcalloc(1, sizeof *forensics);
    *forensics = (struct forensics){.child = child,
                                    .result = TAKE_FD(result),
                                    .function = function,
                                    .context = context,
                                    .bound = loop_timer(loop, on_bound, forensics)};
    if (loop_watch(loop, forensics->child.pidfd, EPOLLIN, on_child, forensics, &forensics->watch, err) < 0) {
        forensics_stop(&forensics);
        return -1;
    }
    timer_arm(forensics->bound, BOUND_MS * NS_PER_MS);
    *out = forensics;
    return 0;
}

void forensics_stop(struct forensics **forensics)
{
    struct forensics *f = *forensics;
    *forensics = NULL;
    if (!f)
        return;
    child_signal(&f->child, SIGKILL); /* one that has ended is not met by it */
    struct child_end end;
    child_poll(&f->child, &end, NULL);
    watch_stop(&f->watch);
    timer_free(&f->bound);
    child_close(&f->child);
    fd_close(&f->result);
    free(f);
}
