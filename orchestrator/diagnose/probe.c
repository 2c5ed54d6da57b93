#include "diagnose/probe.h"

#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/layout.h"
#include "config/marks.h"
#include "diagnose/probe_way.h"
#include "net/ssh_session.h"
#include "process/aside.h"
#include "process/guard.h"

#include <errno.h>
#include <sys/mman.h>

/* Of one way, with the narrowing of a size that hangs, and of its turn behind the others. */
#define WAY_BOUND  (75 * NS_PER_S)
#define TURN_BOUND (20 * NS_PER_S)
#define END_BOUND  (2 * NS_PER_S)

struct probe {
    struct loop *loop;
    struct scope scope;
    char *marker;
    struct way *ways;
    size_t count, left;
};

struct way {
    struct probe *probe;
    struct probe_order order;
    struct aside *aside;
    struct timer *timer;
    struct json *entry; /* NULL: not yet */
};

static int be_child(const void *what, struct text *out, struct error *err)
{
    (void)err;
    const struct way *way = what;
    AUTO_JSON *entry = probe_way(&way->order);
    AUTO_FREE char *bytes = json_compact(entry);
    text_add(out, bytes);
    return 0;
}

static void take(struct way *way, struct json *entry, const char *otherwise)
{
    if (!entry) {
        entry = json_new_object();
        json_set_string(entry, "transport", transport_name(way->order.reach->kind));
        json_set_string(entry, "verdict", "unusable");
        json_set_string(entry, "why", otherwise);
    }
    way->entry = entry;
    if (--way->probe->left == 0)
        loop_stop(way->probe->loop);
}

static void on_done(void *context, const char *bytes, size_t length, const struct error *failure)
{
    struct way *way = context;
    way->aside = NULL;
    timer_disarm(way->timer);
    take(way, failure ? NULL : json_parse(bytes, length, NULL), failure ? failure->message : "no answer");
}

static void on_over(void *context)
{
    struct way *way = context;
    aside_stop(&way->aside);
    take(way, NULL, "it did not come to an end within its time");
}

static int begin(struct probe *probe, const struct reach *reaches, const char *agent, int turn,
                 struct error *err)
{
    for (size_t i = 0; i < probe->count; i++) {
        struct way *way = &probe->ways[i];
        *way = (struct way){.probe = probe, .order = {&reaches[i], agent, turn}};
        way->timer = loop_timer(probe->loop, on_over, way);
        timer_arm(way->timer, WAY_BOUND + TURN_BOUND * (int64_t)probe->count);
        if (aside_start(probe->loop, &probe->scope, probe->marker, be_child, way, on_done, way, &way->aside,
                        err) < 0)
            return -1;
    }
    return 0;
}

static int run(struct probe *probe, const struct reach *reaches, const char *agent, struct error *err)
{
    AUTO_CLOSE int turn = memfd_create("turn", MFD_CLOEXEC);
    if (turn < 0)
        return error_system(err, errno, "cannot prepare the probe");
    int status = begin(probe, reaches, agent, turn, err);
    if (status == 0)
        status = loop_run(probe->loop, err);
    for (size_t i = 0; i < probe->count; i++) {
        aside_stop(&probe->ways[i].aside);
        timer_free(&probe->ways[i].timer);
    }
    return status;
}

/* With a guard, so that nothing of it outlives this process, however that ends. */
static int run_guarded(struct probe *probe, const struct reach *reaches, const char *folder,
                       const char *agent, struct error *err)
{
    struct child guard = CHILD_INIT;
    if (guard_start(&probe->scope, folder, -1, &guard, err) < 0)
        return -1;
    int status = run(probe, reaches, agent, err);
    (void)scope_end(&probe->scope, END_BOUND, NULL);
    (void)guard_dismiss(&guard, NULL);
    (void)scope_remove(&probe->scope, NULL);
    return status;
}

static struct json *report_of(struct probe *probe, const struct target *target)
{
    struct json *report = json_new_object(), *list = json_new_array();
    json_set_integer(report, "version", 1);
    json_set_string(report, "target", target->name);
    for (size_t i = 0; i < probe->count; i++)
        json_append(list, TAKE(probe->ways[i].entry));
    json_set(report, "transports", list);
    return report;
}

int probe_run(struct reach *reaches, size_t count, struct json **out, struct error *err)
{
    char id[ID_SIZE];
    id_make(id);
    AUTO_FREE char *marker = marks_run(id), *name = xasprintf("probe-%s", id), *agent = NULL,
                   *folder = layout_sockets(id, reaches[0].kind);
    AUTO_FREE struct way *ways = xcalloc(count, sizeof *ways);
    struct probe probe = {.scope = {.fd = -1}, .marker = marker, .ways = ways, .count = count, .left = count};
    if (ssh_session_check(err) < 0)
        return -1;
    if (ssh_needs_agent(reaches[0].machine, reaches[0].target) &&
        reach_open_agent(&reaches[0], &agent, err) < 0)
        return -1;
    int status = layout_make_sockets(folder, err);
    for (size_t i = 0; i < count && status == 0; i++)
        status = reach_plan(&reaches[i], id, folder, err);
    if (status == 0)
        status = loop_new(&probe.loop, err);
    if (status == 0)
        status = scope_open(name, marker, &probe.scope, err);
    if (status == 0)
        status = run_guarded(&probe, reaches, folder, agent, err);
    if (status == 0)
        *out = report_of(&probe, reaches[0].target);
    for (size_t i = 0; i < count; i++)
        json_free(ways[i].entry);
    (void)file_remove_tree(folder, NULL);
    scope_close(&probe.scope);
    loop_free(probe.loop);
    return status;
}

bool probe_has_usable(const struct json *report)
{
    const struct json *list = json_get(report, "transports");
    for (size_t i = 0; i < json_count(list); i++)
        if (text_is(json_get_string(json_at(list, i), "verdict", NULL), "usable"))
            return true;
    return false;
}
