#include "stage/host_ready.h"

#include "base/deadline.h"
#include "base/embedded.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/ready_step.h"
#include "event/cause.h"
#include "event/step_log.h"
#include "stage/cloud_init.h"
#include "stage/host_script.h"

#include <string.h>

enum {
    LATE_S = 3,      /* for the way back of an answer that took the whole bound */
    LASTING_S = 5,   /* a connection that stood so long stood; the next may take its time to come back */
    PAUSE_S = 1,     /* between two tries, at least */
    REFUSED_S = 3,   /* before a login that was refused is tried again: its key may come */
    GOING_DOWN_S = 2 /* a host that was told to reboot answers still */
};

static const char not_ready[] = "not-ready";

struct waiting {
    const struct host *host;
    const struct ready_step *step;
    enum transport_kind kind;
    struct deadline deadline;
    struct json *result, *evidence;
    const char *cause; /* of a failure; static */
};

static int make_script(const char *kind, const struct ready_step *step, const char *nonce, int64_t left,
                       struct text *script, struct error *err)
{
    const struct embedded_file *file = embedded_find("host/ready.sh");
    if (!file)
        return error_set(err, ERROR_SYSTEM, "this program was built without host/ready.sh; build it again");
    int64_t budget = left / NS_PER_S;
    text_addf(script, "nonce=%s kind=%s budget=%lld\nset --", nonce, kind,
              (long long)(budget > 0 ? budget : 1));
    for (size_t i = 0; i < step->command.count; i++) {
        text_add_char(script, ' ');
        text_add_shell_word(script, step->command.items[i]);
    }
    text_add_char(script, '\n');
    text_add_bytes(script, file->bytes, file->size);
    return 0;
}

static bool as_login_user(const struct ready_step *step)
{
    return step->kind == READY_USER || step->kind == READY_COMMAND;
}

/* One connection, one answer. */
static int ask_once(struct waiting *waiting, const char *kind, struct ready_answer *answer, struct error *err)
{
    char nonce[ID_SIZE];
    AUTO_TEXT script = TEXT_INIT, out = TEXT_INIT;
    int64_t left = deadline_left(waiting->deadline);
    const struct host_script how = {.host = *waiting->host,
                                    .kind = waiting->kind,
                                    .as_login_user = as_login_user(waiting->step),
                                    .says_more = true,
                                    .bound_ns = left + LATE_S * NS_PER_S};
    id_make(nonce);
    if (make_script(kind, waiting->step, nonce, left, &script, err) < 0 ||
        host_script_run(&how, text_string(&script), &out, NULL, &waiting->cause, err) < 0)
        return -1;
    ready_answer_clear(answer);
    return ready_answer_read(text_string(&out), out.length, nonce, answer, err);
}

/* Whether it is of use to ask again: the host may be rebooting by itself, and a key may be on its way. */
static bool may_come_back(const struct waiting *waiting, enum error_kind kind)
{
    return kind == ERROR_UNREACHABLE &&
           (!cause_is_refusal(waiting->cause) || waiting->step->kind == READY_USER);
}

static int64_t pause_of(const struct waiting *waiting, int tries)
{
    int64_t pause = cause_pause_ns(waiting->cause, tries), least = PAUSE_S * NS_PER_S;
    if (cause_is_refusal(waiting->cause))
        least = REFUSED_S * NS_PER_S;
    return pause > least ? pause : least;
}

/* A host that goes away has as long to come back as one that was just made. */
static int ask(struct waiting *waiting, const char *kind, struct ready_answer *answer, struct error *err)
{
    int64_t away_ns = waiting->host->target->ready_ns;
    struct deadline back = deadline_earlier(waiting->deadline, deadline_in(away_ns));
    for (int tries = 1;; tries++) {
        AUTO_ERROR failed = ERROR_INIT;
        int64_t began = moment_monotonic();
        if (ask_once(waiting, kind, answer, &failed) == 0)
            return 0;
        if (!may_come_back(waiting, failed.kind))
            return error_move(err, &failed);
        if (moment_monotonic() - began > LASTING_S * NS_PER_S && !waiting->cause) {
            back = deadline_earlier(waiting->deadline, deadline_in(away_ns));
            tries = 1;
        }
        int64_t pause = pause_of(waiting, tries);
        if (deadline_left(back) < pause + NS_PER_S)
            return error_move(err, &failed);
        step_log_say("%s; trying again", error_text(&failed));
        moment_sleep(pause);
    }
}

static char *join(const struct words *said)
{
    return words_join(said, "; ");
}

/* A word in quotes; a command has its own. */
static char *named(const struct ready_step *step)
{
    AUTO_FREE char *shown = ready_step_shown(step);
    return step->kind == READY_COMMAND ? TAKE(shown) : xasprintf("'%s'", shown);
}

static int fail(struct waiting *waiting, struct error *err, const char *what, const struct words *said)
{
    AUTO_FREE char *why = join(said), *shown = named(waiting->step);
    waiting->cause = not_ready;
    return error_set(err, ERROR_PROVIDER, "%s of 'ready' %s%s%s", shown, what, *why ? ": " : "", why);
}

static int fail_late(struct waiting *waiting, struct error *err, const struct words *said)
{
    AUTO_FREE char *within = duration_show(waiting->step->within_ns);
    AUTO_FREE char *what = xasprintf("did not hold within %s", within);
    return fail(waiting, err, what, said);
}

static void warn(struct waiting *waiting, const char *cause, const char *what, const struct words *said)
{
    AUTO_FREE char *why = join(said);
    AUTO_FREE char *warning = xasprintf("%s%s%s", what, *why ? ": " : "", why);
    json_set_string(waiting->result, "warning", warning);
    json_set_string(waiting->result, "cause", cause);
    step_log_say("warning: %s", warning);
}

/* What each of them is called where it is not there, and what its warning says. */
static const struct {
    const char *absent, *warning;
} words_of[] = {
    [READY_CLOUD_INIT] = {"is not installed there", ""},
    [READY_APT] = {"is not there: the host has no apt-get", ""},
    [READY_REBOOT] = {"", "the host was rebooted"},
    [READY_SYSTEMD] = {"is not there: no systemd runs the host", "the system is degraded, units that failed"},
    [READY_USER] = {"", ""},
    [READY_COMMAND] = {"", ""},
};

static int absent(struct waiting *waiting, struct error *err)
{
    const char *words = words_of[waiting->step->kind].absent;
    if (!waiting->step->by_default)
        return error_set(err, ERROR_PROVIDER, "'%s' of 'ready' %s; take it out of 'ready', or install it",
                         ready_step_name(waiting->step->kind), words);
    step_log_say("%s %s: passed over", ready_step_name(waiting->step->kind), words);
    return 0;
}

static int judge_cloud_init(struct waiting *waiting, const struct ready_answer *answer, struct error *err)
{
    AUTO_WORDS why = WORDS_INIT;
    json_set(waiting->result, "samples", cloud_init_stages(answer, moment_wall()));
    if (answer->state == READY_LATE) {
        AUTO_FREE char *busy = cloud_init_busy(answer);
        if (busy)
            words_addf(&why, "it is in %s", busy);
        return fail_late(waiting, err, &why);
    }
    if (cloud_init_failed(answer, &why))
        return fail(waiting, err, "failed", &why);
    if (cloud_init_degraded(answer, &why))
        warn(waiting, "degraded", "cloud-init came through with errors that it recovered from", &why);
    return 0;
}

/* The password may be one that can be read only once, and Ansible is to have it. */
static bool asks_for_given_password(const struct waiting *waiting, const struct ready_answer *answer)
{
    return waiting->step->kind == READY_USER && waiting->host->target->become_password.kind != SECRET_NONE &&
           answer->said.count && strstr(answer->said.items[0], "password");
}

static int judge(struct waiting *waiting, const struct ready_answer *answer, struct error *err)
{
    for (size_t i = 0; i < answer->said.count; i++)
        step_log_say("%s", answer->said.items[i]);
    switch (answer->state) {
    case READY_ABSENT: {
        int status = absent(waiting, err);
        waiting->cause = status < 0 ? not_ready : NULL;
        return status;
    }
    case READY_OFF:
        step_log_say("%s is switched off there: nothing to wait for", ready_step_name(waiting->step->kind));
        return 0;
    case READY_FAILED:
        if (asks_for_given_password(waiting, answer)) {
            step_log_say("sudo asks for a password; become_password is given, and was not tried");
            return 0;
        }
        return fail(waiting, err, "does not hold", &answer->said);
    case READY_GOING:
        return fail(waiting, err, "does not hold", &answer->said);
    case READY_WARNED:
        warn(waiting, "degraded", words_of[waiting->step->kind].warning, &answer->said);
        return 0;
    case READY_OK:
    case READY_LATE:
        break;
    }
    if (waiting->step->kind == READY_CLOUD_INIT)
        return judge_cloud_init(waiting, answer, err);
    return answer->state == READY_LATE ? fail_late(waiting, err, &answer->said) : 0;
}

/* Until it answers in another boot. */
static int come_back(struct waiting *waiting, const char *boot, struct ready_answer *answer,
                     struct error *err)
{
    for (int tries = 1;; tries++) {
        AUTO_ERROR failed = ERROR_INIT;
        AUTO_WORDS why = WORDS_INIT;
        moment_sleep((tries == 1 ? GOING_DOWN_S : PAUSE_S) * NS_PER_S);
        bool answered = ask_once(waiting, "rebooted", answer, &failed) == 0;
        if (answered && answer->boot && !text_is(answer->boot, boot))
            return 0;
        if (!answered && failed.kind != ERROR_UNREACHABLE)
            return error_move(err, &failed);
        if (deadline_left(waiting->deadline) > 2 * PAUSE_S * NS_PER_S)
            continue;
        if (answered) {
            words_add(&why, "it was told to reboot, and is in the same boot still");
            return fail_late(waiting, err, &why);
        }
        error_move(err, &failed);
        return error_prefix(err, "the host was rebooted and did not come back");
    }
}

static int reboot(struct waiting *waiting, struct ready_answer *answer, struct error *err)
{
    AUTO_FREE char *boot = xstrdup_or_null(answer->boot);
    AUTO_FREE char *why = join(&answer->said);
    step_log_say("rebooting: %s", why);
    json_set_bool(waiting->result, "rebooted", true);
    json_set_string(waiting->evidence, "from", boot);
    if (come_back(waiting, boot, answer, err) < 0)
        return -1;
    json_set_string(waiting->evidence, "to", answer->boot);
    step_log_say("it is back");
    return judge(waiting, answer, err);
}

static int wait_for(struct waiting *waiting, struct error *err)
{
    AUTO_READY_ANSWER answer = READY_ANSWER_INIT;
    AUTO_FREE char *shown = named(waiting->step), *within = duration_show(waiting->step->within_ns);
    step_log_say("waiting for %s, at most %s", shown, within);
    if (ask(waiting, ready_step_name(waiting->step->kind), &answer, err) < 0)
        return -1;
    if (waiting->step->kind == READY_REBOOT && answer.state == READY_GOING)
        return reboot(waiting, &answer, err);
    return judge(waiting, &answer, err);
}

int host_ready_wait(const struct host *host, const struct json *request, struct json *result,
                    struct error *err)
{
    size_t at = (size_t)json_get_integer(request, "ready_at", 0);
    if (at >= host->target->ready_count)
        return error_set(err, ERROR_PROJECT, "the files' 'ready' changed while the run was under way");
    struct waiting waiting = {.host = host,
                              .step = &host->target->ready[at],
                              .kind = TRANSPORT_DIRECT,
                              .deadline = deadline_in(json_get_integer(request, "bound_ns", 0)),
                              .result = result,
                              .evidence = json_new_object()};
    (void)transport_from(json_get_string(request, "transport", ""), &waiting.kind);
    int status = wait_for(&waiting, err);
    if (status < 0)
        json_set_string(result, "cause", waiting.cause);
    json_set(result, "evidence", waiting.evidence);
    return status;
}
