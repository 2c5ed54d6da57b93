/* What the clients share: when a work has been silent for too long, and what a cell says of how it ended. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "diagnose/client.h"
#include "event/cause.h"

#include <stdlib.h>
#include <string.h>

enum { FAMILY_MOST = 32, CHILDREN_BYTES = 4096 };

/* Longer than TCP's own retries of a segment that got lost twice or thrice. */
#define SILENCE (20 * NS_PER_S)
#define MOVED   (5 * NS_PER_S)

int64_t trial_silence_ns(const struct work *work)
{
    return SILENCE + work->quiet_ns;
}

char *trial_tcp_text(const struct tcp_state *tcp)
{
    AUTO_FREE char *acknowledged = duration_show(tcp->ack_age_ns);
    return xasprintf("%s, %u segments sent again, %u unacknowledged, last acknowledgement %s ago", tcp->state,
                     tcp->retransmitted, tcp->unacked, acknowledged);
}

/* Children of its main thread; their number. */
static int children_of(pid_t pid, pid_t *out, int most)
{
    AUTO_FREE char *path = xasprintf("/proc/%d/task/%d/children", (int)pid, (int)pid);
    AUTO_TEXT text = TEXT_INIT;
    int count = 0;
    if (file_read(path, CHILDREN_BYTES, &text, NULL) < 0)
        return 0;
    char *at = text.bytes;
    while (at && count < most) {
        char *end;
        long child = strtol(at, &end, 10);
        if (end == at)
            break;
        out[count++] = (pid_t)child;
        at = end;
    }
    return count;
}

void trial_look_at_tcp(void *context, pid_t pid)
{
    struct trial *trial = context;
    pid_t family[FAMILY_MOST] = {pid};
    int count = 1;
    for (int i = 0; i < count; i++) {
        struct tcp_socket socket;
        struct tcp_state tcp;
        if (tcp_state_find(family[i], &socket, 1, NULL) == 1 && tcp_state_look(&socket, &tcp, NULL) == 0) {
            free(trial->tcp_state);
            trial->tcp_state = trial_tcp_text(&tcp);
            return;
        }
        count += children_of(family[i], family + count, FAMILY_MOST - count);
    }
}

const char *trial_words_end(const char *words)
{
    static const char *const proxies[][2] = {
        {"failed to connect to local tailscale", "daemon"},
        {"tailscaled isn't running", "daemon"},
        {"is tailscaled running", "daemon"},
        {"tailscale is stopped", "daemon"},
        {"unexpected state", "daemon"},
        {"not logged in", "daemon"},
        {"not permitted", "policy"},
        {"acl", "policy"},
        {"connection was refused", "refused"},
        {"no such host", "dns"},
    };
    static const char *const ends[][2] = {
        {"host-key", "host-key"},
        {"dns", "dns"},
        {"auth", "auth"},
        {"penalty", "refused"},
        {"refused", "refused"},
        {"no-route", "refused"},
        {"banner-timeout", "timeout"},
        {"connect-timeout", "timeout"},
        {"keepalive-timeout", "stalled"},
        {"proxy-exit", "proxy-exit"},
        {"reset", "reset"},
    };
    for (size_t i = 0; i < COUNT_OF(proxies); i++)
        if (strcasestr(words, proxies[i][0]))
            return proxies[i][1];
    if (strcasestr(words, "session open refused by peer") || strcasestr(words, "open failed"))
        return "channel-refused";
    const char *cause = cause_of_text(words);
    for (size_t i = 0; cause && i < COUNT_OF(ends); i++)
        if (text_is(cause, ends[i][0]))
            return ends[i][1];
    return "closed";
}

static const char *end_of(const struct trial *trial, const struct ssh_channel_end *end, const char *broken)
{
    if (end->refused)
        return "channel-refused";
    if (!end->ended)
        return broken ? broken : "closed";
    return end->exit_code == 0 && end->received >= trial->work->expects ? "ok" : "remote-failed";
}

bool trial_moved(const struct ssh_channel_end *ends, int count)
{
    int64_t newest = -1, over = 0;
    for (int i = 0; i < count; i++) {
        newest = ends[i].last_byte_ns > newest ? ends[i].last_byte_ns : newest;
        over = ends[i].end_ns > over ? ends[i].end_ns : over;
    }
    return newest >= 0 && over - newest < MOVED;
}

void trial_take(struct trial *trial, const struct ssh_channel_end *ends, int count, const char *broken)
{
    int refused = 0;
    trial->ended = "ok";
    for (int i = 0; i < count; i++) {
        const struct ssh_channel_end *end = &ends[i];
        const char *how = end_of(trial, end, broken);
        refused += end->refused;
        if (text_is(trial->ended, "ok"))
            trial->ended = how;
        trial->bytes += end->received + end->sent;
        trial->stalls += end->stalls;
        if (end->last_byte_ns > trial->last_good_ns)
            trial->last_good_ns = end->last_byte_ns;
        if (text_is(how, "remote-failed") && !trial->message.length) {
            text_addf(&trial->message, "the command exited with %d after %llu bytes: ", end->exit_code,
                      (unsigned long long)end->received);
            text_add_printable_lines(&trial->message, text_string(end->said.length ? &end->said : &end->kept),
                                     "; ");
        }
    }
    if (refused)
        text_addf(&trial->message, "%s%d of %d channels at once were refused",
                  trial->message.length ? "; " : "", refused, count);
}
