#include "stage/sweep.h"

#include "base/deadline.h"
#include "base/embedded.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/layout.h"
#include "config/marks.h"
#include "event/cause.h"
#include "process/program.h"
#include "stage/sweep_answer.h"
#include "transport/route.h"

#include <string.h>

enum {
    CONNECT_FIRST_S = 3,
    CONNECT_MOST_S = 10,
    ANSWER_LIMIT = 64 * 1024,
    WORDS_MOST = 300,
    ROUND_S = 20,     /* one connection of those that wait for async jobs */
    ENDING_S = 3,     /* after the grace: KILL, the last look, the answer's way back */
    MASTERS_MS = 500, /* KILL takes a few milliseconds */
};

struct question {
    const struct json *request, *looks; /* looks: NULL: none */
    size_t look_count;
    struct ssh_arguments ssh;
    struct deadline deadline;
    int wait_s; /* how long the host waits for async jobs before it answers */
};

void sweep_drop_masters(const char *run)
{
    struct scope masters = {.fd = -1};
    /* Without a cgroup the marker would name the whole run: they are asked to end then. */
    if (marks_open_masters(run, &masters, NULL) == 0) {
        if (masters.kind == SCOPE_CGROUP && scope_end(&masters, MASTERS_MS * NS_PER_MS, NULL) == 0)
            /* Linux 6.18 kills what is cloned into a cgroup that was killed before: the
             * next masters get a new one. */
            scope_remove(&masters, NULL);
        scope_close(&masters);
    }
    for (int kind = 0; kind < TRANSPORT_KINDS; kind++) {
        AUTO_FREE char *sockets = layout_sockets(run, (enum transport_kind)kind);
        transport_close_masters(sockets, NULL);
    }
}

/* Only what triphase itself makes such words of reaches the host's shell. */
static bool is_plain(const char *word)
{
    return *word &&
           word[strspn(word, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-")] == '\0';
}

static int add_look(const struct json *look, struct text *script, struct error *err)
{
    const char *run = json_get_string(look, "run", ""), *session = json_get_string(look, "session", "-"),
               *boot = json_get_string(look, "boot", "-"), *since = json_get_string(look, "since", "-");
    if (!is_plain(run) || strlen(run) != ID_SIZE - 1 || !is_plain(session) || !is_plain(boot) ||
        since[strspn(since, "0123456789+-")])
        return error_set(err, ERROR_SYSTEM, "a step to be looked for has no proper marks");
    text_addf(script, " %s/%02d/%s/%s/%s", run, (int)json_get_integer(look, "step", 0), session, boot, since);
    return 0;
}

static int make_script(const struct question *question, const char *nonce, struct text *script,
                       struct error *err)
{
    const struct embedded_file *file = embedded_find("host/sweep.sh");
    const char *root = json_get_string(question->request, "root_run", "");
    const struct json *chain = json_get(question->request, "chain");
    if (!file)
        return error_set(err, ERROR_SYSTEM, "this program was built without its sweep; build it again");
    bool known = is_plain(root) && json_count(chain);
    for (size_t i = 0; i < json_count(chain); i++)
        known = known && is_plain(json_string(json_at(chain, i), ""));
    if (!known)
        return error_set(err, ERROR_SYSTEM, "a look at the host needs the run's id");
    int64_t grace = json_get_integer(question->request, "grace_ns", 20 * NS_PER_S),
            budget = deadline_left(question->deadline) - ENDING_S * NS_PER_S;
    text_addf(script, "nonce=%s root=%s runs='", nonce, root);
    for (size_t i = 0; i < json_count(chain); i++)
        text_addf(script, " %s", json_string(json_at(chain, i), ""));
    text_addf(script, "' grace=%lld budget=%lld wait=%d looks='",
              (long long)((grace + NS_PER_S - 1) / NS_PER_S), (long long)(budget > 0 ? budget / NS_PER_S : 0),
              question->wait_s);
    for (size_t i = 0; i < question->look_count; i++)
        if (add_look(json_at(question->looks, i), script, err) < 0)
            return -1;
    text_add(script, " '\n");
    text_add_bytes(script, file->bytes, file->size);
    return 0;
}

/* One connection, one answer. */
static int ask_once(const struct question *question, int connect_s, struct sweep_answer *answer,
                    const char **cause, struct error *err)
{
    *cause = NULL;
    char nonce[ID_SIZE];
    id_make(nonce);
    AUTO_TEXT script = TEXT_INIT;
    if (make_script(question, nonce, &script, err) < 0)
        return -1;
    AUTO_WORDS argv = WORDS_INIT;
    words_add(&argv, "ssh");
    words_add(&argv, "-o");
    words_addf(&argv, "ConnectTimeout=%d", connect_s);
    words_add_all(&argv, "-o", "ClearAllForwardings=yes", "-o", "LogLevel=ERROR", "-T", NULL);
    words_add_list(&argv, words_argv(&question->ssh.options));
    /* Root sees and may end everything; sudo is asked only whether it works without a question. One line
     * without '!': the login shell may be a csh. */
    words_add_all(&argv, "--", question->ssh.host,
                  "exec /bin/sh -c 'case $(id -u) in 0) ;; *) sudo -n true </dev/null >/dev/null 2>&1 "
                  "&& exec sudo -n /bin/sh ;; esac; exec /bin/sh'",
                  NULL);
    AUTO_TEXT out = TEXT_INIT, said = TEXT_INIT;
    AUTO_ERROR failed = ERROR_INIT;
    struct child_end end = {0};
    struct program program = {.argv = words_argv(&argv),
                              .input = text_string(&script),
                              .bound_ns = deadline_left(question->deadline),
                              .output_limit = ANSWER_LIMIT};
    if (program_run(&program, &out, &said, &end, &failed) < 0)
        return failed.kind == ERROR_DEADLINE
                   ? error_set(err, ERROR_UNREACHABLE, "the host did not answer within the bound")
                   : error_move(err, &failed);
    if (end.code == 255) {
        AUTO_TEXT shown = TEXT_INIT;
        size_t length = said.length;
        while (length && strchr("\r\n \t", said.bytes[length - 1]))
            length--;
        text_add_printable(&shown, text_string(&said), length < 300 ? length : 300);
        *cause = cause_of_text(text_string(&said));
        return error_set(err, ERROR_UNREACHABLE, "no connection to the host: %s",
                         shown.length ? text_string(&shown) : "ssh did not say why");
    }
    if (sweep_answer_read(text_string(&out), out.length, nonce, question->look_count, answer, err) == 0)
        return 0;
    /* A login shell that cannot be used tells so in words of its own. */
    AUTO_TEXT words = TEXT_INIT;
    const struct text *told = said.length ? &said : &out;
    text_add_printable(&words, text_string(told), told->length < WORDS_MOST ? told->length : WORDS_MOST);
    return words.length && end.code != 0
               ? error_set(err, ERROR_SYSTEM, "%s; the login shell there ended with %d: %s", error_text(err),
                           end.code, text_string(&words))
               : -1;
}

static int ask(const struct question *question, struct sweep_answer *answer, const char **cause,
               struct error *err)
{
    struct deadline connected =
        deadline_earlier(question->deadline,
                         deadline_in(json_get_integer(question->request, "connect_ns", INT64_MAX)));
    int connect_s = CONNECT_FIRST_S;
    AUTO_ERROR known = ERROR_INIT;
    const char *known_cause = NULL;
    for (int tries = 1;; tries++) {
        AUTO_ERROR failed = ERROR_INIT;
        if (ask_once(question, connect_s, answer, cause, &failed) == 0)
            return 0;
        /* What is known is not overwritten by a try that was only cut off. */
        if (failed.kind != ERROR_UNREACHABLE || *cause || known.kind == ERROR_NONE) {
            error_move(&known, &failed);
            known_cause = *cause;
        }
        int64_t pause = cause_pause_ns(known_cause, tries);
        if (deadline_left(connected) < pause + NS_PER_S || known.kind != ERROR_UNREACHABLE ||
            cause_is_refusal(known_cause)) {
            *cause = known_cause;
            return error_move(err, &known);
        }
        /* The time counts for the server's version too, which a slow host gives late. */
        connect_s *= 2;
        if (connect_s > CONNECT_MOST_S && !text_is(known_cause, "banner-timeout"))
            connect_s = CONNECT_MOST_S;
        moment_sleep(pause);
    }
}

static int prepare(const struct host *host, const struct json *request, struct question *out,
                   struct error *err)
{
    enum transport_kind kind;
    if (transport_from(json_get_string(request, "transport", ""), &kind) < 0)
        return error_set(err, ERROR_SYSTEM, "a look at the host needs the transport that the step had");
    *out = (struct question){.request = request, .ssh = SSH_ARGUMENTS_INIT};
    out->deadline = deadline_in(json_get_integer(request, "bound_ns", 30 * NS_PER_S));
    /* A host may be slow to log in: the stage's bound is enough. */
    return ssh_arguments_make(host->machine, host->target, kind, NULL, host->agent_directory,
                              SSH_ALIVE_INTERVAL, ssh_alive_count(deadline_left(out->deadline)), &out->ssh,
                              err);
}

static void put_answer(struct json *result, const struct json *asked, const struct sweep_answer *answer)
{
    struct json *looks = json_new_array(), *ids = json_new_array();
    for (size_t i = 0; i < answer->look_count; i++) {
        struct json *look = json_new_object();
        AUTO_FREE char *evidence = sweep_answer_evidence(answer, i);
        json_set_string(look, "run", json_get_string(json_at(asked, i), "run", NULL));
        json_set_integer(look, "step", json_get_integer(json_at(asked, i), "step", 0));
        json_set_integer(look, "left", answer->looks[i].left);
        json_set_string(look, "evidence", evidence);
        json_append(looks, look);
    }
    for (int i = 0; i < answer->id_count; i++)
        json_append(ids, json_new_string(answer->ids[i]));
    json_set(result, "looks", looks);
    json_set_integer(result, "jobs", answer->jobs);
    json_set(result, "job_ids", ids);
}

int sweep_host(const struct host *host, const struct json *request, struct json *result, struct error *err)
{
    struct question question;
    if (prepare(host, request, &question, err) < 0)
        return -1;
    question.looks = json_get(request, "looks");
    question.look_count = json_count(question.looks);
    if (question.look_count > SWEEP_LOOKS_MOST)
        question.look_count = SWEEP_LOOKS_MOST;
    struct sweep_answer answer;
    const char *cause = NULL;
    int status = ask(&question, &answer, &cause, err);
    ssh_arguments_clear(&question.ssh);
    if (status < 0)
        json_set_string(result, "cause", cause);
    else
        put_answer(result, question.looks, &answer);
    return status;
}

int sweep_await_jobs(const struct host *host, const struct json *request, struct json *result,
                     struct error *err)
{
    struct question question;
    if (prepare(host, request, &question, err) < 0)
        return -1;
    int status = 0;
    struct sweep_answer answer = {.jobs = 1};
    while (status == 0 && answer.jobs > 0) {
        int64_t left = deadline_left(question.deadline) / NS_PER_S - ENDING_S;
        const char *cause = NULL;
        question.wait_s = left < ROUND_S ? (int)left : ROUND_S;
        status = left <= 0
                     ? error_set(err, ERROR_DEADLINE,
                                 "%d async job(s) of the run had not ended by the deadline", answer.jobs)
                     : ask(&question, &answer, &cause, err);
        if (cause)
            json_set_string(result, "cause", cause);
    }
    ssh_arguments_clear(&question.ssh);
    return status;
}
