#include "diagnose/signs.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

/* A path that is well sends hardly any segment of a calm flow again: one of two hundred may be a guess of the
 * kernel's own. */
#define LOSS_MOST 1.5
/* Of so many rounds at least, so many of a hundred. */
enum { LATE_OF = 20, LATE_MOST = 4 };
/* A megabit a second: below it a package is not fetched within any patience. */
#define SPEED_LEAST 125000.0
/* Two cells of one link differ by less. */
#define SPEED_ALIKE 4.0

static int say(struct finding *out, const char *variable, enum sureness sure, char *words)
{
    *out = (struct finding){.variable = variable, .sure = sure, .words = words, .level = -1};
    return 1;
}

static size_t ended_so(const struct weighing *over, const char *ended)
{
    size_t found = 0;
    for (size_t i = 0; i < over->count; i++)
        found += !over->cells[i].ok && !over->cells[i].rides && text_is(over->cells[i].cell->ended, ended);
    return found;
}

static const char *message_of(const struct weighing *over, const char *ended)
{
    for (size_t i = 0; i < over->count; i++)
        if (text_is(over->cells[i].cell->ended, ended) && over->cells[i].cell->message)
            return over->cells[i].cell->message;
    return NULL;
}

static bool is_dead(const struct signs_case *of)
{
    return of->over->bad > 0 && !of->over->baseline_ok && of->over->good == 0;
}

static enum sureness by_contrast(const struct signs_case *of)
{
    return of->elsewhere ? SURE : SURE_LIKELY;
}

static int dns(const struct signs_case *of, struct finding *out)
{
    const char *error = of->surroundings ? of->surroundings->name_error : NULL;
    if (!ended_so(of->over, "dns") && !(is_dead(of) && error))
        return 0;
    const char *said = error ? error : message_of(of->over, "dns");
    return say(out, "dns", error || of->elsewhere ? SURE : SURE_LIKELY,
               xasprintf("the name %s is not found here%s%s",
                         of->surroundings && of->surroundings->name ? of->surroundings->name : "of the host",
                         said ? ": " : "", said ? said : ""));
}

static int own_daemon(const struct signs_case *of, struct finding *out)
{
    const struct surroundings_way *way = of->way;
    bool bad = way && way->daemon && !text_is(way->daemon, "answers");
    if (!of->over->bad || (!bad && !ended_so(of->over, "daemon")))
        return 0;
    const char *said = way && way->daemon_said ? way->daemon_said : message_of(of->over, "daemon");
    return say(out, "daemon", bad ? SURE : SURE_LIKELY,
               xasprintf("this machine's tailscaled carries nothing (%s)%s%s",
                         bad ? way->daemon : "a connection through it failed", said ? ": " : "",
                         said ? said : ""));
}

static int hosts_daemon(const struct signs_case *of, struct finding *out)
{
    const struct surroundings_way *way = of->way;
    if (!way || !is_dead(of) || !way->peer || (way->pongs > 0 && !text_is(way->peer, "unknown")))
        return 0;
    if (text_is(way->peer, "online") && way->pings <= 0)
        return 0;
    if (text_is(way->peer, "unknown"))
        return say(out, "policy", SURE_LIKELY,
                   xasprintf(
                       "this machine's tailnet shows it no such host: a policy that allows nothing between "
                       "both hides it, or the host has left"));
    return say(out, "daemon", by_contrast(of),
               xasprintf("the host's tailscaled does not answer this machine's (%d of %d pings, the control "
                         "server calls it %s)",
                         way->pongs < 0 ? 0 : way->pongs, way->pings < 0 ? 0 : way->pings, way->peer));
}

/* A session of this program's own that never saw the host's first line ends as "timeout". */
static bool has_answered(const struct signs_case *of)
{
    for (size_t i = 0; i < of->over->count; i++)
        if (text_is(of->over->cells[i].cell->client, "libssh") &&
            text_is(of->over->cells[i].cell->ended, "stalled"))
            return true;
    return false;
}

static int policy(const struct signs_case *of, struct finding *out)
{
    const struct surroundings_way *way = of->way;
    bool said = ended_so(of->over, "policy") > 0;
    bool answers = way && (way->pongs > 0 || way->host_answers == 1);
    /* Over userspace nobody knocks: its cells have told as much. */
    bool closed = way && !text_is(way->port, "open") && (way->port || (way->pongs > 0 && !has_answered(of)));
    if (!said && (!is_dead(of) || !answers || !closed))
        return 0;
    bool refused = way && text_is(way->port, "refused");
    return say(out, "policy",
               said || !refused ? SURE
               : of->elsewhere  ? SURE_LIKELY
                                : SURE_NOT,
               xasprintf("the host answers over this way, and its ssh port is %s: a rule stands before it%s",
                         refused ? "refused" : "silent",
                         refused && !of->elsewhere ? ", or no sshd behind it" : ""));
}

static int login(const struct signs_case *of, struct finding *out)
{
    size_t refused = ended_so(of->over, "auth") + ended_so(of->over, "host-key");
    if (!is_dead(of) || refused * 2 <= of->over->bad)
        return 0;
    const char *said = message_of(of->over, "auth");
    return say(out, "unknown", SURE_NOT,
               xasprintf("the path carries as far as the login, and that is refused%s%s", said ? ": " : "",
                         said ? said : ""));
}

/* The exchange of keys is the first that is larger than a kilobyte. */
static int no_key_exchange(const struct signs_case *of, struct finding *out)
{
    size_t silent = ended_so(of->over, "stalled") + ended_so(of->over, "timeout");
    bool open = (of->way && text_is(of->way->port, "open")) || has_answered(of);
    if (!is_dead(of) || !open || silent < of->over->bad)
        return 0;
    return say(
        out, "mtu", of->elsewhere ? SURE_LIKELY : SURE_NOT,
        xstrdup("the ssh port answers with its first line, and then nothing comes: the exchange of keys is "
                "the first that is larger than a kilobyte"));
}

static int whole_way(const struct signs_case *of, struct finding *out)
{
    if (!is_dead(of) || !of->elsewhere)
        return 0;
    return say(out, "transport", of->over->bad > 1 ? SURE : SURE_LIKELY,
               xasprintf("nothing goes over %s (%s), while %s carries", of->over->transport,
                         of->over->cells[0].cell->ended, of->elsewhere));
}

/* What rides on a master fares ill, what opens a connection of its own well. */
static int master(const struct signs_case *of, struct finding *out)
{
    const struct cell *dead = NULL;
    const char *path = NULL, *state = "leads nowhere";
    for (size_t i = 0; i < of->over->count; i++)
        if (of->over->cells[i].rides && !of->over->cells[i].ok)
            dead = of->over->cells[i].cell;
    if (dead)
        path = json_get_string(dead->parameters, "master", NULL);
    for (size_t i = 0; of->surroundings && i < of->surroundings->master_count; i++) {
        const struct surroundings_master *seen = &of->surroundings->masters[i];
        if (dead ? text_is(seen->path, path) && !text_is(seen->state, "answers")
                 : text_is(seen->state, "frozen")) {
            path = seen->path;
            state = text_is(seen->state, "frozen") ? "is frozen" : "is gone and its socket stayed";
        }
    }
    if (!path || !of->over->baseline_ok)
        return 0;
    return say(out, "master", dead ? SURE : SURE_LIKELY,
               xasprintf("the ssh master at %s %s, and what shares it hangs; a connection of its own is well",
                         path, state));
}

static int channels(const struct signs_case *of, struct finding *out)
{
    size_t refused = ended_so(of->over, "channel-refused");
    double least = of->over->bad_least[LEVEL_CHANNELS], most = of->over->good_most[LEVEL_CHANNELS];
    if (!refused)
        return 0;
    AUTO_FREE char *from = level_text(LEVEL_CHANNELS, least > 0 ? least : 2);
    say(out, "channels", SURE,
        xasprintf("the host refuses channels over one connection: %s were too many (MaxSessions of its sshd)",
                  from));
    out->level = LEVEL_CHANNELS;
    out->good_most = most;
    out->bad_least = least;
    return 1;
}

/* Counted by a kernel, or else seen in rounds that waited for a retry. */
static int loss(const struct signs_case *of, struct finding *out)
{
    const struct surroundings_way *way = of->way;
    double share = surroundings_loss(way);
    if (share >= LOSS_MOST)
        return say(out, "loss", SURE,
                   xasprintf("the path loses segments: of %lld of a calm flow %lld were sent again (%.1f%%)",
                             (long long)way->segments, (long long)way->segments_again, share));
    if (!way || way->rounds < LATE_OF || way->rounds_late * 100 < way->rounds * LATE_MOST)
        return 0;
    return say(
        out, "loss", of->over->bad ? SURE : SURE_LIKELY,
        xasprintf("the path loses segments: of %d small round trips, one after the other, %d waited for a "
                  "retry",
                  way->rounds, way->rounds_late));
}

/* It went on to the end, and slowly: as slowly in each. */
static int rate(const struct signs_case *of, struct finding *out)
{
    double slowest = -1, fastest = -1;
    size_t slow = 0, others = 0;
    for (size_t i = 0; i < of->over->count; i++) {
        const struct weighed *cell = &of->over->cells[i];
        double speed = cell->rides ? -1 : level_speed(cell->cell);
        bool bound = text_is(cell->cell->ended, "timeout") && cell->cell->bytes > 0;
        if (speed >= 0 && (cell->ok || bound)) {
            slow += speed < SPEED_LEAST;
            slowest = slowest < 0 || speed < slowest ? speed : slowest;
            fastest = speed > fastest ? speed : fastest;
        } else if (!cell->ok && !bound && !cell->rides) {
            others++;
        }
    }
    /* One direction may be slow alone; what broke off for another reason speaks against it. */
    if (!slow || (others && fastest > slowest * SPEED_ALIKE) || others > slow)
        return 0;
    AUTO_FREE char *shown = level_text(LEVEL_VOLUME_DOWN, slowest);
    return say(out, "rate", slow > 1 && !others ? SURE : SURE_LIKELY,
               xasprintf("the path carries %s a second and no more: bytes go on to the end, slowly", shown));
}

static int (*const in_order[])(const struct signs_case *, struct finding *) = {
    dns, login, own_daemon, hosts_daemon, policy, no_key_exchange, whole_way, master, channels, loss, rate,
};

bool signs_find(const struct signs_case *of, struct finding *out)
{
    for (size_t i = 0; i < COUNT_OF(in_order); i++)
        if (in_order[i](of, out))
            return true;
    return false;
}
