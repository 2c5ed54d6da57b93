#include "stage/find_transport.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/layout.h"
#include "config/marks.h"
#include "event/cause.h"
#include "event/step_log.h"
#include "net/knock.h"
#include "stage/keys.h"
#include "stage/peer_logins.h"
#include "stage/sweep.h"
#include "transport/choose.h"
#include "transport/route.h"

enum { TRIED_KEPT = 64 };

struct search {
    const struct project *project;
    const struct target *target;
    const struct json *request;
    struct deadline deadline;
    const char *cause; /* of the last failure; static */
    /* Of a way on which the host answered and let nobody in: that says more than a way that leads nowhere. */
    struct error refusal;
    const char *refusal_cause; /* NULL: there is none. Static */
};

static int alive_count(const struct json *request)
{
    return (int)json_get_integer(request, "alive_count", ssh_alive_count(18 * NS_PER_S));
}

/* Verifies one transport; on success the result names it. `tried` collects the evidence of each. */
static int try_transport(struct search *search, enum transport_kind kind, bool wait, struct deadline deadline,
                         struct machine *machine, struct json *tried, struct json *result, struct error *err)
{
    const char *run = json_get_string(search->request, "run", "");
    AUTO_FREE char *sockets = layout_sockets(run, kind);
    AUTO_SSH_ARGUMENTS ssh = SSH_ARGUMENTS_INIT;
    struct scope masters = {.fd = -1};
    AUTO_FREE char *marker = marks_run(run);
    if (layout_make_sockets(sockets, err) < 0 ||
        ssh_arguments_make(machine, search->target, kind, sockets, sockets, SSH_ALIVE_INTERVAL,
                           alive_count(search->request), &ssh, err) < 0 ||
        marks_open_masters(run, &masters, err) < 0)
        return -1;
    if (keys_load(search->project, search->target, machine, sockets, &masters, marker, err) < 0) {
        scope_close(&masters);
        return -1;
    }
    struct transport_request open = {.target = search->target,
                                     .machine = machine,
                                     .kind = kind,
                                     .ssh = &ssh,
                                     .control_directory = sockets,
                                     .masters = &masters,
                                     .deadline = deadline,
                                     .wait = wait,
                                     .starting = json_get_bool(search->request, "starting")};
    struct transport_result opened = {0};
    int status = transport_open_master(&open, &opened, err);
    struct json *entry = opened.evidence ? json_keep(opened.evidence) : json_new_object();
    json_set_string(entry, "name", transport_name(kind));
    json_set_string(entry, "rung", opened.rung);
    json_set_string(entry, "cause", opened.cause);
    json_append(tried, entry);
    json_keep_last(tried, TRIED_KEPT);
    if (status == 0) {
        if (!search->target->python) {
            free(machine->python);
            machine->python = xstrdup_or_null(opened.python);
        }
        json_set_string(result, "transport", transport_name(kind));
        json_set_string(result, "session", opened.session);
        json_set_string(result, "boot", opened.boot);
        json_set_integer(result, "host_ticks", opened.host_ticks);
        json_set_integer(result, "at_ns", opened.at_ns);
        json_set_string(result, "control_path", opened.control_path);
        json_set_bool(result, "sudo_needs_tty", opened.sudo_needs_tty);
    } else if (opened.cause) {
        json_set_string(result, "cause", opened.cause);
        search->cause = opened.cause;
        if (cause_is_refusal(opened.cause)) {
            search->refusal_cause = opened.cause;
            error_set(&search->refusal, ERROR_UNREACHABLE, "%s", error_text(err));
        }
    }
    transport_result_clear(&opened);
    scope_close(&masters);
    return status;
}

static void say_wait(const struct tailnet_look *look)
{
    if (tailnet_look_is_away(look))
        step_log_say("tailscaled at %s carried the attempt before (%s): it is waited for",
                     look->tun.daemon_socket, look->tun.daemon_error);
    else
        step_log_say("tailscaled at %s is in the state %s: it is waited for", look->tun.daemon_socket,
                     look->status.state);
}

/* Once through the list in its order, one verified attempt each. The only one of a list may wait for
 * its host until the bound; where there are others behind it, each has its share of the time and a dead
 * one gives way to the next. */
static int walk(struct search *search, const struct words *wanted, struct machine *machine,
                struct json *tried, struct json **choice, struct json *result, struct error *err)
{
    AUTO_WORDS names = WORDS_INIT;
    words_add_list(&names, words_argv(wanted));
    AUTO_TAILNET_LOOK look = {.taken = false};
    AUTO_ERROR last = ERROR_INIT;
    int status = -1;
    while (names.count && status < 0) {
        enum transport_kind kind;
        json_cleanup(choice);
        *choice = NULL;
        AUTO_ERROR why = ERROR_INIT;
        const struct transport_question question = {.names = &names,
                                                    .target = search->target,
                                                    .machine = machine,
                                                    .for_contact = true,
                                                    .look = &look,
                                                    .contact = &search->deadline,
                                                    .carried =
                                                        json_get_string(search->request, "carried", NULL),
                                                    .waits = say_wait};
        bool alone = wanted->count == 1;
        if (transport_choose(&question, &kind, choice, &why) < 0) {
            if (last.kind == ERROR_NONE)
                error_move(&last, &why);
            break;
        }
        /* The last one has all that is left. */
        struct deadline share = deadline_in(deadline_left(search->deadline) / (int64_t)names.count);
        status = try_transport(search, kind, alone, alone ? search->deadline : share, machine, tried, result,
                               &last);
        /* The next one of the list, behind the one that was tried. */
        AUTO_WORDS rest = WORDS_INIT;
        bool behind = false;
        for (size_t i = 0; i < names.count; i++) {
            if (behind)
                words_add(&rest, names.items[i]);
            behind |= text_is(names.items[i], transport_name(kind));
        }
        words_clear(&names);
        names = rest;
        rest = (struct words)WORDS_INIT;
    }
    return status < 0 ? error_move(err, &last) : 0;
}

/* Round after round, until one of them carries or time is up. */
static int walk_on(struct search *search, const struct words *names, struct machine *machine,
                   struct json *tried, struct json **choice, struct json *result, struct error *err)
{
    for (int round = 1;; round++) {
        AUTO_ERROR failed = ERROR_INIT;
        if (walk(search, names, machine, tried, choice, result, &failed) == 0)
            return 0;
        int64_t pause = cause_pause_ns(search->cause, round);
        if (pause < NS_PER_S)
            pause = NS_PER_S;
        /* A host that is coming back may do so over any of them. */
        if (failed.kind != ERROR_UNREACHABLE || names->count == 1 ||
            (search->refusal_cause && !json_get_bool(search->request, "starting")) ||
            deadline_left(search->deadline) < pause + NS_PER_S) {
            if (search->refusal_cause)
                json_set_string(result, "cause", search->refusal_cause);
            return error_move(err, search->refusal_cause ? &search->refusal : &failed);
        }
        moment_sleep(pause);
    }
}

/* The peers are logged in to meanwhile. */
static int walk_beside_peers(struct search *search, const struct words *names, struct machine *machine,
                             struct json *tried, struct json **choice, struct json **told,
                             struct json *result, struct error *err)
{
    const char *run = json_get_string(search->request, "run", "");
    AUTO_FREE char *marker = marks_run(run);
    struct scope masters = {.fd = -1};
    struct peer_logins *peers = NULL;
    if (marks_open_masters(run, &masters, err) < 0)
        return -1;
    const struct peer_logins_request of_peers = {.project = search->project,
                                                 .target = search->target,
                                                 .machine = machine,
                                                 .run = run,
                                                 .marker = marker,
                                                 .masters = &masters,
                                                 .alive_count = alive_count(search->request),
                                                 .deadline = search->deadline};
    int status = peer_logins_begin(&of_peers, &peers, err);
    if (status == 0)
        status = walk_on(search, names, machine, tried, choice, result, err);
    *told = peer_logins_end(&peers, status == 0);
    scope_close(&masters);
    return status;
}

int find_transport(const struct project *project, const struct target *target, const struct json *request,
                   struct machine *machine, struct json *result, struct error *err)
{
    struct search search = {.project = project,
                            .target = target,
                            .request = request,
                            .deadline = deadline_in(json_get_integer(request, "bound_ns", 60 * NS_PER_S))};
    AUTO_WORDS names = WORDS_INIT;
    const struct json *wanted = json_get(request, "transports");
    for (size_t i = 0; i < json_count(wanted); i++)
        words_add(&names, json_string(json_at(wanted, i), ""));
    if (json_get_bool(request, "drop_masters"))
        sweep_drop_masters(json_get_string(request, "run", ""));
    AUTO_JSON *tried = json_new_array(), *choice = NULL, *told = NULL;
    knock_keep_apart(json_get_integer(request, "knocked_ns", 0));
    int status = walk_beside_peers(&search, &names, machine, tried, &choice, &told, result, err);
    error_clear(&search.refusal);
    struct json *evidence = choice ? json_keep(choice) : json_new_object();
    json_set(evidence, "tried", json_keep(tried));
    if (told)
        json_set(evidence, "peers", json_keep(told));
    if (json_get_bool(result, "sudo_needs_tty"))
        json_set_bool(evidence, "sudo_needs_tty", true);
    json_set(result, "evidence", evidence);
    return status;
}
