#include "run/recovery.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <string.h>

enum { AROUND_GRACE_S = 10, LAST_LOOK_S = 4 };

#define BIT(part) (1u << (part))

/* The way from a broken attempt to the next one: what each part makes due by ending well, and by failing. The
 * lowest part that is due comes next. A sweep that failed leaves its looks owed: the transport's verification
 * is the next contact. A transport that failed ends the run. */
static const struct {
    const char *stage;
    unsigned well, failed;
} parts[] = {
    [RECOVERY_SWEEP] = {"sweep", 0, 0},
    [RECOVERY_ASYNC] = {"async", 0, 0},
    [RECOVERY_PAUSE] = {NULL, BIT(RECOVERY_TRANSPORT), 0},
    [RECOVERY_TRANSPORT] = {"transport", BIT(RECOVERY_MAKE_UP), 0},
    [RECOVERY_MAKE_UP] = {"sweep", 0, 0},
    [RECOVERY_OVER] = {NULL, 0, 0},
};

/* What a way of ending makes due. Looks come on top where the host may hold something. */
static unsigned due_after(bool again, bool look)
{
    return (look ? BIT(RECOVERY_SWEEP) : 0) | (again ? BIT(RECOVERY_PAUSE) : 0);
}

const char *recovery_stage(enum recovery_part part)
{
    return parts[part].stage;
}

bool recovery_is_look(const char *stage)
{
    return text_is(stage, parts[RECOVERY_SWEEP].stage) || text_is(stage, parts[RECOVERY_ASYNC].stage);
}

enum { CLOCKS_DIFFER = 1000 }; /* both are slewed to the right time, by at most 0.5 per mille */

/* Reckoned from the host's own clock: how long a look is on its way then makes no difference. */
static void add_look(struct recovery *recovery, const char *run, int step, const struct recovery_link *link,
                     int64_t started_ns)
{
    if (recovery->look_count == RECOVERY_LOOKS_MOST)
        return;
    int64_t after = started_ns - link->at_ns;
    after -= after / CLOCKS_DIFFER;
    recovery->looks[recovery->look_count++] = (struct recovery_look){
        xstrdup(run), step, xstrdup_or_null(link->session), xstrdup_or_null(link->boot),
        link->host_ticks > 0 && after >= 0
            ? xasprintf("%lld+%lld", (long long)link->host_ticks, (long long)(after / NS_PER_S))
            : NULL};
}

static void drop_look(struct recovery *recovery, int at)
{
    struct recovery_look *look = &recovery->looks[at];
    free(look->run);
    free(look->session);
    free(look->boot);
    free(look->since);
    memmove(look, look + 1, (size_t)(--recovery->look_count - at) * sizeof *look);
}

void recovery_broke(struct recovery *recovery, bool may_leave, bool again, bool look, const char *run,
                    int step, const struct recovery_link *link, int64_t started_monotonic_ns)
{
    if (may_leave) {
        /* What ended just now matters more than the oldest debt. */
        if (recovery->look_count == RECOVERY_LOOKS_MOST)
            drop_look(recovery, RECOVERY_LOOKS_MOST - 1);
        add_look(recovery, run, step, link, started_monotonic_ns);
    }
    recovery->again = again;
    recovery->due = due_after(again, look && may_leave);
}

void recovery_owe(struct recovery *recovery, const char *run, int step, const char *evidence,
                  int64_t started_monotonic_ns)
{
    AUTO_JSON *parsed = evidence ? json_parse(evidence, strlen(evidence), NULL) : NULL;
    const struct json *tried = json_get(parsed, "tried");
    /* The last one tried is the one that carried it. */
    const struct json *last = json_count(tried) ? json_at(tried, json_count(tried) - 1) : NULL;
    const struct recovery_link link = {json_get_string(last, "session", NULL),
                                       json_get_string(last, "boot", NULL),
                                       json_get_integer(last, "host_ticks", 0),
                                       json_get_integer(last, "at_ns", 0)};
    add_look(recovery, run, step, &link, started_monotonic_ns);
}

enum recovery_part recovery_next(const struct recovery *recovery)
{
    for (enum recovery_part part = RECOVERY_SWEEP; part < RECOVERY_OVER; part++)
        if (recovery->due & BIT(part))
            return part;
    return RECOVERY_OVER;
}

void recovery_ended(struct recovery *recovery, enum recovery_part part, bool well, int jobs)
{
    recovery->due &= ~BIT(part);
    recovery->due |= well ? parts[part].well : parts[part].failed;
    /* A second attempt beside a job of the first would do its work twice. */
    if (well && jobs > 0 && recovery->again)
        recovery->due |= BIT(RECOVERY_ASYNC);
    if (!recovery->look_count)
        recovery->due &= ~BIT(RECOVERY_MAKE_UP);
}

void recovery_looked(struct recovery *recovery, const char *run, int step)
{
    for (int i = recovery->look_count - 1; i >= 0; i--)
        if (recovery->looks[i].step == step && text_is(recovery->looks[i].run, run))
            drop_look(recovery, i);
}

/* Nobody waits for the host behind it. */
static bool is_last_look(const struct recovery *recovery, enum recovery_part part)
{
    return part == RECOVERY_SWEEP && recovery->lost && !recovery->again;
}

struct json *recovery_request(const struct recovery *recovery, enum recovery_part part, const char *root_run,
                              const struct phase *phase)
{
    struct json *request = json_new_object(), *looks = json_new_array();
    json_set_string(request, "root_run", root_run);
    json_set_integer(request, "grace_ns", phase->limits.host_grace_ns);
    json_set_bool(request, "drop_masters", part == RECOVERY_SWEEP);
    if (is_last_look(recovery, part))
        json_set_integer(request, "connect_ns", LAST_LOOK_S * NS_PER_S);
    for (int i = 0; i < recovery->look_count && part != RECOVERY_ASYNC; i++) {
        const struct recovery_look *look = &recovery->looks[i];
        struct json *entry = json_new_object();
        json_set_string(entry, "run", look->run);
        json_set_integer(entry, "step", look->step);
        json_set_string(entry, "session", look->session ? look->session : "-");
        json_set_string(entry, "boot", look->boot ? look->boot : "-");
        json_set_string(entry, "since", look->since ? look->since : "-");
        json_append(looks, entry);
    }
    json_set(request, "looks", looks);
    return request;
}

int64_t recovery_bound(const struct recovery *recovery, enum recovery_part part, const struct target *target,
                       const struct phase *phase, bool cancelled, int64_t left_of_run_ns)
{
    if (part == RECOVERY_ASYNC)
        return left_of_run_ns;
    int64_t with_grace = phase->limits.host_grace_ns + AROUND_GRACE_S * NS_PER_S,
            bound = target->sweep_ns > with_grace ? target->sweep_ns : with_grace,
            least = phase->limits.host_grace_ns + LAST_LOOK_S * NS_PER_S;
    return (cancelled || is_last_look(recovery, part)) && least < bound ? least : bound;
}

void recovery_clear(struct recovery *recovery)
{
    while (recovery->look_count)
        drop_look(recovery, recovery->look_count - 1);
    *recovery = (struct recovery){0};
}
