#include "data/tally.h"

#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"

#include <string.h>

/* Bounds for records that no playbook makes: searching stays quick and memory small whatever the lines say. */
enum { HOSTS_MOST = 1 << 16, OWED_MOST = 4096, NOTIFIED_MOST = 256, FILES_MOST = 1024, ROOM_FIRST = 16 };

/* Hosts that were UNREACHABLE once. */
struct tally_host {
    char *name; /* NULL: a free place of the table */
    bool lost;  /* not ignored, nothing heard of since */
};

struct tally_owed {
    char *host, *handler;
    bool earlier;         /* an earlier attempt's debt */
    bool paid;            /* for now: another handler that listens to the same topic may still start */
    char *uuid;           /* of the handler task that answers to this name and started last */
    struct words paid_by; /* those that ran */
};

static void replace(char **slot, const char *text)
{
    char *fresh = xstrdup_or_null(text);
    free(*slot);
    *slot = fresh;
}

/* Open addressing; FNV-1a. The place of the host, or the free one where it belongs. */
static struct tally_host *place_of(struct tally_host *hosts, size_t room, const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (const char *at = name; *at; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211);
    size_t at = (size_t)(hash ^ hash >> 32) & (room - 1);
    while (hosts[at].name && !text_is(hosts[at].name, name))
        at = (at + 1) & (room - 1);
    return &hosts[at];
}

static struct tally_host *find_host(struct tally *tally, const char *name)
{
    struct tally_host *found = tally->host_room ? place_of(tally->hosts, tally->host_room, name) : NULL;
    return found && found->name ? found : NULL;
}

static void make_room(struct tally *tally)
{
    if (tally->host_count < tally->host_room / 2)
        return;
    size_t room = tally->host_room ? tally->host_room * 2 : ROOM_FIRST;
    struct tally_host *hosts = xcalloc(room, sizeof *hosts);
    for (size_t i = 0; i < tally->host_room; i++)
        if (tally->hosts[i].name)
            *place_of(hosts, room, tally->hosts[i].name) = tally->hosts[i];
    free(tally->hosts);
    tally->hosts = hosts;
    tally->host_room = room;
}

static void lose_host(struct tally *tally, const char *name)
{
    struct tally_host *host = find_host(tally, name);
    if (!host && tally->host_count >= HOSTS_MOST) {
        tally->lost++; /* there is no coming back for it */
        return;
    }
    if (!host) {
        make_room(tally);
        host = place_of(tally->hosts, tally->host_room, name);
        host->name = xstrdup(name);
        tally->host_count++;
    }
    tally->lost += !host->lost;
    host->lost = true;
}

static void hear_of_host(struct tally *tally, const char *name)
{
    struct tally_host *host = find_host(tally, name);
    if (!host || !host->lost)
        return;
    host->lost = false;
    tally->lost--;
}

static void owe(struct tally *tally, const char *host, const char *handler, bool earlier)
{
    for (size_t i = 0; i < tally->owed_count; i++)
        if (text_is(tally->owed[i].host, host) && text_is(tally->owed[i].handler, handler)) {
            tally->owed[i].paid = false;
            words_free(&tally->owed[i].paid_by);
            return;
        }
    if (tally->owed_count >= OWED_MOST) {
        tally->bad++;
        return;
    }
    tally->owed = xreallocarray(tally->owed, tally->owed_count + 1, sizeof *tally->owed);
    tally->owed[tally->owed_count++] =
        (struct tally_owed){.host = xstrdup(host), .handler = xstrdup(handler), .earlier = earlier};
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
    tally->bad += count > NOTIFIED_MOST;
    for (size_t i = 0; line->host && i < count && i < NOTIFIED_MOST; i++) {
        const char *handler = json_string(json_at(handlers, i), NULL);
        if (handler)
            owe(tally, line->host, handler, false);
    }
}

static void free_owed(struct tally_owed *owed)
{
    free(owed->host);
    free(owed->handler);
    free(owed->uuid);
    words_free(&owed->paid_by);
}

/* What was paid is settled for good: by another play's handlers it cannot be meant. */
static void settle(struct tally *tally)
{
    size_t kept = 0;
    for (size_t i = 0; i < tally->owed_count; i++) {
        if (tally->owed[i].paid)
            free_owed(&tally->owed[i]);
        else
            tally->owed[kept++] = tally->owed[i];
    }
    tally->owed_count = kept;
}

/* A handler starts: every debt that calls it by one of its names is tied to it. Several may listen to one topic: each of them has to run. */
static void on_handler(struct tally *tally, const struct line *line)
{
    const struct json *names = json_get(line->json, "names");
    size_t count = json_count(names);
    for (size_t n = 0; line->uuid && n < count && n < NOTIFIED_MOST; n++)
        for (size_t i = 0; i < tally->owed_count; i++) {
            struct tally_owed *owed = &tally->owed[i];
            if (!text_is(owed->handler, json_string(json_at(names, n), NULL)) ||
                words_have(&owed->paid_by, line->uuid))
                continue;
            replace(&owed->uuid, line->uuid);
            owed->paid = false;
        }
}

/* A handler that ran pays; one that failed or was not reached is still owed. */
static void pay(struct tally *tally, const struct line *line)
{
    for (size_t i = 0; line->uuid && i < tally->owed_count; i++) {
        struct tally_owed *owed = &tally->owed[i];
        if (!owed->uuid || !text_is(owed->uuid, line->uuid) || !text_is(owed->host, line->host))
            continue;
        owed->paid = true;
        if (owed->paid_by.count < NOTIFIED_MOST)
            words_add(&owed->paid_by, line->uuid);
    }
}

static void on_result(struct tally *tally, const struct line *line)
{
    if (line->host) {
        hear_of_host(tally, line->host);
        replace(&tally->task_host, line->host);
    }
    switch (line->status) {
    case STATUS_OK:
        tally->ok++;
        break;
    case STATUS_CHANGED:
        tally->changed++;
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
    lose_host(tally, line->host);
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
    if (!length || tally->files.count >= FILES_MOST || (strncmp(last, path, length) == 0 && !last[length]))
        return;
    AUTO_FREE char *file = xstrndup(path, length);
    if (!words_have(&tally->files, file))
        words_add(&tally->files, file);
}

void tally_line(struct tally *tally, const struct line *line)
{
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
    case LINE_ASYNC_POLL:
        break;
    case LINE_TASK_START:
        replace(&tally->task, line->task);
        replace(&tally->task_path, line->path);
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
    for (size_t i = 0; i < tally->owed_count; i++) {
        if (tally->owed[i].paid || (earlier && !tally->owed[i].earlier))
            continue;
        struct json *entry = json_new_object();
        json_set_string(entry, "host", tally->owed[i].host);
        json_set_string(entry, "handler", tally->owed[i].handler);
        if (!list)
            list = json_new_array();
        json_append(list, entry);
    }
    return list;
}

void tally_free(struct tally *tally)
{
    char **const texts[] = {&tally->failed_task, &tally->failed_host, &tally->failed_path,
                            &tally->failed_text, &tally->lost_task,   &tally->lost_host,
                            &tally->lost_text,   &tally->refused,     &tally->task,
                            &tally->task_host,   &tally->task_path};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        replace(texts[i], NULL);
    for (size_t i = 0; i < tally->host_room; i++)
        free(tally->hosts[i].name);
    for (size_t i = 0; i < tally->owed_count; i++)
        free_owed(&tally->owed[i]);
    words_free(&tally->files);
    free(tally->hosts);
    free(tally->owed);
    *tally = (struct tally)TALLY_INIT;
}
