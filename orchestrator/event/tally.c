#include "event/tally.h"

#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"
#include "event/own_hosts.h"

#include <string.h>

enum { ROOM_FIRST = 16 };

struct tally_owed {
    char *handler;
    bool earlier;         /* an earlier attempt's debt */
    bool paid;            /* for now: another handler that listens to the same topic may still start */
    char *uuid;           /* of the handler task that answers to this name and started last */
    bool once;            /* which runs on one host for all */
    struct words paid_by; /* those that ran */
};

/* Hosts that were UNREACHABLE once, that owe handlers, or that a play did not come to. */
struct tally_host {
    char *name;
    bool lost;   /* not ignored, nothing heard of since */
    bool beyond; /* and that is no fault of the hosts that the step is about */
    bool never_ran;
    struct tally_owed *owed;
    size_t owed_count, owed_room;
};

static void replace(char **slot, const char *text)
{
    char *fresh = xstrdup_or_null(text);
    free(*slot);
    *slot = fresh;
}

/* Open addressing; FNV-1a. Where the host's number stands, or the free place (0) where it belongs. */
static size_t *place_of(const struct tally *tally, const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (const char *at = name; *at; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211);
    size_t at = (size_t)(hash ^ hash >> 32) & (tally->place_room - 1);
    while (tally->places[at] && !text_is(tally->hosts[tally->places[at] - 1].name, name))
        at = (at + 1) & (tally->place_room - 1);
    return &tally->places[at];
}

static struct tally_host *find_host(const struct tally *tally, const char *name)
{
    size_t number = tally->place_room ? *place_of(tally, name) : 0;
    return number ? &tally->hosts[number - 1] : NULL;
}

static void make_room(struct tally *tally)
{
    if (tally->host_count < tally->place_room / 2)
        return;
    tally->place_room = tally->place_room ? tally->place_room * 2 : ROOM_FIRST;
    free(tally->places);
    tally->places = xcalloc(tally->place_room, sizeof *tally->places);
    tally->hosts = xreallocarray(tally->hosts, tally->place_room / 2, sizeof *tally->hosts);
    for (size_t i = 0; i < tally->host_count; i++)
        *place_of(tally, tally->hosts[i].name) = i + 1;
}

static struct tally_host *host_of(struct tally *tally, const char *name)
{
    struct tally_host *host = find_host(tally, name);
    if (host)
        return host;
    make_room(tally);
    *place_of(tally, name) = tally->host_count + 1;
    host = &tally->hosts[tally->host_count++];
    *host = (struct tally_host){.name = xstrdup(name)};
    return host;
}

static int64_t *count_of(struct tally *tally, const struct tally_host *host)
{
    return host->beyond ? &tally->lost_beyond : &tally->lost;
}

static void lose_host(struct tally *tally, const char *name, bool beyond)
{
    struct tally_host *host = host_of(tally, name);
    if (host->lost)
        --*count_of(tally, host);
    host->lost = true;
    host->beyond = beyond;
    ++*count_of(tally, host);
}

static void hear_of_host(struct tally *tally, const char *name)
{
    struct tally_host *host = find_host(tally, name);
    if (!host || !host->lost)
        return;
    host->lost = false;
    --*count_of(tally, host);
}

static void owe(struct tally *tally, const char *name, const char *handler, bool earlier)
{
    struct tally_host *host = host_of(tally, name);
    for (size_t i = 0; i < host->owed_count; i++)
        if (text_is(host->owed[i].handler, handler)) {
            host->owed[i].paid = false;
            words_clear(&host->owed[i].paid_by);
            return;
        }
    if (host->owed_count == host->owed_room) {
        host->owed_room = host->owed_room ? 2 * host->owed_room : 4;
        host->owed = xreallocarray(host->owed, host->owed_room, sizeof *host->owed);
    }
    host->owed[host->owed_count++] = (struct tally_owed){.handler = xstrdup(handler), .earlier = earlier};
}

void tally_owe(struct tally *tally, const struct json *pending)
{
    for (size_t i = 0; i < json_count(pending); i++) {
        const char *host = json_get_string(json_at(pending, i), "host", NULL);
        const char *handler = json_get_string(json_at(pending, i), "handler", NULL);
        if (host && handler)
            owe(tally, host, handler, true);
    }
}

static void on_notify(struct tally *tally, const struct line *line)
{
    const struct json *handlers = json_get(line->json, "handlers");
    size_t count = json_count(handlers);
    for (size_t i = 0; line->host && i < count; i++) {
        const char *handler = json_string(json_at(handlers, i), NULL);
        if (handler)
            owe(tally, line->host, handler, false);
    }
}

static void free_owed(struct tally_owed *owed)
{
    free(owed->handler);
    free(owed->uuid);
    words_clear(&owed->paid_by);
}

/* What was paid is settled for good: by another play's handlers it cannot be meant. */
static void settle(struct tally *tally)
{
    for (size_t h = 0; h < tally->host_count; h++) {
        struct tally_host *host = &tally->hosts[h];
        size_t kept = 0;
        for (size_t i = 0; i < host->owed_count; i++) {
            if (host->owed[i].paid)
                free_owed(&host->owed[i]);
            else
                host->owed[kept++] = host->owed[i];
        }
        host->owed_count = kept;
    }
}

static bool names(const struct json *list, size_t count, const char *handler)
{
    for (size_t i = 0; i < count; i++)
        if (text_is(json_string(json_at(list, i), NULL), handler))
            return true;
    return false;
}

/* A handler starts: every debt that calls it by one of its names is tied to it. Several may listen to one
 * topic: each of them has to run. */
static void on_handler(struct tally *tally, const struct line *line)
{
    const struct json *list = json_get(line->json, "names");
    size_t count = json_count(list);
    for (size_t h = 0; line->uuid && h < tally->host_count; h++)
        for (size_t i = 0; i < tally->hosts[h].owed_count; i++) {
            struct tally_owed *owed = &tally->hosts[h].owed[i];
            if (text_is(owed->uuid, line->uuid) || !names(list, count, owed->handler) ||
                words_have(&owed->paid_by, line->uuid))
                continue;
            replace(&owed->uuid, line->uuid);
            owed->once = json_get_bool(line->json, "once");
            owed->paid = false;
        }
}

/* Whether it is paid for all hosts. */
static bool pay_of(struct tally_host *host, const char *uuid)
{
    bool for_all = false;
    for (size_t i = 0; i < host->owed_count; i++) {
        struct tally_owed *owed = &host->owed[i];
        if (!owed->uuid || !text_is(owed->uuid, uuid))
            continue;
        for_all |= owed->once;
        owed->paid = true;
        if (!words_have(&owed->paid_by, uuid))
            words_add(&owed->paid_by, uuid);
    }
    return for_all;
}

/* A handler that ran pays; one that failed or was not reached is still owed. */
static void pay(struct tally *tally, const struct line *line)
{
    struct tally_host *host = line->uuid ? find_host(tally, line->host) : NULL;
    if (!host || !pay_of(host, line->uuid))
        return;
    for (size_t i = 0; i < tally->host_count; i++)
        pay_of(&tally->hosts[i], line->uuid);
}

static void on_result(struct tally *tally, const struct line *line)
{
    if (line->host) {
        hear_of_host(tally, line->host);
        if (!tally->stands)
            replace(&tally->task_host, line->host);
    }
    switch (line->status) {
    case STATUS_OK:
        tally->ok++;
        break;
    case STATUS_CHANGED:
        if (!tally->changed++) {
            replace(&tally->changed_task, line->task);
            replace(&tally->changed_host, line->host);
            replace(&tally->changed_path, line->path);
        }
        break;
    case STATUS_SKIPPED:
        tally->skipped++;
        break;
    case STATUS_FAILED:
        if (line->ignored) {
            tally->ignored++;
        } else if (line->rescued) {
            tally->rescued++;
        } else {
            tally->failed++;
            replace(&tally->failed_task, line->task);
            replace(&tally->failed_host, line->host);
            replace(&tally->failed_path, line->path);
            replace(&tally->failed_text, line->cause_text);
        }
        break;
    }
    if (line->handler && line->status != STATUS_FAILED && line->host)
        pay(tally, line);
}

static void on_unreachable(struct tally *tally, const struct line *line)
{
    tally->unreachable++;
    if (line->ignored || !line->host)
        return;
    bool beyond = !own_hosts_have(tally->own, line->delegate ? line->delegate : line->host);
    lose_host(tally, line->host, beyond);
    if (beyond && tally->lost)
        return;
    replace(&tally->lost_task, line->task);
    replace(&tally->lost_host, line->host);
    replace(&tally->lost_text, line->cause_text);
}

static void on_stats(struct tally *tally, const struct line *line)
{
    if (tally->stats_failures < 0)
        tally->stats_failures = 0;
    void *at = NULL;
    const char *host;
    struct json *counts;
    while (json_each(json_get(line->json, "hosts"), &at, &host, &counts)) {
        int64_t failures = json_get_integer(counts, "failures", 0);
        if (failures > 0 && __builtin_add_overflow(tally->stats_failures, failures, &tally->stats_failures))
            tally->stats_failures = INT64_MAX;
    }
}

static void on_refused(struct tally *tally, const struct line *line)
{
    const char *variable = json_get_string(line->json, "variable", NULL);
    free(tally->refused);
    tally->refused =
        variable ? xasprintf(
                       "%s of %s is set to '%s' by a variable of higher precedence (host_vars, group_vars, "
                       "play or role), "
                       "but this run rendered '%s'; remove it there or set it for the target in triphase.yml",
                       variable, line->host ? line->host : "a host", json_get_string(line->json, "found", ""),
                       json_get_string(line->json, "expected", ""))
                 : xstrdup(line->cause_text ? line->cause_text
                                            : "the callback could not check the connection variables");
}

/* "FILE:LINE". */
static void keep_file(struct tally *tally, const char *path)
{
    const char *colon = path ? strrchr(path, ':') : NULL;
    size_t length = colon ? (size_t)(colon - path) : 0;
    const char *last = tally->files.count ? tally->files.items[tally->files.count - 1] : "";
    if (!length || (strncmp(last, path, length) == 0 && !last[length]))
        return;
    AUTO_FREE char *file = xstrndup(path, length);
    if (!words_have(&tally->files, file))
        words_add(&tally->files, file);
}

/* One line for each play; the host counts once. */
static void on_never_ran(struct tally *tally, const struct line *line)
{
    if (!line->host)
        return;
    struct tally_host *host = host_of(tally, line->host);
    tally->never_ran += !host->never_ran;
    host->never_ran = true;
    if (!tally->never_ran_host) {
        replace(&tally->never_ran_host, line->host);
        replace(&tally->never_ran_text, line->cause_text);
    }
}

void tally_line(struct tally *tally, const struct line *line)
{
    tally->async |= line->async;
    tally->lines++;
    tally->gap |= line->seq - 1 != tally->last_seq; /* seq is at least 1: nothing overflows */
    tally->last_seq = line->seq;
    /* Nothing may follow the end. */
    tally->gap |= tally->end;
    switch (line->kind) {
    case LINE_PLAY_START:
        settle(tally);
        tally->play_starts++;
        tally->matched += json_get_integer(line->json, "hosts_count", 0) > 0;
        break;
    case LINE_NO_HOSTS:
    case LINE_HOST_START:
    case LINE_ASYNC_POLL:
    case LINE_TOLD:
        break;
    case LINE_TASK_START:
        if (!tally->stands) {
            replace(&tally->task, line->task);
            replace(&tally->task_path, line->path);
        }
        keep_file(tally, line->path);
        break;
    case LINE_RESULT:
        on_result(tally, line);
        break;
    case LINE_HANDLER:
        on_handler(tally, line);
        break;
    case LINE_NOTIFY:
        on_notify(tally, line);
        break;
    case LINE_UNREACHABLE:
        on_unreachable(tally, line);
        break;
    case LINE_NEVER_RAN:
        on_never_ran(tally, line);
        break;
    case LINE_STATS:
        on_stats(tally, line);
        break;
    case LINE_REFUSED:
        on_refused(tally, line);
        break;
    case LINE_END:
        tally->end = true;
        tally->end_count = line->count;
        break;
    }
}

void tally_stand(struct tally *tally, const char *task, const char *host, const char *path)
{
    replace(&tally->task, task);
    replace(&tally->task_host, host);
    replace(&tally->task_path, path);
    tally->stands = true;
}

void tally_bad_line(struct tally *tally)
{
    tally->bad++;
}

int64_t tally_lost_hosts(const struct tally *tally)
{
    return tally->lost;
}

struct json *tally_owed(const struct tally *tally, bool earlier)
{
    struct json *list = NULL;
    for (size_t h = 0; h < tally->host_count; h++)
        for (size_t i = 0; i < tally->hosts[h].owed_count; i++) {
            const struct tally_host *host = &tally->hosts[h];
            if (host->owed[i].paid || (earlier && !host->owed[i].earlier))
                continue;
            struct json *entry = json_new_object();
            json_set_string(entry, "host", host->name);
            json_set_string(entry, "handler", host->owed[i].handler);
            if (!list)
                list = json_new_array();
            json_append(list, entry);
        }
    return list;
}

void tally_clear(struct tally *tally)
{
    char **const texts[] = {&tally->failed_task,    &tally->failed_host,  &tally->failed_path,
                            &tally->failed_text,    &tally->lost_task,    &tally->lost_host,
                            &tally->lost_text,      &tally->refused,      &tally->never_ran_host,
                            &tally->task,           &tally->task_host,    &tally->task_path,
                            &tally->never_ran_text, &tally->changed_task, &tally->changed_host,
                            &tally->changed_path};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        replace(texts[i], NULL);
    for (size_t h = 0; h < tally->host_count; h++) {
        struct tally_host *host = &tally->hosts[h];
        for (size_t i = 0; i < host->owed_count; i++)
            free_owed(&host->owed[i]);
        free(host->owed);
        free(host->name);
    }
    words_clear(&tally->files);
    free(tally->hosts);
    free(tally->places);
    *tally = (struct tally)TALLY_INIT;
}
