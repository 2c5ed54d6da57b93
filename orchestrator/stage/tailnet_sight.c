#include "stage/tailnet_sight.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "format/json_words.h"
#include "tailnet/look.h"
#include "tailnet/news.h"
#include "tailnet/ready.h"

#include <ctype.h>
#include <string.h>

#define FIRST_PAUSE   (NS_PER_S / 2)
#define LONGEST_PAUSE (4 * NS_PER_S)

enum { LABEL_MOST = 63 };

/* ------------------------------------------------------------ names */

/* As tailscale makes it (util/dnsname, SanitizeLabel). */
char *tailnet_sight_label(const char *hostname)
{
    size_t begin = 0, end = strnlen(hostname, LABEL_MOST);
    while (begin < end && !isalnum((unsigned char)hostname[begin]))
        begin++;
    while (end > begin && !isalnum((unsigned char)hostname[end - 1]))
        end--;
    struct text out = TEXT_INIT;
    for (size_t i = begin; i < end; i++) {
        unsigned char c = (unsigned char)hostname[i];
        if (isalnum(c) || c == '-')
            text_add_char(&out, (char)tolower(c));
        else if (strchr(" .@_", c))
            text_add_char(&out, '-');
    }
    return text_take(&out);
}

bool tailnet_sight_is_called(const struct tailnet_seen *seen, const char *label)
{
    const char *name = *seen->name ? seen->name : seen->hostname;
    size_t length = strcspn(name, ".");
    return length == strlen(label) && !strncasecmp(name, label, length);
}

bool tailnet_sight_is_namesake(const struct tailnet_seen *seen, const char *label)
{
    AUTO_FREE char *asked = tailnet_sight_label(seen->hostname);
    return tailnet_sight_is_called(seen, label) || text_is(asked, label);
}

bool tailnet_sight_same_tags(const struct words *a, const struct words *b)
{
    for (size_t i = 0; i < a->count; i++)
        if (!words_have(b, a->items[i]))
            return false;
    for (size_t i = 0; i < b->count; i++)
        if (!words_have(a, b->items[i]))
            return false;
    return true;
}

/* ------------------------------------------------------------ devices */

static struct tailnet_seen *add(struct tailnet_sight *sight)
{
    sight->devices = xreallocarray(sight->devices, sight->count + 1, sizeof *sight->devices);
    struct tailnet_seen *seen = &sight->devices[sight->count++];
    *seen = (struct tailnet_seen){0};
    return seen;
}

static void add_peer(struct tailnet_sight *sight, const struct tailnet_peer *peer)
{
    struct tailnet_seen *seen = add(sight);
    seen->node = xstrdup(peer->id);
    seen->name = xstrdup(peer->dns_name);
    seen->hostname = xstrdup(peer->host_name);
    seen->connected = peer->online;
    words_add_list(&seen->addresses, words_argv(&peer->addresses));
    words_add_list(&seen->tags, words_argv(&peer->tags));
}

static void add_device(struct tailnet_sight *sight, const struct tailnet_device *device)
{
    struct tailnet_seen *seen = add(sight);
    seen->id = xstrdup_or_null(device->id);
    seen->node = xstrdup(device->node_id ? device->node_id : "");
    seen->name = xstrdup(device->name ? device->name : "");
    seen->hostname = xstrdup(device->hostname ? device->hostname : "");
    seen->connected = device->connected;
    words_add_list(&seen->addresses, words_argv(&device->addresses));
    words_add_list(&seen->tags, words_argv(&device->tags));
}

/* ------------------------------------------------------------ whom to ask */

/* 1: the API said it. 0: there are no credentials. */
static int ask_api(const struct tailnet_question *question, struct deadline deadline,
                   struct tailnet_sight *sight, struct error *err)
{
    struct tailnet_device *devices = NULL;
    size_t count = 0;
    if (!question->target || !question->target->joins_tailnet)
        return 0;
    if (tailnet_api_open(&question->target->tailnet, question->directory, deadline, &sight->api, err) < 0)
        return -1;
    if (!sight->api)
        return 0;
    if (tailnet_api_devices(sight->api, &devices, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        add_device(sight, &devices[i]);
    tailnet_devices_free(&devices, count);
    sight->source = "api";
    return 1;
}

/* One that is starting is waited for, half of the time at most: whoever asks has others that he could ask. */
static char *ask_daemon(const struct tailnet_question *question, struct deadline deadline,
                        struct tailnet_sight *sight)
{
    AUTO_TAILNET_LOOK look = {.taken = false};
    const struct tailnet_status *status = &look.status;
    tailnet_look_await(question->socket, deadline_in(deadline_left(deadline) / 2), &look);
    if (look.daemon != TAILNET_DAEMON_ANSWERS)
        return xasprintf("this machine's tailscaled at %s cannot be asked: %s", look.tun.daemon_socket,
                         look.tun.daemon_error);
    if (!text_is(status->state, "Running"))
        return xasprintf("this machine's tailscaled is in the state %s", status->state);
    if (look.control_url && !tailnet_look_same_server(look.control_url, question->login_server))
        return xasprintf("this machine's tailscaled is logged in to %s, the target to %s",
                         ready_server_shown(look.control_url), ready_server_shown(question->login_server));
    add_peer(sight, &status->self);
    for (size_t i = 0; i < status->peer_count; i++)
        add_peer(sight, &status->peers[i]);
    sight->source = "peers";
    return NULL;
}

static void forget_devices(struct tailnet_sight *sight)
{
    for (size_t i = 0; i < sight->count; i++) {
        struct tailnet_seen *seen = &sight->devices[i];
        free(seen->id);
        free(seen->node);
        free(seen->name);
        free(seen->hostname);
        words_clear(&seen->addresses);
        words_clear(&seen->tags);
    }
    free(TAKE(sight->devices));
    sight->count = 0;
}

int tailnet_sight_take(const struct tailnet_question *question, bool strict, struct deadline deadline,
                       struct tailnet_sight *out, struct error *err)
{
    AUTO_TAILNET_SIGHT sight = {0};
    AUTO_ERROR refused = ERROR_INIT;
    int asked = ask_api(question, deadline, &sight, &refused);
    if (asked < 0 && strict && refused.kind != ERROR_UNREACHABLE && refused.kind != ERROR_DEADLINE)
        return error_move(err, &refused);
    if (asked < 0)
        tailnet_api_close(&sight.api);
    if (asked != 1) {
        AUTO_FREE char *why = ask_daemon(question, deadline, &sight);
        sight.why = asked < 0 && why ? xasprintf("%s; %s", error_text(&refused), why)
                    : asked < 0      ? xstrdup(error_text(&refused))
                                     : TAKE(why);
    }
    *out = sight;
    sight = (struct tailnet_sight){0};
    return 0;
}

void tailnet_sight_clear(struct tailnet_sight *sight)
{
    forget_devices(sight);
    free(sight->why);
    tailnet_api_close(&sight->api);
    *sight = (struct tailnet_sight){0};
}

/* ------------------------------------------------------------ another one */

struct tailnet_sight_wait tailnet_sight_wait_begin(const struct tailnet_question *question,
                                                   struct deadline deadline)
{
    return (struct tailnet_sight_wait){.news = news_open(question->socket, deadline),
                                       .pause_ns = FIRST_PAUSE};
}

void tailnet_sight_wait_on(struct tailnet_sight_wait *wait, const struct tailnet_sight *sight,
                           struct deadline deadline)
{
    if (!text_is(sight->source, "api")) {
        news_await(&wait->news, deadline);
        return;
    }
    int64_t left = deadline_left(deadline);
    moment_sleep(wait->pause_ns < left ? wait->pause_ns : left);
    wait->pause_ns = wait->pause_ns * 2 < LONGEST_PAUSE ? wait->pause_ns * 2 : LONGEST_PAUSE;
}

void tailnet_sight_wait_end(struct tailnet_sight_wait *wait)
{
    fd_close(&wait->news);
}

/* ------------------------------------------------------------ one of them */

const struct tailnet_seen *tailnet_sight_of(const struct tailnet_sight *sight, const struct json *device)
{
    const char *address = json_get_string(device, "address", NULL),
               *node = json_get_string(device, "node", NULL);
    for (size_t i = 0; i < sight->count; i++)
        if ((address && words_have(&sight->devices[i].addresses, address)) ||
            (!address && node && text_is(sight->devices[i].node, node)))
            return &sight->devices[i];
    return NULL;
}

const struct tailnet_seen *tailnet_sight_called(const struct tailnet_sight *sight, const char *label)
{
    for (size_t i = 0; i < sight->count; i++)
        if (tailnet_sight_is_called(&sight->devices[i], label))
            return &sight->devices[i];
    return NULL;
}

struct json *tailnet_sight_json(const struct tailnet_seen *seen)
{
    struct json *object = json_new_object();
    json_set_string(object, "name", seen->name);
    json_set_string(object, "hostname", seen->hostname);
    json_set(object, "addresses", json_words_array(&seen->addresses));
    json_set(object, "tags", json_words_array(&seen->tags));
    json_set_bool(object, "connected", seen->connected);
    return object;
}

char *tailnet_sight_text(const struct tailnet_seen *seen)
{
    AUTO_FREE char *tags = words_join(&seen->tags, " ");
    AUTO_TEXT text = TEXT_INIT;
    struct text out = TEXT_INIT;
    text_addf(&text, "%s (%s, %s, %s)", *seen->name ? seen->name : seen->hostname,
              seen->addresses.count ? seen->addresses.items[0] : "no address", *tags ? tags : "no tags",
              seen->connected ? "connected" : "not connected");
    text_add_printable(&out, text_string(&text), text.length);
    return text_take(&out);
}
