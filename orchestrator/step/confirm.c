#include "step/confirm.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/marks.h"
#include "process/aside.h"

enum {
    ARM_BOUND_S = 60,    /* keeping what is so, units, disks */
    CONNECT_LEAST_S = 2, /* a new connection has at least so long to be answered, ... */
    CONNECT_MOST_S = 10, /* ... and no longer: packets may vanish without a word */
    ANSWER_BOUND_S = 15, /* and then for what it is to do: a busy host takes its time */
    AGAIN_MS = 500,      /* between two tries */
    MARGIN_S = 30,       /* a host that puts itself back answers within so long */
};

enum state {
    ARMING,   /* the host is asked to keep what is so */
    RENEWING, /* the step runs; each third of the time a new connection makes it begin anew */
    PROVING,  /* the step is over; a new connection is to disarm */
    SETTLING, /* the host has put itself back and told; it is to forget that */
    OVER,
    STATES
};

struct confirm {
    struct loop *loop;
    struct sink *sink;
    const struct scope *scope;
    const struct confirm_plan *plan;
    const char *run;
    int step;
    confirm_function *function;
    void *context;

    enum state state;
    struct timer *timer;
    struct aside *aside;
    int64_t asked_ns,
        proven_ns; /* monotonic: when the question that goes on, and the last one that came through, began */
    struct json *told;      /* what the host said when it had put itself back */
    char *words, *unproven; /* unproven: why the last try did not come through; NULL: it did */
    struct confirm_seen seen;
};

/* Notes. */

static void note(struct confirm *confirm, const char *state, const char *message)
{
    AUTO_JSON *detail = confirm_host_detail(state, confirm->plan->host.id, message, confirm->told);
    sink_note(confirm->sink, confirm->run, confirm->step, "confirm", detail);
}

static void become(struct confirm *confirm, enum confirm_became became, const char *state, char *words)
{
    free(confirm->words);
    confirm->words = words;
    confirm->seen = (struct confirm_seen){.became = became, .words = words};
    note(confirm, state, words);
}

static void become_back(struct confirm *confirm)
{
    AUTO_FREE char *time = duration_text(confirm->plan->host.time_ns);
    AUTO_FREE char *why = confirm_host_words(confirm->told);
    bool boot = text_is(json_get_string(confirm->told, "why", NULL), "boot");
    bool differs = *json_get_string(confirm->told, "difference", "") != '\0';
    char *words =
        boot ? xasprintf("the host booted before its way in was proven again, and put itself back%s%s",
                         *why ? ": " : "", why)
             : xasprintf("no new connection came through within %s, so the host put itself back; what cut it "
                         "off: %s",
                         time,
                         *why      ? why
                         : differs ? "nothing among what differs (triphase report shows it)"
                                   : "nothing that is kept differs");
    become(confirm, CONFIRM_BECAME_BACK, "rolled-back", words);
    confirm->seen.cause = boot ? "booted" : "not-confirmed";
}

/* Asking. */

static int connect_s(const struct confirm *confirm)
{
    int64_t third = confirm->plan->host.time_ns / 3 / NS_PER_S;
    return third < CONNECT_LEAST_S ? CONNECT_LEAST_S : third > CONNECT_MOST_S ? CONNECT_MOST_S : (int)third;
}

/* Until when the host may be away: its time, and what it takes to put itself back; of one that reboots the
 * boot, and the time that this began anew. */
static int64_t last_ns(const struct confirm *confirm)
{
    const struct confirm_plan *plan = confirm->plan;
    return confirm->proven_ns + plan->host.time_ns + MARGIN_S * NS_PER_S +
           (plan->boots_ns ? plan->boots_ns + plan->host.time_ns : 0);
}

static void on_answer(void *context, const char *bytes, size_t length, const struct error *failure);

static void ask(struct confirm *confirm)
{
    static const enum confirm_action actions[STATES] = {[ARMING] = CONFIRM_ARM,
                                                        [RENEWING] = CONFIRM_RENEW,
                                                        [PROVING] = CONFIRM_DISARM,
                                                        [SETTLING] = CONFIRM_SETTLE};
    int connect = confirm->state == ARMING ? CONNECT_MOST_S : connect_s(confirm);
    const struct confirm_question question = {
        .of = &confirm->plan->host,
        .action = actions[confirm->state],
        .connect_s = connect,
        .bound_ns = (confirm->state == ARMING ? ARM_BOUND_S : connect + ANSWER_BOUND_S) * NS_PER_S};
    AUTO_FREE char *marker = marks_run(confirm->run);
    AUTO_ERROR err = ERROR_INIT;
    confirm->asked_ns = moment_monotonic();
    if (aside_start(confirm->loop, confirm->scope, marker, confirm_host_ask, &question, on_answer, confirm,
                    &confirm->aside, &err) < 0)
        on_answer(confirm, "", 0, &err);
}

static void on_timer(void *context)
{
    struct confirm *confirm = context;
    if (!confirm->aside)
        ask(confirm);
}

/* What came. */

static void over(struct confirm *confirm)
{
    confirm->state = OVER;
    timer_disarm(confirm->timer);
    confirm->function(confirm->context, CONFIRM_NEWS_OVER);
}

static void next_renewal(struct confirm *confirm)
{
    int64_t due = confirm->proven_ns + confirm->plan->host.time_ns / 3 - moment_monotonic();
    timer_arm(confirm->timer, due > 0 ? due : AGAIN_MS * NS_PER_MS);
}

static void came_through(struct confirm *confirm)
{
    confirm->proven_ns = confirm->asked_ns;
    if (confirm->unproven)
        note(confirm, "proven", "a new connection came through again");
    free(TAKE(confirm->unproven));
}

static void take_arming(struct confirm *confirm, enum confirm_state state, const struct json *answer,
                        const struct error *failure)
{
    if (state == CONFIRM_ARMED) {
        AUTO_FREE char *time = duration_text(confirm->plan->host.time_ns);
        AUTO_FREE char *words = xasprintf("the host puts itself back after %s without a proven way in", time);
        came_through(confirm);
        note(confirm, "armed", words);
        confirm->seen.became = CONFIRM_BECAME_ARMED;
        confirm->state = RENEWING;
        next_renewal(confirm);
        confirm->function(confirm->context, CONFIRM_NEWS_ARMED);
        return;
    }
    AUTO_FREE char *why = failure ? xstrdup(error_text(failure)) : confirm_host_words(answer);
    char *words =
        xasprintf("the phase was not begun, since its way back cannot be kept on the host (confirm): %s%s",
                  state == CONFIRM_BUSY ? "another phase's is armed there: " : "",
                  *why ? why : "the host gave no reason");
    become(confirm,
           failure && failure->kind == ERROR_UNREACHABLE ? CONFIRM_BECAME_NO_WAY : CONFIRM_BECAME_UNARMED,
           "refused", words);
    over(confirm);
}

/* The host has put itself back: it told why, and is to forget it. */
static void take_back(struct confirm *confirm, struct json *answer)
{
    bool told = confirm->state == RENEWING;
    json_free(confirm->told);
    confirm->told = json_keep(answer);
    become_back(confirm);
    confirm->state = SETTLING;
    if (told)
        confirm->function(confirm->context, CONFIRM_NEWS_BACK);
    else
        ask(confirm);
}

static void not_through(struct confirm *confirm, const char *why)
{
    bool first = !confirm->unproven;
    free(confirm->unproven);
    confirm->unproven = xstrdup(why);
    if (first)
        note(confirm, "unproven", why);
    if (confirm->state == PROVING && moment_monotonic() > last_ns(confirm)) {
        AUTO_FREE char *time = duration_text(confirm->plan->host.time_ns);
        become(
            confirm, CONFIRM_BECAME_OPEN, "open",
            xasprintf("no new connection came through, neither within %s nor after that, when the host was "
                      "to have put itself back: %s; the next run that reaches it records what became of it",
                      time, why));
        over(confirm);
        return;
    }
    timer_arm(confirm->timer, AGAIN_MS * NS_PER_MS);
}

static void confirmed(struct confirm *confirm, const char *words)
{
    become(confirm, CONFIRM_BECAME_CONFIRMED, "confirmed", xstrdup(words));
    over(confirm);
}

static void take(struct confirm *confirm, struct json *answer, const struct error *failure)
{
    enum confirm_state state = confirm_host_state(answer);
    if (confirm->state == ARMING) {
        take_arming(confirm, state, answer, failure);
        return;
    }
    if (confirm->state == SETTLING) { /* what it told is known, and what it keeps harms nobody */
        over(confirm);
        return;
    }
    if (failure || (state != CONFIRM_RENEWED && state != CONFIRM_DISARMED && state != CONFIRM_RESTORED &&
                    state != CONFIRM_ABSENT)) {
        AUTO_FREE char *why = failure ? xstrdup(error_text(failure)) : confirm_host_words(answer);
        not_through(confirm, why);
        return;
    }
    came_through(confirm);
    if (state == CONFIRM_RESTORED)
        take_back(confirm, answer);
    else if (confirm->state == PROVING && state == CONFIRM_RENEWED)
        ask(confirm);
    else if (confirm->state == PROVING)
        confirmed(confirm, state == CONFIRM_ABSENT ? "the way in stands; the host knew of nothing to disarm"
                                                   : "the way in stands");
    else
        next_renewal(confirm);
}

static void on_answer(void *context, const char *bytes, size_t length, const struct error *failure)
{
    struct confirm *confirm = context;
    confirm->aside = NULL;
    AUTO_JSON *answer = failure ? NULL : json_parse(bytes, length, NULL);
    take(confirm, answer, failure);
}

/* From outside. */

struct confirm *confirm_begin(struct loop *loop, struct sink *sink, const struct scope *scope,
                              const struct confirm_plan *plan, const char *run, int step,
                              confirm_function *function, void *context)
{
    struct confirm *confirm = xcalloc(1, sizeof *confirm);
    *confirm = (struct confirm){.loop = loop,
                                .sink = sink,
                                .scope = scope,
                                .plan = plan,
                                .run = run,
                                .step = step,
                                .function = function,
                                .context = context,
                                .state = ARMING};
    confirm->timer = loop_timer(loop, on_timer, confirm);
    timer_arm(confirm->timer, 0);
    return confirm;
}

void confirm_pause(struct confirm *confirm)
{
    if (!confirm || confirm->state == ARMING || confirm->state == OVER)
        return;
    timer_disarm(confirm->timer);
    aside_stop(&confirm->aside);
}

bool confirm_end(struct confirm *confirm)
{
    if (!confirm || confirm->state == OVER)
        return false;
    if (confirm->state == RENEWING)
        confirm->state = PROVING;
    if (!confirm->aside) /* a question that is on its way is answered first */
        timer_arm(confirm->timer, 0);
    return true;
}

void confirm_drop(struct confirm *confirm)
{
    if (!confirm || confirm->state == OVER)
        return;
    timer_disarm(confirm->timer);
    aside_stop(&confirm->aside);
    if (confirm->state != SETTLING)
        become(confirm, CONFIRM_BECAME_OPEN, "open",
               xstrdup(
                   "the run was cancelled a second time before the way in was proven; the host puts itself "
                   "back, and the next run that reaches it records that"));
    confirm->state = OVER;
}

const struct confirm_seen *confirm_seen(const struct confirm *confirm)
{
    return confirm ? &confirm->seen : NULL;
}

void confirm_free(struct confirm **handle)
{
    struct confirm *confirm = *handle;
    *handle = NULL;
    if (!confirm)
        return;
    aside_stop(&confirm->aside);
    timer_free(&confirm->timer);
    json_free(confirm->told);
    free(confirm->words);
    free(confirm->unproven);
    free(confirm);
}
