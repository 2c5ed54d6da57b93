#include "data/tally.h"

#include "base/memory.h"
#include "base/text.h"

#include <string.h>

struct tally_host {
    char *name;
    bool lost; /* unreachable, not ignored, nothing heard of since */
};

struct tally_owed {
    char *host, *handler;
    bool earlier; /* an earlier attempt's debt */
    char *uuid;   /* of the handler task that answers to this name, once it started */
};

static void replace(char **slot, const char *text)
{
    char *fresh = xstrdup_or_null(text);
    free(*slot);
    *slot = fresh;
}

static struct tally_host *host_of(struct tally *tally, const char *name)
{
    for (size_t i = tally->host_count; i-- > 0;)
        if (text_is(tally->hosts[i].name, name))
            return &tally->hosts[i];
    tally->hosts = xreallocarray(tally->hosts, tally->host_count + 1, sizeof *tally->hosts);
    struct tally_host *fresh = &tally->hosts[tally->host_count++];
    *fresh = (struct tally_host){.name = xstrdup(name)};
    return fresh;
}

static void owe(struct tally *tally, const char *host, const char *handler, bool earlier)
{
    for (size_t i = 0; i < tally->owed_count; i++)
        if (text_is(tally->owed[i].host, host) && text_is(tally->owed[i].handler, handler))
            return;
    tally->owed = xreallocarray(tally->owed, tally->owed_count + 1, sizeof *tally->owed);
    tally->owed[tally->owed_count++] = (struct tally_owed){xstrdup(host), xstrdup(handler), earlier, NULL};
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
    for (size_t i = 0; line->host && i < json_count(handlers); i++) {
        const char *handler = json_string(json_at(handlers, i), NULL);
        if (handler)
            owe(tally, line->host, handler, false);
    }
}

/* A handler starts: every debt that calls it by one of its names is tied to it. */
static void on_handler(struct tally *tally, const struct line *line)
{
    const struct json *names = json_get(line->json, "names");
    for (size_t n = 0; line->uuid && n < json_count(names); n++)
        for (size_t i = 0; i < tally->owed_count; i++)
            if (text_is(tally->owed[i].handler, json_string(json_at(names, n), NULL)))
                replace(&tally->owed[i].uuid, line->uuid);
}

/* A handler that ran pays; one that failed or was not reached is still owed. */
static void pay(struct tally *tally, const struct line *line)
{
    size_t kept = 0;
    for (size_t i = 0; i < tally->owed_count; i++) {
        struct tally_owed *owed = &tally->owed[i];
        if (line->uuid && text_is(owed->uuid, line->uuid) && text_is(owed->host, line->host)) {
            free(owed->host);
            free(owed->handler);
            free(owed->uuid);
        } else {
            tally->owed[kept++] = *owed;
        }
    }
    tally->owed_count = kept;
}

static void on_result(struct tally *tally, const struct line *line)
{
    if (line->host) {
        host_of(tally, line->host)->lost = false;
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
    host_of(tally, line->host)->lost = true;
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
        if (failures > 0)
            tally->stats_failures += failures;
    }
}

static void on_refused(struct tally *tally, const struct line *line)
{
    const char *variable = json_get_string(line->json, "variable", NULL);
    free(tally->refused);
    tally->refused =
        variable ? xasprintf("%s of %s is set to '%s' by a variable of higher precedence (host_vars, group_vars, play or role), "
                             "but this run rendered '%s'; remove it there or set it for the target in triphase.yml",
                             variable, line->host ? line->host : "a host", json_get_string(line->json, "found", ""),
                             json_get_string(line->json, "expected", ""))
                 : xstrdup(line->cause_text ? line->cause_text : "the callback could not check the connection variables");
}

void tally_line(struct tally *tally, const struct line *line)
{
    tally->lines++;
    tally->gap |= line->seq != tally->last_seq + 1;
    tally->last_seq = line->seq;
    /* Nothing may follow the end. */
    tally->gap |= tally->end;
    switch (line->kind) {
    case LINE_PLAY_START:
        tally->play_starts++;
        tally->matched += json_get_integer(line->json, "hosts_count", 0) > 0;
        break;
    case LINE_NO_HOSTS:
    case LINE_ASYNC_POLL:
        break;
    case LINE_TASK_START:
        replace(&tally->task, line->task);
        replace(&tally->task_path, line->path);
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
    int64_t lost = 0;
    for (size_t i = 0; i < tally->host_count; i++)
        lost += tally->hosts[i].lost;
    return lost;
}

struct json *tally_owed(const struct tally *tally, bool earlier)
{
    struct json *list = NULL;
    for (size_t i = 0; i < tally->owed_count; i++) {
        if (earlier && !tally->owed[i].earlier)
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
    char **const texts[] = {&tally->failed_task, &tally->failed_host, &tally->failed_path, &tally->failed_text,
                            &tally->lost_task,   &tally->lost_host,   &tally->lost_text,   &tally->refused,
                            &tally->task,        &tally->task_host,   &tally->task_path};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        replace(texts[i], NULL);
    for (size_t i = 0; i < tally->host_count; i++)
        free(tally->hosts[i].name);
    for (size_t i = 0; i < tally->owed_count; i++) {
        free(tally->owed[i].host);
        free(tally->owed[i].handler);
        free(tally->owed[i].uuid);
    }
    free(tally->hosts);
    free(tally->owed);
    *tally = (struct tally)TALLY_INIT;
}
