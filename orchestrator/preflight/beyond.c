#include "preflight/beyond.h"

#include "base/memory.h"
#include "base/text.h"
#include "event/own_hosts.h"

#include <ctype.h>
#include <string.h>

enum { NAMED_MOST = 8 };

/* One play of a listing. */
struct listed_play {
    char *name, *pattern;
    struct words hosts;
};

static void play_clear(struct listed_play *play)
{
    free(play->name);
    free(play->pattern);
    words_clear(&play->hosts);
    *play = (struct listed_play){0};
}

/* What a line says behind a beginning; NULL: it has another one. malloc'ed. */
static char *behind(const char *line, const char *beginning)
{
    size_t length = strlen(beginning);
    return text_starts(line, beginning) ? xstrndup(line + length, strcspn(line + length, "\n")) : NULL;
}

/* Whether the pattern has the host by its name, not by a group or a wildcard. */
static bool names(const char *pattern, const char *host)
{
    size_t length = strlen(host);
    for (const char *at = strstr(pattern, host); at; at = strstr(at + 1, host))
        if ((at == pattern || !(isalnum((unsigned char)at[-1]) || strchr("_.-*", at[-1]))) &&
            !(isalnum((unsigned char)at[length]) || (at[length] && strchr("_.-*", at[length]))))
            return true;
    return false;
}

/* This machine is meant by whoever names it; a group that has it does not. */
static bool is_beyond(const struct words *own, const struct listed_play *play, const char *host)
{
    return own_hosts_are_here(host) ? !names(play->pattern ? play->pattern : "", host)
                                    : !own_hosts_have(own, host);
}

static void judge(struct plan_work *work, const struct phase *phase, const struct words *own,
                  const struct listed_play *play)
{
    AUTO_TEXT beyond = TEXT_INIT;
    AUTO_FREE char *certain = xasprintf("%s %s", phase->playbook, play->pattern ? play->pattern : "");
    size_t count = 0;
    if (!words_have(&work->patterns, certain))
        return;
    for (size_t i = 0; i < play->hosts.count; i++)
        if (is_beyond(own, play, play->hosts.items[i]) && count++ < NAMED_MOST)
            text_addf(&beyond, "%s%s", beyond.length ? ", " : "", play->hosts.items[i]);
    if (!count)
        return;
    if (count > NAMED_MOST)
        text_addf(&beyond, " and %zu more", count - NAMED_MOST);
    plan_find_once(
        work->report, ERROR_PROJECT, phase->playbook,
        xasprintf(
            "play %s (hosts: %s) would reach %s, beyond the target and its peers; name their hosts (%s, in "
            "the group of its recipe) in `hosts:`, keep the phase %s of recipe %s to them with 'args: "
            "[--limit, "
            "%s]', or say 'beyond: allow' for it",
            play->name, play->pattern, text_string(&beyond), work->target->host_name, phase->name,
            work->recipe->name, work->target->host_name));
}

void plan_beyond_refuse(struct plan_work *work, const struct phase *phase, const char *listing)
{
    AUTO_WORDS own = WORDS_INIT;
    own_hosts_of(work->project, work->target, &own);
    struct listed_play play = {0};
    bool concerned = false;
    for (const char *line = listing; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        char *said;
        if ((said = behind(line, "playbook: ")) || (said = behind(line, "  play #"))) {
            if (concerned && play.name)
                judge(work, phase, &own, &play);
            play_clear(&play);
            if (text_starts(line, "playbook: "))
                concerned = text_is(said, phase->playbook);
            else
                play.name = xasprintf("#%.*s", (int)strcspn(said, "\t"), said);
            free(said);
        } else if ((said = behind(line, "    pattern: "))) {
            free(play.pattern);
            play.pattern = said;
        } else if ((said = behind(line, "      "))) {
            words_own(&play.hosts, said);
        }
    }
    if (concerned && play.name)
        judge(work, phase, &own, &play);
    play_clear(&play);
}

void plan_beyond_keep(struct plan_work *work, const char *playbook, const struct scan_item *item)
{
    AUTO_WORDS own = WORDS_INIT;
    if (item->kind == SCAN_HOSTS)
        words_own(&work->patterns, xasprintf("%s %s", playbook, item->text));
    if (item->kind != SCAN_DELEGATE)
        return;
    own_hosts_of(work->project, work->target, &own);
    bool concerned = false;
    for (size_t i = 0; i < work->phase_count; i++)
        concerned |= text_is(work->phases[i]->playbook, playbook) && !work->phases[i]->beyond_allowed;
    if (!concerned || own_hosts_have(&own, item->text))
        return;
    struct scan *kept = &work->delegates;
    kept->items = xreallocarray(kept->items, kept->count + 1, sizeof(*kept->items));
    kept->items[kept->count++] =
        (struct scan_item){.kind = item->kind, .where = xstrdup(item->where), .text = xstrdup(item->text)};
}

static bool has_host(const struct json *inventory, const char *name)
{
    const char *group;
    struct json *content;
    for (void *at = NULL; json_each(inventory, &at, &group, &content);) {
        const struct json *hosts = json_get(content, "hosts");
        for (size_t i = 0; i < json_count(hosts); i++)
            if (text_is(json_string(json_at(hosts, i), NULL), name))
                return true;
    }
    return false;
}

void plan_beyond_warn(struct plan_work *work, const char *listed)
{
    AUTO_JSON *inventory = json_parse(listed, strlen(listed), NULL);
    for (size_t i = 0; i < work->delegates.count; i++) {
        const struct scan_item *item = &work->delegates.items[i];
        if (has_host(inventory, item->text))
            plan_find(work->report, ERROR_NONE, item->where,
                      "the task is delegated to %s, a host of the inventory beyond the target and its peers: "
                      "it acts "
                      "there (make it one of the target's peers, or say 'beyond: allow' for the phase)",
                      item->text);
    }
}
