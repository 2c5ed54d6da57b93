#include "transport/login.h"

#include "base/memory.h"
#include "base/moment.h"
#include "event/cause.h"
#include "event/step_log.h"
#include "process/program.h"
#include "transport/master_control.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TCP_BOUND_S = 10, /* for one address; ssh then begins anew, which finds a host that has come up sooner */
    LOG_MOST = 64 * 1024,
    LEAST_S = 2, /* a try with less time would only be cut off */
    KEYS_SHOWN = 4,
    CHECK_BOUND_S = 10, /* for a server that asks for a check in a browser, which nobody here makes */
};

struct attempt {
    const struct login_request *request;
    off_t from; /* its log begins there */
    int64_t since;
    bool sole; /* only one address is in question, which has until `tcp` to answer */
    struct deadline tcp, answer;
    int64_t reached[LOGIN_DONE + 1]; /* when that rung was first seen to be climbed, monotonic; 0: never */
    struct login_log log;
    bool cut;
    bool slow; /* it was connected, and what came next took longer than ssh waits for a silent host */
};

static void read_log(struct attempt *attempt)
{
    AUTO_CLOSE int fd = open(attempt->request->log, O_RDONLY | O_CLOEXEC);
    AUTO_FREE char *bytes = xmalloc(LOG_MOST);
    ssize_t count = fd < 0 ? 0 : pread(fd, bytes, LOG_MOST, attempt->from);
    enum login_rung before = attempt->log.rung;
    login_log_clear(&attempt->log);
    login_log_read(bytes, count > 0 ? (size_t)count : 0, &attempt->log);
    for (int rung = (int)before + 1; rung <= (int)attempt->log.rung; rung++)
        attempt->reached[rung] = moment_monotonic();
}

/* Its policy decides, and may ask for a check in a browser: the login would wait until somebody made it. */
static bool tailscale_may_go_on(const struct attempt *attempt)
{
    int64_t since = attempt->reached[LOGIN_AUTH];
    return attempt->request->tailscale_ssh &&
           (!since || moment_monotonic() - since < CHECK_BOUND_S * NS_PER_S);
}

static bool goes_on(void *context, const struct text *out)
{
    (void)out;
    struct attempt *attempt = context;
    read_log(attempt);
    if (attempt->request->answer_ns && attempt->log.rung <= LOGIN_BANNER && deadline_over(attempt->answer))
        return false;
    if (login_log_is_tailscale(&attempt->log) && !tailscale_may_go_on(attempt))
        return false;
    return attempt->log.rung != LOGIN_TCP || !attempt->sole || !deadline_over(attempt->tcp);
}

static void put_rung(struct json *rungs, const char *name, int64_t ns, const char *saw)
{
    struct json *entry = json_new_object();
    json_set_string(entry, "rung", name);
    if (ns >= 0)
        json_set(entry, "ms", json_new_real((double)ns / NS_PER_MS));
    if (saw)
        json_set_string(entry, "saw", saw);
    json_append(rungs, entry);
}

static void put_rungs(const struct attempt *attempt, struct json *rungs)
{
    int64_t since = attempt->since;
    for (int rung = LOGIN_TCP; rung < (int)attempt->log.rung; rung++) {
        int64_t until = attempt->reached[rung + 1];
        if (rung == LOGIN_TCP && attempt->request->route->proxy) {
            struct json *entry = json_new_object();
            json_set_string(entry, "rung", login_rung_name(LOGIN_TCP));
            json_set_string(entry, "skipped", "ssh goes through a proxy");
            json_append(rungs, entry);
        } else {
            put_rung(rungs, login_rung_name((enum login_rung)rung), until - since,
                     rung == LOGIN_BANNER     ? attempt->log.version
                     : rung == LOGIN_HOST_KEY ? attempt->log.host_key
                                              : NULL);
        }
        since = until;
    }
}

/* "; tried as USER with KEY, KEY". */
static void add_tried(struct text *out, const struct attempt *attempt)
{
    const struct words *keys = &attempt->log.keys;
    text_addf(out, "; tried as user %s with ", attempt->request->route->user);
    for (size_t i = 0; i < keys->count && i < KEYS_SHOWN; i++)
        text_addf(out, "%s%s", i ? ", " : keys->count > 1 ? "the keys " : "the key ", keys->items[i]);
    if (keys->count > KEYS_SHOWN)
        text_addf(out, " and %zu more", keys->count - KEYS_SHOWN);
    if (!keys->count)
        text_add(out, "no key, for none could be offered");
}

static const char *advice_for(const struct attempt *attempt, const char *cause)
{
    if (text_is(cause, "auth"))
        return attempt->log.keys.count > KEYS_SHOWN
                   ? "; name the one key with key:, so that no other is offered"
                   : "; see that user: and key: are right, and that the key's public part stands in that "
                     "user's authorized_keys there";
    if (text_is(cause, "penalty"))
        return "; the sshd there takes nothing from this address for a while (PerSourcePenalties), because "
               "of logins that failed or connections without one: wait until that is over, end what makes "
               "them, or name this address in its PerSourcePenaltyExemptList";
    if (text_is(cause, "tailscale-ssh"))
        return attempt->request->tailscale_ssh
                   ? "; Tailscale SSH on the host did not let in: its policy ('ssh' in the tailnet's policy "
                     "file) "
                     "has to accept this machine and that user without a check in a browser"
                   : "; port 22 of the host is answered by Tailscale SSH, which lets in by the tailnet's "
                     "policy "
                     "and not by the target's key, and may ask for a check in a browser: turn it off there "
                     "('tailscale set --ssh=false'), or say tailnet: {tailscale_ssh: accept}";
    if (attempt->log.rung == LOGIN_BANNER && text_is(cause, "reset"))
        return "; it closed the connection where its version should have come: it takes nothing from this "
               "address for a while (PerSourcePenalties), has too many logins at once (MaxStartups), or is "
               "not up yet";
    return "";
}

static void add_stderr(struct text *words, const struct text *said)
{
    AUTO_FREE char *copy = xstrdup(text_string(said));
    char *state = NULL;
    for (const char *line = strtok_r(copy, "\r\n", &state); line; line = strtok_r(NULL, "\r\n", &state)) {
        text_add(words, words->length ? "; " : "");
        text_add_printable(words, line, strlen(line));
    }
}

/* What a try that was cut off was at. */
static const char *cut_cause(const struct attempt *attempt)
{
    if (attempt->log.rung == LOGIN_TCP && !attempt->request->route->proxy)
        return "connect-timeout";
    return attempt->log.rung <= LOGIN_BANNER ? "banner-timeout" : "channel-broken";
}

/* Words about a key may be about another host's: the proxy's own logins come
 * before the host's first words. */
static bool is_on_the_way(const struct attempt *attempt)
{
    return attempt->request->route->proxy && attempt->log.rung <= LOGIN_BANNER;
}

/* A banner, or what stands in place of a version, may speak of host keys as well,
 * where none is in question. */
static const char *cause_of_words(const struct attempt *attempt, const char *words)
{
    const struct login_log *log = &attempt->log;
    const char *cause = cause_of_text(words);
    bool in_question = is_on_the_way(attempt) || (log->rung > LOGIN_BANNER && log->rung < LOGIN_AUTH);
    if (!text_is(cause, "host-key") || in_question)
        return cause;
    cause = cause_of_text(text_string(&log->said));
    return text_is(cause, "host-key") ? "other" : cause;
}

static void judge(struct attempt *attempt, const struct text *said, const struct error *failed,
                  struct login *out)
{
    static const char *const doing[] = {[LOGIN_TCP] = "connecting",
                                        [LOGIN_BANNER] = "waiting for the server's version",
                                        [LOGIN_KEY_EXCHANGE] = "exchanging keys",
                                        [LOGIN_HOST_KEY] = "looking at the host key",
                                        [LOGIN_AUTH] = "logging in",
                                        [LOGIN_DONE] = "opening the master"};
    AUTO_TEXT words = TEXT_INIT, all = TEXT_INIT;
    const struct login_log *log = &attempt->log;
    /* What a proxy says on stderr is the reason of what ssh logs behind it. */
    add_stderr(&words, said);
    if (log->said.length)
        text_addf(&words, "%s%s", words.length ? "; " : "", text_string(&log->said));
    if (log->instead.length)
        text_addf(&words, "%sin place of its version the server said '%s'", words.length ? "; " : "",
                  text_string(&log->instead));
    const char *cause = cause_of_words(attempt, text_string(&words));
    attempt->slow = log->rung > LOGIN_BANNER && strstr(text_string(&words), " timed out") != NULL;
    if ((attempt->cut || attempt->slow) && (!cause || text_is(cause, "other")))
        cause = cut_cause(attempt);
    if (text_is(cause, "reset") && attempt->request->route->proxy)
        cause = "proxy-exit";
    if (login_log_is_tailscale(log) && (!attempt->request->tailscale_ssh || log->rung == LOGIN_AUTH))
        cause = "tailscale-ssh";
    if (!cause)
        cause = "other";
    text_add(&all, text_string(&words));
    if (attempt->cut || attempt->slow) {
        AUTO_FREE char *after = duration_show(moment_monotonic() - attempt->since);
        text_addf(&all, "%sended while %s, after %s", all.length ? "; " : "", doing[log->rung], after);
    } else if (!all.length) {
        text_add(&all, failed->kind ? error_text(failed) : "ssh did not say why");
    }
    if (text_is(cause, "auth") || (log->rung == LOGIN_AUTH && !text_is(cause, "host-key")))
        add_tried(&all, attempt);
    text_add(&all, advice_for(attempt, cause));
    out->rung = text_is(cause, "auth") ? LOGIN_AUTH : text_is(cause, "host-key") ? LOGIN_HOST_KEY : log->rung;
    out->cause = cause;
    out->on_the_way = is_on_the_way(attempt);
    free(out->why);
    out->why = text_take(&all);
}

/* Only one address is in question: then ssh need not be told when to try the next. */
static bool is_numeric(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return host && (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1);
}

static int try_once(struct attempt *attempt, int slow_s, bool patient, struct login *out, struct error *err)
{
    const struct login_request *request = attempt->request;
    const struct transport_route *route = request->route;
    int64_t left = deadline_left(request->deadline);
    int left_s = (int)(left / NS_PER_S) + 1;
    bool sole = !route->proxy && is_numeric(route->hostname);
    AUTO_WORDS argv = WORDS_INIT;
    words_add_all(&argv, "ssh", "-o", "ControlMaster=yes", "-o", NULL);
    /* It counts for the server's version too, which a slow host gives late. */
    words_addf(&argv, "ConnectTimeout=%d", sole || left_s < slow_s ? left_s : slow_s);
    /* ssh takes a host for dead that says nothing for so long, also while it logs in. A host that is so slow
     * gets no shorter time as long as its master lives. */
    if (patient) {
        words_add(&argv, "-o");
        words_addf(&argv, "ServerAliveCountMax=%d", ssh_alive_count(left));
    }
    /* Before the inventory's options, so that they count: it stays by itself and for as long as the run, in
     * the scope of the run's masters, and writes down how it ends. */
    words_add_all(&argv, "-o", "ControlPersist=no", "-o", "ClearAllForwardings=yes", "-o", "LogLevel=VERBOSE",
                  "-o", "LogVerbose=" LOGIN_LOG_VERBOSE, "-E", request->log, "-f", "-N", NULL);
    if (!request->local_command)
        words_add_all(&argv, "-o", "PermitLocalCommand=no", NULL);
    words_add_list(&argv, words_argv(&request->ssh->options));
    words_add_all(&argv, "--", request->ssh->host, NULL);
    struct stat info;
    attempt->from = stat(request->log, &info) == 0 ? info.st_size : 0;
    attempt->since = moment_monotonic();
    attempt->sole = sole;
    attempt->tcp = deadline_in(TCP_BOUND_S * NS_PER_S);
    attempt->answer = deadline_in(request->answer_ns);
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR failed = ERROR_INIT;
    struct child_end end = {0};
    struct program program = {.argv = words_argv(&argv),
                              .environment = request->environment,
                              .scope = request->masters,
                              .bound_ns = left,
                              .keeps_output = true,
                              .goes_on = goes_on,
                              .context = attempt};
    out->tries++;
    int status = program_run(&program, NULL, &said, &end, &failed);
    if (status < 0 && failed.kind == ERROR_MISSING)
        return error_set(err, ERROR_MISSING,
                         "the program ssh is missing; install Debian's package openssh-client");
    read_log(attempt);
    attempt->cut = failed.kind == ERROR_DEADLINE;
    json_free(out->rungs);
    out->rungs = json_new_array();
    put_rungs(attempt, out->rungs);
    bool unwanted = login_log_is_tailscale(&attempt->log) && !request->tailscale_ssh;
    if (status == 0 && end.code == 0 && !unwanted && master_socket_there(route->control_path)) {
        out->rung = LOGIN_DONE;
        out->cause = NULL;
        return 0;
    }
    if (master_socket_there(route->control_path))
        (void)master_ask(route->control_path, "exit");
    judge(attempt, &said, &failed, out);
    return -1;
}

/* Whether another try may find it otherwise: a key that is not the machine's does not become it by waiting,
 * and a user that is refused does only while the host is still being made. */
static bool may_change(const struct login_request *request, bool first_slow, const char *cause)
{
    return (request->wait || first_slow) && !text_is(cause, "host-key") &&
           (request->starting || !cause_is_refusal(cause));
}

int login_open(const struct login_request *request, struct login *out, struct error *err)
{
    struct login known = {.rung = LOGIN_TCP};
    const char *last = NULL;
    int status = -1, slow_s = TCP_BOUND_S, alike = 0;
    bool patient = false;
    for (;;) {
        struct attempt attempt = {.request = request, .log = LOGIN_LOG_INIT};
        struct login now = {.tries = known.tries};
        AUTO_ERROR failed = ERROR_INIT;
        status = try_once(&attempt, slow_s, patient, &now, &failed);
        login_log_clear(&attempt.log);
        if (failed.kind != ERROR_NONE) {
            login_clear(&now);
            error_move(err, &failed);
            break;
        }
        /* One that was only cut off tells less than what is known, and so does what
         * comes of having been refused. */
        const char *cause = now.cause;
        bool tells_more = !attempt.cut && (!cause_is_refusal(known.cause) || cause_is_refusal(cause));
        if (status == 0 || !known.cause || tells_more) {
            login_clear(&known);
            known = now;
        } else {
            known.tries = now.tries;
            login_clear(&now);
        }
        alike = text_is(last, known.cause) ? alike + 1 : 1;
        last = known.cause;
        if (text_is(cause, "banner-timeout"))
            slow_s *= 2;
        bool first_slow = attempt.slow && !patient;
        patient |= attempt.slow;
        int64_t pause = cause_pause_ns(known.cause, alike);
        if (status == 0 || !may_change(request, first_slow, known.cause) ||
            deadline_left(request->deadline) < pause + LEAST_S * NS_PER_S)
            break;
        if (alike == 1)
            step_log_say("%s: %s: tried again", request->ssh->host, known.why);
        moment_sleep(pause);
    }
    *out = known;
    return status;
}

void login_clear(struct login *login)
{
    free(login->why);
    json_free(login->rungs);
    *login = (struct login){0};
}
