#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "event/cause.h"
#include "event/step_log.h"
#include "process/program.h"
#include "transport/login_error.h"
#include "transport/master_control.h"
#include "transport/route.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Between the first answer and the last byte of a page. Until the first there is all the time of the whole: a
 * login shell may take half a minute, a loaded host 15 s for a `true`. */
static const int64_t output_bound = 20 * NS_PER_S;
static const int64_t kept_bound = 30 * NS_PER_S; /* of a master that may lead nowhere */
enum { OUTPUT_BYTES = 16384 };

struct ladder {
    const struct transport_request *request;
    struct transport_result *result;
    struct transport_route route;
    char *log;
    struct json *rungs;
    int attempts;
    bool cut; /* the session was ended from there, though nothing of it was at fault */
};

/* A rung was taken: how long it took, what it saw. */
static void put_passed(struct ladder *ladder, const char *rung, int64_t ns, const char *saw)
{
    struct json *entry = json_new_object();
    json_set_string(entry, "rung", rung);
    json_set(entry, "ms", json_new_real((double)ns / NS_PER_MS));
    json_set_string(entry, "saw", saw);
    json_append(ladder->rungs, entry);
}

static int fail(struct ladder *ladder, const char *rung, const char *cause, struct error *err,
                const char *format, ...) __attribute__((format(printf, 5, 6)));
static int fail(struct ladder *ladder, const char *rung, const char *cause, struct error *err,
                const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *detail = xvasprintf(format, args);
    va_end(args);
    free(ladder->result->rung);
    ladder->result->rung = xstrdup(rung);
    ladder->result->cause = cause;
    return error_set(err, ERROR_UNREACHABLE, "target %s over %s: %s (%s: %s)", ladder->request->target->name,
                     transport_name(ladder->request->kind), rung_means(rung), cause, detail);
}

/* ------------------------------------------------------------ the master and its channel */

/* Whether what came ends with the last of the short lines, and since when. */
struct answering {
    const char *done; /* that line */
    int64_t done_ns;
    struct deadline deadline; /* for all of it, once it is there; for it before */
};

static bool goes_on(void *context, const struct text *out)
{
    struct answering *answering = context;
    if (!answering->done_ns && out->length && strstr(out->bytes, answering->done)) {
        answering->done_ns = moment_monotonic();
        answering->deadline = deadline_in(output_bound);
    }
    return !deadline_over(answering->deadline);
}

/* What a login shell said that did not do what it was asked to: printable, cut. */
static void add_shells_words(struct text *words, const struct text *out, const struct text *said)
{
    enum { MOST = 300 };
    const struct text *const texts[] = {said, out};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        size_t length = texts[i]->length < MOST ? texts[i]->length : MOST;
        while (length && strchr("\r\n \t", texts[i]->bytes[length - 1]))
            length--;
        if (!length)
            continue;
        text_add(words, words->length ? "; " : "");
        text_add_printable(words, texts[i]->bytes, length);
    }
}

/* Runs a script over the master. 0 with what it printed. */
static int run_over_master(struct ladder *ladder, const char *script, struct answering *answering,
                           struct text *out, struct error *err)
{
    AUTO_TEXT said = TEXT_INIT, words = TEXT_INIT;
    AUTO_ERROR failed = ERROR_INIT;
    struct child_end end = {0};
    const struct program how = {.environment = ladder->request->environment,
                                .bound_ns = deadline_left(ladder->request->deadline),
                                .keeps_output = true,
                                .goes_on = goes_on,
                                .context = answering};
    int status =
        master_run(ladder->route.control_path, ladder->request->ssh, script, &how, out, &said, &end, &failed);
    if (status < 0 && answering->done_ns)
        return fail(ladder, "output", "channel-broken", err,
                    "short output came through, long output does not: the signs of a path-MTU hole");
    add_shells_words(&words, out, &said);
    if (status < 0)
        return fail(ladder, "channel", "channel-broken", err, "%s%s%s",
                    failed.kind == ERROR_DEADLINE
                        ? "the host let the login in, but its shell did not answer within the bound"
                        : error_text(&failed),
                    words.length ? "; it said: " : "", text_string(&words));
    if (end.code != 0) {
        /* Tailscale's own SSH ends one at any instant when its rules change, also before it has answered. */
        ladder->cut =
            ladder->request->target->tailscale_ssh_accept || (end.code == 255 && answering->done_ns);
        const char *cause = end.code != 255                            ? "channel-broken"
                            : strstr(text_string(&said), "port 65535") ? "mux-lost"
                                                                       : cause_of_text(text_string(&said));
        return fail(ladder, "channel", cause ? cause : "other", err,
                    "the login shell there ended with %d where it was to become /bin/sh%s%s", end.code,
                    words.length ? ": " : " without a word", text_string(&words));
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

/* A few lines of what the host is, then 16 bytes doubled ten times, without a process. */
static char *make_script(const struct ladder *ladder, const char *id)
{
    bool find_python = !ladder->request->target->python;
    return xasprintf(
        "printf 'triphase-%%s\\nsession=%%s\\n' %s \"$XDG_SESSION_ID\"\n"
        "{ read -r b </proc/sys/kernel/random/boot_id && read -r s </proc/1/stat; } 2>/dev/null && {\n"
        "set -f; set -- ${s##*) }; set +f; printf 'boot=%%s.%%s\\n' \"$b\" \"${20}\"; }\n"
        "{ read -r s </proc/$$/stat; } 2>/dev/null && {\n"
        "set -f; set -- ${s##*) }; set +f; printf 'ticks=%%s\\n' \"${20}\"; }\n"
        "%s{ command -v sudo && command -v timeout; } >/dev/null 2>&1 && {\n"
        "case $(LC_ALL=C timeout 5 sudo -n true 2>&1 </dev/null) in *'must have a tty'*)\n"
        "printf 'sudo=tty\\n' ;; esac; }\n"
        "printf 'done=%%s\\n' %s\n"
        "x=0123456789abcde@; for i in 1 2 3 4 5 6 7 8 9 10; do x=$x$x; done; printf 'x=%%s=x' \"$x\"\n",
        id,
        find_python ? "for p in /usr/bin/python3 /usr/local/bin/python3 /usr/libexec/platform-python "
                      "/usr/bin/python3.[0-9]* /usr/bin/python \"$(command -v python3)\"; do\n"
                      "[ -x \"$p\" ] && { printf 'python=%s\\n' \"$p\"; break; }\ndone\n"
                    : "",
        id_tail(id, 12));
}

static void take_answer(struct transport_result *result, const char *lines, int64_t at_ns)
{
    AUTO_FREE char *ticks = answer_of(lines, "ticks");
    result->session = answer_of(lines, "session");
    result->boot = answer_of(lines, "boot");
    result->python = answer_of(lines, "python");
    AUTO_FREE char *sudo = answer_of(lines, "sudo");
    result->sudo_needs_tty = text_is(sudo, "tty");
    result->host_ticks = ticks ? strtoll(ticks, NULL, 10) : 0;
    result->at_ns = at_ns;
}

static int check_channel(struct ladder *ladder, struct deadline first, struct error *err)
{
    char id[ID_SIZE];
    id_make(id);
    AUTO_FREE char *script = make_script(ladder, id), *done = xasprintf("\ndone=%s\n", id_tail(id, 12));
    AUTO_TEXT answer = TEXT_INIT;
    int64_t since = moment_monotonic();
    struct answering answering = {.done = done, .deadline = first};
    if (run_over_master(ladder, script, &answering, &answer, err) < 0)
        return -1;
    /* A login shell's rc file may have printed before. */
    const char *begin = answer.bytes ? strstr(answer.bytes, id) : NULL;
    const char *lines = begin ? strchr(begin, '\n') : NULL, *end = lines ? strstr(lines, done) : NULL;
    if (!end) {
        AUTO_TEXT words = TEXT_INIT, nothing = TEXT_INIT;
        add_shells_words(&words, &answer, &nothing);
        return fail(ladder, "channel", "channel-broken", err,
                    "the login shell there did not print what it was asked to print%s%s",
                    words.length ? "; it said: " : "", text_string(&words));
    }
    int64_t answered = answering.done_ns ? answering.done_ns : moment_monotonic();
    take_answer(ladder->result, lines + 1, answered);
    put_passed(ladder, "channel", answered - since, "the host printed what it was asked");
    const char *page = strstr(end, "x=0123456789abcde@"), *page_end = page ? strstr(page, "@=x") : NULL;
    if (!page_end || page_end - page != OUTPUT_BYTES + 1)
        return fail(ladder, "output", "channel-broken", err, "%zu bytes came of %d", strlen(end),
                    OUTPUT_BYTES);
    put_passed(ladder, "output", moment_monotonic() - answered, "16384 bytes");
    return 0;
}

/* What the login took becomes part of the evidence. */
static int open_master(struct ladder *ladder, struct error *err)
{
    const struct transport_request *request = ladder->request;
    AUTO_WORDS environment = WORDS_INIT;
    master_environment(request->environment, &environment);
    const struct login_request ask = {.ssh = request->ssh,
                                      .route = &ladder->route,
                                      .log = ladder->log,
                                      .masters = request->masters,
                                      .environment = words_argv(&environment),
                                      .deadline = request->deadline,
                                      .wait = request->wait,
                                      .starting = request->starting,
                                      .tailscale_ssh = request->target->tailscale_ssh_accept};
    struct login login = {0};
    AUTO_ERROR failed = ERROR_INIT;
    int status = login_open(&ask, &login, &failed);
    ladder->attempts = login.tries;
    for (size_t i = 0; i < json_count(login.rungs); i++)
        json_append(ladder->rungs, json_keep(json_at(login.rungs, i)));
    if (status < 0 && failed.kind == ERROR_NONE) {
        free(ladder->result->rung);
        ladder->result->rung = xstrdup(login_rung_name(login.rung));
        ladder->result->cause = login.cause;
        login_error(&login, &ladder->route, request->target->name, request->kind, &failed);
    }
    login_clear(&login);
    return status < 0 ? error_move(err, &failed) : 0;
}

static void drop_master(struct ladder *ladder)
{
    (void)master_ask(ladder->route.control_path, "exit");
    (void)unlink(ladder->route.control_path);
    ladder->result->cause = NULL;
    ladder->cut = false;
}

static int open_and_check(struct ladder *ladder, struct error *err)
{
    return open_master(ladder, err) < 0 ? -1 : check_channel(ladder, ladder->request->deadline, err);
}

static int climb(struct ladder *ladder, struct error *err)
{
    const struct transport_request *request = ladder->request;
    if (!request->ssh->host)
        return fail(ladder, "tcp", "other", err, "its address is not known; was it made?");
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
    bool kept = master_socket_there(route->control_path);
    if (kept &&
        (master_ask(route->control_path, "check") < 0 ||
         check_channel(ladder, deadline_earlier(request->deadline, deadline_in(kept_bound)), NULL) < 0)) {
        drop_master(ladder);
        kept = false;
    }
    json_set_bool(ladder->result->evidence, "kept", kept);
    if (kept)
        return 0;
    AUTO_ERROR failed = ERROR_INIT;
    if (open_and_check(ladder, &failed) == 0)
        return 0;
    if (!ladder->cut || deadline_over(request->deadline))
        return error_move(err, &failed);
    /* Its rules may have changed meanwhile: a session that begins now tells what holds. */
    step_log_say("%s: tried again", error_text(&failed));
    drop_master(ladder);
    return open_and_check(ladder, err);
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
    transport_route_clear(&ladder.route);
    free(ladder.log);
    return done;
}

void transport_result_clear(struct transport_result *result)
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
        if (master_socket_there(path) && !text_is(names.items[i], SSH_AGENT_SOCKET) &&
            !text_starts(names.items[i], MASTER_FORWARD_PREFIX))
            (void)master_ask(path, "exit");
        if (!file_is_dir(path))
            (void)unlink(path);
    }
    if (rmdir(control_directory) < 0 && errno != ENOENT)
        return error_system(err, errno, "cannot remove the folder of sockets %s", control_directory);
    return 0;
}
