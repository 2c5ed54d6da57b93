#include "stage/stage.h"

#include "ansible/host_variables.h"
#include "ansible/peers.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/layout.h"
#include "event/cause.h"
#include "net/knock.h"
#include "provider/made_look.h"
#include "provider/provider.h"
#include "stage/sweep.h"
#include "transport/choose.h"
#include "transport/key_agent.h"
#include "transport/known_hosts.h"
#include "transport/route.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST_LIMIT = 16 << 20, TRIED_KEPT = 64 };

static const char *const handed_over[] = {"ssh_args", "ssh_common_args", "ssh_extra_args"};

void stage_hand_over(const struct target *target, struct json *request)
{
    if (!target)
        return;
    const char *const values[] = {target->ssh_args, target->ssh_common_args, target->ssh_extra_args};
    for (size_t i = 0; i < COUNT_OF(handed_over); i++)
        json_set_string(request, handed_over[i], values[i]);
    if (target->user_is_ansibles)
        json_set_string(request, "user", target->user);
    if (target->port_is_ansibles)
        json_set_integer(request, "port", target->port);
    if (target->key_is_ansibles)
        json_set_string(request, "key", target->key);
}

static void take_text(char **at, const char *text)
{
    if (!text)
        return;
    free(*at);
    *at = xstrdup(text);
}

void stage_take_over(struct target *target, const struct json *request)
{
    char **const values[] = {&target->ssh_args, &target->ssh_common_args, &target->ssh_extra_args};
    for (size_t i = 0; i < COUNT_OF(handed_over); i++) {
        free(*values[i]);
        *values[i] = xstrdup_or_null(json_get_string(request, handed_over[i], NULL));
    }
    target->user_is_ansibles = json_get(request, "user");
    target->port_is_ansibles = json_get(request, "port");
    target->key_is_ansibles = json_get(request, "key");
    take_text(&target->user, json_get_string(request, "user", NULL));
    take_text(&target->key, json_get_string(request, "key", NULL));
    target->port = (int)json_get_integer(request, "port", target->port);
}

int stage_memfd(const char *name, const struct json *value, bool sealed, struct error *err)
{
    AUTO_CLOSE int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return error_system(err, errno, "cannot make a descriptor for the stage's %s", name);
    if (value && stage_write(fd, value, err) < 0)
        return -1;
    if (sealed && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
        return error_system(err, errno, "cannot seal the stage's %s", name);
    return TAKE_FD(fd);
}

struct json *stage_read(int fd)
{
    AUTO_TEXT bytes = TEXT_INIT;
    char block[4096];
    for (off_t at = 0; at < REQUEST_LIMIT;) {
        ssize_t got = pread(fd, block, sizeof block, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        text_add_bytes(&bytes, block, (size_t)got);
        at += got;
    }
    return json_parse(text_string(&bytes), bytes.length, NULL);
}

int stage_write(int fd, const struct json *value, struct error *err)
{
    AUTO_FREE char *bytes = json_compact(value);
    if (lseek(fd, 0, SEEK_SET) < 0 || ftruncate(fd, 0) < 0 || file_write_all(fd, bytes, strlen(bytes)) < 0)
        return error_system(err, errno, "cannot hand over the stage's result");
    return 0;
}

static void put_machine(struct json *result, const struct machine *machine)
{
    json_set(result, "machine", machine_to_json(machine));
}

static int provision(const struct project *project, const struct target *target, struct machine *machine,
                     struct json *result, struct error *err)
{
    const struct provider *provider = provider_named(machine->provider);
    if (!provider)
        return error_set(err, ERROR_PROVIDER, "there is no provider '%s' in this version", machine->provider);
    if (provider->check(target, err) < 0)
        return -1;
    if (!machine->made_ns) {
        /* An earlier attempt may have died half way: what it left goes first. Nothing there is fine too. */
        if (provider->remove(machine, target->destroy_ns, err) < 0)
            return error_prefix(err, "cannot clear away what an earlier attempt left of '%s'",
                                machine->target);
        /* What is said of it may have changed since it was announced. */
        if (provider->plan(target, machine, err) < 0)
            return -1;
        made_note(project, target, machine);
        if (provider->make(target, machine, err) < 0)
            return -1;
        machine->made_ns = moment_wall();
        put_machine(result, machine);
    }
    return provider->verify(target, machine, target->ready_ns, err);
}

/* Agents belong to the run as its masters do, in the same scope. */
static int load_key(const struct project *project, const struct target *target, const struct machine *machine,
                    const char *sockets, const struct scope *masters, const char *marker, struct error *err)
{
    struct key_agent agent = {project, sockets, masters, marker};
    return key_agent_load(&agent, target, machine, err);
}

/* The phases reach the peers too, each over its own transport. */
static int load_keys_of_peers(const struct project *project, const struct target *target, const char *run,
                              const struct scope *masters, const char *marker, struct error *err)
{
    AUTO_FREE char *state = layout_state(project->directory);
    AUTO_PEERS peers = PEERS_INIT;
    if (peers_find(project, target, state, run, 1, true, &peers, err) < 0)
        return -1;
    for (size_t i = 0; i < peers.count; i++) {
        AUTO_FREE char *sockets = layout_sockets(run, peers.hosts[i].transport);
        if (load_key(project, peers.hosts[i].target, peers.hosts[i].machine, sockets, masters, marker, err) <
            0)
            return -1;
    }
    return 0;
}

struct search {
    const struct project *project;
    const struct target *target;
    const struct json *request;
    int64_t until;     /* monotonic */
    const char *cause; /* of the last failure; static */
    /* Of a way on which the host answered and let nobody in: that says more than a way that leads nowhere. */
    struct error refusal;
    const char *refusal_cause; /* NULL: there is none. Static */
};

/* Verifies one transport; on success the result names it. `tried` collects the evidence of each. */
static int try_transport(struct search *search, enum transport_kind kind, bool wait, int64_t bound_ns,
                         struct machine *machine, struct json *tried, struct json *result, struct error *err)
{
    const char *run = json_get_string(search->request, "run", "");
    AUTO_FREE char *sockets = layout_sockets(run, kind);
    AUTO_SSH_ARGUMENTS ssh = SSH_ARGUMENTS_INIT;
    struct scope masters = {.fd = -1};
    AUTO_FREE char *scope_name = xasprintf("run-%s/masters", run),
                   *marker = xasprintf("TRIPHASE_RUN=%s", run);
    if (layout_make_sockets(sockets, err) < 0 ||
        ssh_arguments_make(machine, search->target, kind, sockets, sockets, SSH_ALIVE_INTERVAL,
                           (int)json_get_integer(search->request, "alive_count",
                                                 ssh_alive_count(18 * NS_PER_S)),
                           &ssh, err) < 0 ||
        scope_open(scope_name, marker, &masters, err) < 0)
        return -1;
    if (load_key(search->project, search->target, machine, sockets, &masters, marker, err) < 0 ||
        load_keys_of_peers(search->project, search->target, run, &masters, marker, err) < 0) {
        scope_close(&masters);
        return -1;
    }
    struct transport_request open = {.target = search->target,
                                     .machine = machine,
                                     .kind = kind,
                                     .ssh = &ssh,
                                     .control_directory = sockets,
                                     .masters = &masters,
                                     .bound_ns = bound_ns,
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
        if (opened.python) {
            free(machine->python);
            machine->python = xstrdup(opened.python);
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
    transport_result_free(&opened);
    scope_close(&masters);
    return status;
}

/* Once through the list in its order, one verified attempt each. The only one of a list may wait for its host until the bound; where there are others behind
 * it, each has its share of the time and a dead one gives way to the next. */
static int walk(struct search *search, const struct words *wanted, struct machine *machine,
                struct json *tried, struct json **choice, struct json *result, struct error *err)
{
    AUTO_WORDS names = WORDS_INIT;
    words_add_list(&names, words_argv(wanted));
    AUTO_ERROR last = ERROR_INIT;
    int status = -1;
    while (names.count && status < 0) {
        enum transport_kind kind;
        json_cleanup(choice);
        *choice = NULL;
        AUTO_ERROR why = ERROR_INIT;
        if (transport_choose(&names, search->target, true, &kind, choice, &why) < 0) {
            if (last.kind == ERROR_NONE)
                error_move(&last, &why);
            break;
        }
        int64_t left = search->until - moment_monotonic();
        bool alone = wanted->count == 1;
        status = try_transport(search, kind, alone, alone ? left : left / (int64_t)names.count, machine,
                               tried, result, &last);
        /* The next one of the list, behind the one that was tried. */
        AUTO_WORDS rest = WORDS_INIT;
        bool behind = false;
        for (size_t i = 0; i < names.count; i++) {
            if (behind)
                words_add(&rest, names.items[i]);
            behind |= text_is(names.items[i], transport_name(kind));
        }
        words_free(&names);
        names = rest;
        rest = (struct words)WORDS_INIT;
    }
    return status < 0 ? error_move(err, &last) : 0;
}

static void keep_apart(const struct json *request)
{
    int64_t knocked = json_get_integer(request, "knocked_ns", 0);
    if (knocked > 0)
        moment_sleep(knocked + KNOCK_APART_S * NS_PER_S - moment_monotonic());
}

static int find_transport(const struct project *project, const struct target *target,
                          const struct json *request, struct machine *machine, struct json *result,
                          struct error *err)
{
    struct search search = {.project = project,
                            .target = target,
                            .request = request,
                            .until =
                                moment_monotonic() + json_get_integer(request, "bound_ns", 60 * NS_PER_S)};
    AUTO_WORDS names = WORDS_INIT;
    const struct json *wanted = json_get(request, "transports");
    for (size_t i = 0; i < json_count(wanted); i++)
        words_add(&names, json_string(json_at(wanted, i), ""));
    if (json_get_bool(request, "drop_masters"))
        host_drop_masters(json_get_string(request, "run", ""));
    AUTO_JSON *tried = json_new_array();
    AUTO_JSON *choice = NULL;
    int status;
    keep_apart(request);
    for (int round = 1;; round++) {
        AUTO_ERROR failed = ERROR_INIT;
        status = walk(&search, &names, machine, tried, &choice, result, &failed);
        if (status == 0)
            break;
        int64_t pause = cause_pause_ns(search.cause, round);
        if (pause < NS_PER_S)
            pause = NS_PER_S;
        /* A host that is coming back may do so over any of them. */
        if (failed.kind != ERROR_UNREACHABLE || names.count == 1 ||
            (search.refusal_cause && !json_get_bool(request, "starting")) ||
            search.until - moment_monotonic() < pause + NS_PER_S) {
            if (search.refusal_cause)
                json_set_string(result, "cause", search.refusal_cause);
            error_move(err, search.refusal_cause ? &search.refusal : &failed);
            break;
        }
        moment_sleep(pause);
    }
    error_clear(&search.refusal);
    struct json *evidence = choice ? json_keep(choice) : json_new_object();
    json_set(evidence, "tried", json_keep(tried));
    if (json_get_bool(result, "sudo_needs_tty"))
        json_set_bool(evidence, "sudo_needs_tty", true);
    json_set(result, "evidence", evidence);
    return status;
}

/* Over a connection of its own: the run's masters may lead nowhere. With them went the agent that holds the key. */
static int look_at_host(const struct project *project, const struct target *target,
                        const struct machine *machine, const struct json *request,
                        int (*look)(const struct host *, const struct json *, struct json *, struct error *),
                        struct json *result, struct error *err)
{
    const char *run = json_get_string(request, "run", "");
    enum transport_kind kind = TRANSPORT_DIRECT;
    (void)transport_from(json_get_string(request, "transport", ""), &kind);
    AUTO_FREE char *sockets = layout_sockets(run, kind);
    keep_apart(request);
    struct host host = {target, machine, NULL};
    if (json_get_bool(request, "drop_masters"))
        host_drop_masters(run);
    if (ssh_needs_agent(machine, target)) {
        AUTO_FREE char *scope_name = xasprintf("run-%s/masters", run),
                       *marker = xasprintf("TRIPHASE_RUN=%s", run);
        struct scope masters = {.fd = -1};
        if (layout_make_sockets(sockets, err) < 0 || scope_open(scope_name, marker, &masters, err) < 0)
            return -1;
        int loaded = load_key(project, target, machine, sockets, &masters, marker, err);
        scope_close(&masters);
        if (loaded < 0)
            return -1;
        host.agent_directory = sockets;
    }
    return look(&host, request, result, err);
}

static int remove_machine(const struct json *request, const struct target *target, struct machine *machine,
                          struct json *result, struct error *err)
{
    const struct provider *provider = provider_named(machine->provider);
    if (!provider)
        return error_set(err, ERROR_PROVIDER,
                         "there is no provider '%s' in this version; its machine %s must be removed by hand",
                         machine->provider, machine->reference);
    int64_t bound = target ? target->destroy_ns : 120 * NS_PER_S;
    /* Masters of whoever used `ssh` and `inventory` by hand. */
    for (int kind = 0; kind < TRANSPORT_KINDS; kind++) {
        AUTO_FREE char *sockets = layout_sockets(machine->id, (enum transport_kind)kind);
        transport_close_masters(sockets, NULL);
    }
    if (provider->remove(machine, bound, err) < 0)
        return -1;
    if (!json_get_bool(request, "keep_state") && file_remove_tree(machine->directory, err) < 0)
        return error_prefix(err, "the machine is gone, but not its folder");
    machine->removed_ns = moment_wall();
    put_machine(result, machine);
    return 0;
}

int stage_run(const char *stage, const struct project *project, const struct target *target,
              const struct json *request, struct json **result, struct error *err)
{
    AUTO_MACHINE *machine = machine_from_json(json_get(request, "machine"));
    if (!machine)
        return error_set(err, ERROR_SYSTEM, "the stage '%s' was given no machine", stage);
    *result = json_new_object();
    if (text_is(stage, "destroy"))
        return remove_machine(request, target, machine, *result, err);
    if (!project || !target)
        return error_set(err, ERROR_PROJECT, "the stage '%s' needs the project's files", stage);
    if (text_is(stage, "provision")) {
        int status = provision(project, target, machine, *result, err);
        put_machine(*result, machine);
        return status;
    }
    /* A destroy's phases reach it as it was made, all others as is said now. */
    bool as_made = json_get_bool(request, "as_made");
    struct target made = made_target(target, machine);
    AUTO_MACHINE *now = as_made ? machine_copy(machine) : made_look_now(project, target, machine);
    if (!as_made)
        host_variables_apply(target, now);
    target = as_made ? &made : target;
    if (as_made)
        made_look_marks(target, now);
    if (ssh_write_known_hosts(now, target, project->directory, err) < 0)
        return -1;
    if (text_is(stage, "sweep"))
        return look_at_host(project, target, now, request, host_sweep, *result, err);
    if (text_is(stage, "async"))
        return look_at_host(project, target, now, request, host_await_jobs, *result, err);
    if (text_is(stage, "transport")) {
        int status = find_transport(project, target, request, now, *result, err);
        if (status == 0)
            ssh_learn_host_keys(now);
        /* What is said now is written down once the host answered over it. */
        put_machine(*result, status == 0 ? now : machine);
        return status;
    }
    return error_set(err, ERROR_SYSTEM, "there is no stage '%s'", stage);
}
