#include "step/processes.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    ABANDON_BOUND_S = 5,
    MARKER_POLL_MS = 25, /* a scope without a cgroup has nothing to wait on */
};

struct step_processes {
    struct loop *loop;
    struct step_processes_listener listener;
    struct scope scope;
    struct child child;
    bool main_ended;
    struct watch *child_watch, *scope_watch;
    int scope_events;
    struct timer *poll;
    int64_t ooms_before;
};

static int64_t kernel_ooms(void)
{
    AUTO_TEXT vmstat = TEXT_INIT;
    if (file_read("/proc/vmstat", 1 << 20, &vmstat, NULL) < 0)
        return 0;
    const char *at = strstr(text_string(&vmstat), "\noom_kill ");
    return at ? strtoll(at + strlen("\noom_kill "), NULL, 10) : 0;
}

static void on_child(void *context, uint32_t events)
{
    (void)events;
    struct step_processes *processes = context;
    struct child_end end;
    if (child_poll(&processes->child, &end, NULL) != 1)
        return;
    watch_stop(&processes->child_watch);
    processes->main_ended = true;
    processes->listener.main_ended(processes->listener.context, &end);
}

static void look_for_emptiness(struct step_processes *processes)
{
    if (processes->main_ended && !scope_populated(&processes->scope))
        processes->listener.empty(processes->listener.context);
}

static void on_scope(void *context, uint32_t events)
{
    (void)events;
    struct step_processes *processes = context;
    /* Reading it is what makes the kernel wait for the next change; unread it would stay ready for ever. */
    char ignored[256];
    ssize_t got = pread(processes->scope_events, ignored, sizeof ignored, 0);
    (void)got; /* ENODEV once the cgroup was removed: empty too */
    look_for_emptiness(processes);
}

static void on_poll(void *context)
{
    struct step_processes *processes = context;
    timer_arm(processes->poll, MARKER_POLL_MS * NS_PER_MS);
    look_for_emptiness(processes);
}

int step_processes_open(struct loop *loop, const char *name, const char *marker,
                        const struct step_processes_listener *listener, struct step_processes **out,
                        struct error *err)
{
    struct step_processes *processes = xcalloc(1, sizeof *processes);
    processes->loop = loop;
    processes->listener = *listener;
    processes->child = (struct child)CHILD_INIT;
    processes->scope_events = -1;
    if (scope_open(name, marker, &processes->scope, err) < 0) {
        free(processes);
        return -1;
    }
    scope_take_orphans(&processes->scope);
    processes->poll = loop_timer(loop, on_poll, processes);
    processes->ooms_before = kernel_ooms();
    *out = processes;
    return 0;
}

struct scope *step_processes_scope(struct step_processes *processes)
{
    return &processes->scope;
}

static int start_main(struct step_processes *processes, const struct child_plan *plan, struct spare **spare,
                      struct error *err)
{
    if (spare && *spare && warm_take(spare, plan, &processes->child, NULL) == 0)
        return 0;
    return child_start(plan, &processes->child, err);
}

int step_processes_start(struct step_processes *processes, const struct child_plan *plan,
                         struct spare **spare, struct error *err)
{
    struct child_plan child = *plan;
    child.scope = &processes->scope;
    if (start_main(processes, &child, spare, err) < 0)
        return -1;
    processes->scope_events = scope_events_fd(&processes->scope);
    /* From here on something runs: what fails now ends it. */
    if (loop_watch(processes->loop, processes->child.pidfd, EPOLLIN, on_child, processes,
                   &processes->child_watch, err) < 0 ||
        (processes->scope_events >= 0 && loop_watch(processes->loop, processes->scope_events, EPOLLPRI,
                                                    on_scope, processes, &processes->scope_watch, err) < 0)) {
        step_processes_abandon(processes);
        return -1;
    }
    return 0;
}

void step_processes_abandon(struct step_processes *processes)
{
    struct child_end ignored;
    scope_end(&processes->scope, ABANDON_BOUND_S * NS_PER_S, NULL);
    child_poll(&processes->child, &ignored, NULL);
}

pid_t step_processes_main(const struct step_processes *processes)
{
    return processes->child.pid;
}

void step_processes_await_empty(struct step_processes *processes)
{
    if (processes->scope_events < 0)
        timer_arm(processes->poll, 0);
}

void step_processes_await_nothing(struct step_processes *processes)
{
    timer_disarm(processes->poll);
}

bool step_processes_oom(const struct step_processes *processes)
{
    return kernel_ooms() > processes->ooms_before;
}

void step_processes_free(struct step_processes *processes)
{
    if (!processes)
        return;
    watch_stop(&processes->child_watch);
    watch_stop(&processes->scope_watch);
    timer_free(&processes->poll);
    fd_close(&processes->scope_events);
    child_close(&processes->child);
    scope_close(&processes->scope);
    free(processes);
}
