#include "action/knock.h"
#include "action/transport.h"
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "data/cause.h"
#include "mechanism/program.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Bounds of the rungs; each ends earlier with the whole. A loaded host takes 15 s for a `true`, so a
 * channel that merely verifies has more. */
static const int64_t tcp_bound = 10 * NS_PER_S, banner_bound = 15 * NS_PER_S, channel_bound = 30 * NS_PER_S,
                     output_bound = 20 * NS_PER_S;
enum { OUTPUT_BYTES = 16384, LOG_TAIL = 4096 };

struct ladder {
    const struct transport_request *request;
    struct transport_result *result;
    struct transport_route route;
    char *log;
    struct json *rungs;
    int64_t until; /* monotonic end of the whole */
    int attempts;
};

static int64_t within(const struct ladder *ladder, int64_t bound)
{
    int64_t left = ladder->until - moment_monotonic();
    return left < 0 ? 0 : left < bound ? left : bound;
}

static void pause_for(int64_t ns)
{
    struct timespec time = {ns / NS_PER_S, ns % NS_PER_S};
    while (nanosleep(&time, &time) < 0 && errno == EINTR) {}
}

/* A rung was taken: what it saw, and since when. */
static void passed(struct ladder *ladder, const char *rung, int64_t since, const char *saw)
{
    struct json *entry = json_new_object();
    json_set_string(entry, "rung", rung);
    json_set(entry, "ms", json_new_real((double)(moment_monotonic() - since) / NS_PER_MS));
    if (saw)
        json_set_string(entry, "saw", saw);
    json_append(ladder->rungs, entry);
}

static int fail(struct ladder *ladder, const char *rung, const char *cause, struct error *err,
                const char *format, ...) __attribute__((format(printf, 5, 6)));
static int fail(struct ladder *ladder, const char *rung, const char *cause, struct error *err,
                const char *format, ...)
{
    static const struct {
        const char *rung, *what;
    } meanings[] = {{"resolve", "the name could not be resolved"},
                    {"tcp", "no TCP connection"},
                    {"banner", "no SSH banner"},
                    {"channel", "no authenticated channel"},
                    {"output", "a channel, but no output of more than one packet"}};
    const char *what = rung;
    for (size_t i = 0; i < COUNT_OF(meanings); i++)
        if (text_is(meanings[i].rung, rung))
            what = meanings[i].what;
    va_list args;
    va_start(args, format);
    AUTO_FREE char *detail = xvasprintf(format, args);
    va_end(args);
    free(ladder->result->rung);
    ladder->result->rung = xstrdup(rung);
    ladder->result->cause = cause;
    return error_set(err, ERROR_UNREACHABLE, "target %s over %s: %s (%s: %s)", ladder->request->target->name,
                     transport_name(ladder->request->kind), what, cause, detail);
}

/* ------------------------------------------------------------ TCP and banner */

/* Both lower rungs once. 0, or -1 with the error. */
static int knock(struct ladder *ladder, const struct addrinfo *addresses, int64_t bound, struct error *err)
{
    const struct transport_route *route = &ladder->route;
    int64_t since = moment_monotonic();
    AUTO_CLOSE int fd = -1;
    int number = EHOSTUNREACH;
    for (const struct addrinfo *at = addresses; at && fd < 0; at = at->ai_next) {
        fd = knock_connect(at, within(ladder, bound));
        number = errno;
    }
    if (fd < 0)
        return fail(ladder, "tcp", knock_cause(number), err, "%s port %d: %s", route->hostname, route->port,
                    strerror(number));
    int64_t connected = moment_monotonic();
    AUTO_TEXT banner = TEXT_INIT;
    int got = knock_banner(fd, within(ladder, banner_bound), &banner);
    if (got > 0)
        return fail(ladder, "banner", "banner-timeout", err, "%s port %d takes connections but says nothing",
                    route->hostname, route->port);
    if (got < 0 && errno == EPROTO)
        return fail(ladder, "banner", "other", err, "what listens at %s port %d speaks no SSH",
                    route->hostname, route->port);
    if (got < 0)
        return fail(ladder, "banner", "reset", err, "%s port %d closed the connection: %s", route->hostname,
                    route->port, errno ? strerror(errno) : "end of data");
    struct json *entry = json_new_object();
    json_set_string(entry, "rung", "tcp");
    json_set(entry, "ms", json_new_real((double)(connected - since) / NS_PER_MS));
    json_append(ladder->rungs, entry);
    passed(ladder, "banner", connected, text_string(&banner));
    return 0;
}

static int knock_until_heard(struct ladder *ladder, struct error *err)
{
    const struct transport_route *route = &ladder->route;
    AUTO_FREE char *port = xasprintf("%d", route->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    /* A host that is starting answers anywhere from refused to nothing: short tries find the moment,
     * longer ones a slow path. */
    for (int64_t bound = NS_PER_S / 2;; bound = bound * 2 < tcp_bound ? bound * 2 : tcp_bound) {
        struct addrinfo *addresses = NULL;
        AUTO_ERROR failed = ERROR_INIT;
        ladder->attempts++;
        int resolved = getaddrinfo(route->hostname, port, &hints, &addresses);
        int result =
            resolved != 0
                ? fail(ladder, "resolve", "dns", &failed, "%s: %s", route->hostname, gai_strerror(resolved))
                : knock(ladder, addresses, ladder->request->wait ? bound : tcp_bound, &failed);
        if (addresses)
            freeaddrinfo(addresses);
        if (result == 0)
            return 0;
        if (!ladder->request->wait || within(ladder, NS_PER_S) <= 0)
            return error_move(err, &failed);
        /* A refusal costs nothing to either side; what is a banner's trouble counts against sshd's limits. */
        pause_for(within(ladder, text_is(ladder->result->rung, "tcp") ? 10 * NS_PER_MS : 200 * NS_PER_MS));
        /* A further try without time would only hide the reason of this one behind a time-out. */
        if (within(ladder, NS_PER_S) <= 0)
            return error_move(err, &failed);
    }
}

/* ------------------------------------------------------------ the master and its channel */

static void ssh_argv(const struct ladder *ladder, struct words *argv, const char *const *first)
{
    words_add(argv, "ssh");
    words_add_list(argv, first);
    words_add_list(argv, words_argv(&ladder->request->ssh->options));
}

static bool is_socket(const char *path)
{
    struct stat info;
    return path && lstat(path, &info) == 0 && S_ISSOCK(info.st_mode);
}

/* 0 when the master answered within 2 s; a frozen one would hang whoever asks. */
static int ask_master(const struct ladder *ladder, const char *command)
{
    AUTO_TEXT option = TEXT_INIT;
    text_add(&option, "ControlPath=");
    ssh_add_option_value(&option, ladder->route.control_path, true);
    const char *argv[] = {"ssh", "-F", "none", "-O", command, "-o", text_string(&option), "--", "x", NULL};
    return program_do_argv(2 * NS_PER_S, argv, NULL, NULL);
}

/* What ssh wrote into its log since `from`, as one line. */
static char *log_since(const struct ladder *ladder, off_t from)
{
    AUTO_TEXT tail = TEXT_INIT, line = TEXT_INIT;
    AUTO_CLOSE int fd = open(ladder->log, O_RDONLY | O_CLOEXEC);
    char buffer[LOG_TAIL];
    ssize_t count = fd < 0 ? 0 : pread(fd, buffer, sizeof(buffer), from);
    if (count > 0)
        text_add_bytes(&tail, buffer, (size_t)count);
    char *state = NULL;
    for (const char *said = tail.length ? strtok_r(tail.bytes, "\r\n", &state) : NULL; said;
         said = strtok_r(NULL, "\r\n", &state))
        /* What went well is no reason. */
        if (!text_starts(said, "Authenticated to ")) {
            text_add(&line, line.length ? "; " : "");
            text_add_printable(&line, said, strlen(said));
        }
    return text_take(&line);
}

/* The master belongs to the run: it must not carry the mark of the step that opens it, for where there is no cgroup it would be ended with that. Nor has it
 * any use for a secret of the target. */
static void master_environment(const struct ladder *ladder, struct words *out)
{
    const char *const *entry =
        ladder->request->environment ? ladder->request->environment : (const char *const *)environ;
    for (; *entry; entry++)
        if (!text_starts(*entry, "TRIPHASE_STEP=") && !target_hides(ladder->request->target, *entry))
            words_add(out, *entry);
}

static int open_once(struct ladder *ladder, struct error *err)
{
    const struct transport_request *request = ladder->request;
    /* Before the inventory's options, so that they count: it stays by itself and for as long as the run,
     * in the scope of the run's masters, and writes down how it ends. */
    const char *const first[] = {"-o", "ControlMaster=yes",
                                 "-o", "ControlPersist=no",
                                 "-o", "ClearAllForwardings=yes",
                                 "-o", "PermitLocalCommand=no",
                                 "-o", "LogLevel=VERBOSE",
                                 "-E", ladder->log,
                                 "-f", "-N",
                                 NULL};
    AUTO_WORDS argv = WORDS_INIT;
    ssh_argv(ladder, &argv, first);
    words_add_all(&argv, "--", request->ssh->host, NULL);
    AUTO_WORDS environment = WORDS_INIT;
    master_environment(ladder, &environment);
    struct stat info;
    off_t from = stat(ladder->log, &info) == 0 ? info.st_size : 0;
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR failed = ERROR_INIT;
    struct child_end end = {0};
    struct program program = {.argv = words_argv(&argv),
                              .environment = words_argv(&environment),
                              .scope = request->masters,
                              .bound_ns = within(ladder, channel_bound)};
    int64_t since = moment_monotonic();
    ladder->attempts++;
    int result = program_run(&program, NULL, &said, &end, &failed);
    if (result < 0 && failed.kind == ERROR_MISSING)
        return error_set(err, ERROR_MISSING,
                         "the program ssh is missing; install Debian's package openssh-client");
    if (result == 0 && end.code == 0 && is_socket(ladder->route.control_path)) {
        passed(ladder, "master", since, NULL);
        return 0;
    }
    if (is_socket(ladder->route.control_path))
        (void)ask_master(ladder, "exit");
    AUTO_FREE char *log = log_since(ladder, from);
    const char *why = *log          ? log
                      : result < 0  ? error_text(&failed)
                      : said.length ? text_string(&said)
                                    : "ssh did not say why";
    const char *cause = cause_of_text(*log ? log : text_string(&said));
    if (failed.kind == ERROR_DEADLINE && (!cause || text_is(cause, "other")))
        cause = "channel-broken";
    if (cause && text_is(cause, "reset") && ladder->route.proxy)
        cause = "proxy-exit";
    return fail(ladder, "channel", cause ? cause : "other", err, "%s", why);
}

/* Runs a script of /bin/sh over the master. 0 with what it printed. */
static int run_over_master(struct ladder *ladder, const char *rung, const char *script, int64_t bound,
                           struct text *out, struct error *err)
{
    AUTO_TEXT path = TEXT_INIT, command = TEXT_INIT;
    text_add(&path, "ControlPath=");
    ssh_add_option_value(&path, ladder->route.control_path, true);
    /* Where the master does not answer, ssh would connect by itself and prove nothing: it must not be able
     * to. */
    const char *const first[] = {"-o", "ControlMaster=no",   "-o", text_string(&path),
                                 "-o", "ProxyCommand=false", "-o", "ClearAllForwardings=yes",
                                 "-o", "LogLevel=ERROR",     NULL};
    AUTO_WORDS argv = WORDS_INIT;
    ssh_argv(ladder, &argv, first);
    text_add(&command, "exec /bin/sh -c ");
    text_add_shell_word(&command, script);
    words_add_all(&argv, "--", ladder->request->ssh->host, text_string(&command), NULL);
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR failed = ERROR_INIT;
    struct child_end end = {0};
    struct program program = {.argv = words_argv(&argv),
                              .environment = ladder->request->environment,
                              .bound_ns = within(ladder, bound)};
    if (program_run(&program, out, &said, &end, &failed) < 0)
        return fail(ladder, rung, "channel-broken", err, "%s",
                    failed.kind == ERROR_DEADLINE ? "nothing came back within the bound"
                                                  : error_text(&failed));
    if (end.code != 0) {
        AUTO_TEXT shown = TEXT_INIT;
        text_add_printable(&shown, text_string(&said), said.length);
        const char *cause = end.code != 255                            ? "channel-broken"
                            : strstr(text_string(&said), "port 65535") ? "mux-lost"
                                                                       : cause_of_text(text_string(&said));
        return fail(ladder, rung, cause ? cause : "other", err, "the host's shell ended with %d: %s",
                    end.code, text_string(&shown));
    }
    return 0;
}

/* The rest of the line that begins with `name=`; malloc'ed, NULL when absent or empty. Only what a path or
 * a session's id can be made of is taken from a host. */
static char *answer_of(const char *lines, const char *name)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-";
    size_t length = strlen(name);
    for (const char *line = lines; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (!strncmp(line, name, length) && line[length] == '=') {
            size_t size = strspn(line + length + 1, safe);
            return size && line[length + 1 + size] == '\n' ? xstrndup(line + length + 1, size) : NULL;
        }
    return NULL;
}

static int check_channel(struct ladder *ladder, struct error *err)
{
    char id[ID_SIZE];
    id_make(id);
    bool find_python = !ladder->request->target->python;
    AUTO_FREE char *script = xasprintf(
        "printf 'triphase-%%s\\nsession=%%s\\n' %s \"$XDG_SESSION_ID\"\n"
        "{ read -r b </proc/sys/kernel/random/boot_id && read -r s </proc/1/stat; } 2>/dev/null && {\n"
        "set -f; set -- ${s##*) }; set +f; printf 'boot=%%s.%%s\\n' \"$b\" \"${20}\"; }\n"
        "{ read -r s </proc/$$/stat; } 2>/dev/null && {\n"
        "set -f; set -- ${s##*) }; set +f; printf 'ticks=%%s\\n' \"${20}\"; }\n"
        "%sprintf 'done=%%s\\n' %s",
        id,
        find_python ? "for p in /usr/bin/python3 /usr/local/bin/python3 /usr/libexec/platform-python "
                      "/usr/bin/python3.[0-9]* /usr/bin/python \"$(command -v python3)\"; do\n"
                      "[ -x \"$p\" ] && { printf 'python=%s\\n' \"$p\"; break; }\ndone\n"
                    : "",
        id_tail(id, 12));
    AUTO_TEXT answer = TEXT_INIT;
    int64_t since = moment_monotonic();
    if (run_over_master(ladder, "channel", script, channel_bound, &answer, err) < 0)
        return -1;
    /* A login shell's rc file may have printed before. */
    const char *begin = answer.bytes ? strstr(answer.bytes, id) : NULL;
    AUTO_FREE char *done =
        begin ? answer_of(strchr(begin, '\n') ? strchr(begin, '\n') + 1 : NULL, "done") : NULL;
    if (!begin || !text_is(done, id_tail(id, 12)))
        return fail(ladder, "channel", "channel-broken", err,
                    "the host's shell did not print what it was asked to print");
    ladder->result->session = answer_of(strchr(begin, '\n') + 1, "session");
    ladder->result->boot = answer_of(strchr(begin, '\n') + 1, "boot");
    ladder->result->python = answer_of(strchr(begin, '\n') + 1, "python");
    AUTO_FREE char *ticks = answer_of(strchr(begin, '\n') + 1, "ticks");
    ladder->result->host_ticks = ticks ? strtoll(ticks, NULL, 10) : 0;
    ladder->result->at_ns = moment_monotonic();
    passed(ladder, "channel", since, "the host printed what it was asked");
    return 0;
}

static int check_output(struct ladder *ladder, struct error *err)
{
    AUTO_TEXT answer = TEXT_INIT;
    int64_t since = moment_monotonic();
    /* 16 bytes doubled ten times, without a process. */
    static const char script[] =
        "x=0123456789abcde@; for i in 1 2 3 4 5 6 7 8 9 10; do x=$x$x; done; printf 'x=%s=x' \"$x\"";
    if (run_over_master(ladder, "output", script, output_bound, &answer, err) < 0) {
        error_prefix(err, "short output came through, long output does not: the signs of a path-MTU hole");
        return -1;
    }
    const char *begin = answer.bytes ? strstr(answer.bytes, "x=0123456789abcde@") : NULL;
    const char *end = begin ? strstr(begin, "@=x") : NULL;
    if (!end || end - begin != OUTPUT_BYTES + 1)
        return fail(ladder, "output", "channel-broken", err, "%zu bytes came of %d", answer.length,
                    OUTPUT_BYTES);
    passed(ladder, "output", since, "16384 bytes");
    return 0;
}

/* A new master: lower rungs where there is no proxy in between, then ssh itself. */
static int open_master(struct ladder *ladder, struct error *err)
{
    if (ladder->route.proxy) {
        struct json *entry = json_new_object();
        json_set_string(entry, "rung", "tcp");
        json_set_string(entry, "skipped", "ssh goes through a proxy");
        json_append(ladder->rungs, entry);
    } else if (knock_until_heard(ladder, err) < 0) {
        return -1;
    }
    for (;;) {
        AUTO_ERROR failed = ERROR_INIT;
        if (open_once(ladder, &failed) == 0)
            return 0;
        /* A key that is not the machine's does not become it by waiting. */
        if (!ladder->request->wait || failed.kind != ERROR_UNREACHABLE ||
            text_is(ladder->result->cause, "host-key") || within(ladder, NS_PER_S) <= 0)
            return error_move(err, &failed);
        pause_for(within(ladder, 300 * NS_PER_MS));
    }
}

static int climb(struct ladder *ladder, struct error *err)
{
    const struct transport_request *request = ladder->request;
    if (!request->ssh->host)
        return fail(ladder, "resolve", "other", err, "its address is not known; was it made?");
    if (!request->ssh->multiplexed)
        return error_set(err, ERROR_SYSTEM, "a master needs a folder for its socket");
    if (transport_resolve(request->ssh, &ladder->route, err) < 0)
        return -1;
    const struct transport_route *route = &ladder->route;
    ladder->result->control_path = xstrdup_or_null(route->control_path);
    json_set_string(ladder->result->evidence, "host", route->hostname);
    json_set_integer(ladder->result->evidence, "port", route->port);
    json_set_string(ladder->result->evidence, "user", route->user);
    json_set_string(ladder->result->evidence, "proxy", route->proxy);
    bool kept = is_socket(route->control_path);
    if (kept && (ask_master(ladder, "check") < 0 || check_channel(ladder, NULL) < 0)) {
        (void)ask_master(ladder, "exit");
        (void)unlink(route->control_path);
        ladder->result->cause = NULL;
        kept = false;
    }
    if (!kept && (open_master(ladder, err) < 0 || check_channel(ladder, err) < 0))
        return -1;
    json_set_bool(ladder->result->evidence, "kept", kept);
    return check_output(ladder, err);
}

int transport_open_master(const struct transport_request *request, struct transport_result *result,
                          struct error *err)
{
    *result = (struct transport_result){.evidence = json_new_object()};
    struct ladder ladder = {
        .request = request,
        .result = result,
        .log = request->log_path ? xstrdup(request->log_path)
                                 : file_join(request->control_directory, "master.log"),
        .rungs = json_new_array(),
        .until = moment_monotonic() + request->bound_ns,
    };
    json_set_string(result->evidence, "transport", transport_name(request->kind));
    int64_t since = moment_monotonic();
    int done = climb(&ladder, err);
    if (done == 0) {
        free(result->rung);
        result->rung = xstrdup("done");
        result->cause = NULL;
    } else {
        json_set_string(result->evidence, "failed_rung", result->rung);
        json_set_string(result->evidence, "cause", result->cause);
    }
    json_set(result->evidence, "rungs", ladder.rungs);
    json_set_integer(result->evidence, "attempts", ladder.attempts);
    json_set(result->evidence, "ms", json_new_real((double)(moment_monotonic() - since) / NS_PER_MS));
    json_set_string(result->evidence, "python",
                    request->target->python ? request->target->python : result->python);
    json_set_string(result->evidence, "session", result->session);
    json_set_string(result->evidence, "boot", result->boot);
    json_set_integer(result->evidence, "host_ticks", result->host_ticks);
    json_set_integer(result->evidence, "at_ns", result->at_ns);
    transport_route_free(&ladder.route);
    free(ladder.log);
    return done;
}

void transport_result_free(struct transport_result *result)
{
    free(result->rung);
    free(result->python);
    free(result->session);
    free(result->boot);
    free(result->control_path);
    json_free(result->evidence);
    *result = (struct transport_result){0};
}

int transport_close_masters(const char *control_directory, struct error *err)
{
    AUTO_WORDS names = WORDS_INIT;
    if (!file_is_dir(control_directory))
        return 0;
    if (file_list(control_directory, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *path = file_join(control_directory, names.items[i]);
        if (is_socket(path) && !text_is(names.items[i], SSH_AGENT_SOCKET)) {
            struct ladder asking = {.route = {.control_path = path}};
            (void)ask_master(&asking, "exit");
        }
        if (!file_is_dir(path))
            (void)unlink(path);
    }
    if (rmdir(control_directory) < 0 && errno != ENOENT)
        return error_system(err, errno, "cannot remove the folder of sockets %s", control_directory);
    return 0;
}
