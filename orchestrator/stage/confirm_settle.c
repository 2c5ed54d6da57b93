#include "stage/confirm_settle.h"

#include "base/deadline.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "event/step_log.h"
#include "stage/confirm_host.h"

enum { CONNECT_S = 5, TRY_S = 20, PAUSE_MS = 500 };

/* A host that puts itself back at this moment may not answer at once. */
static int ask(const struct confirm_host *of, struct deadline deadline, struct json **answer,
               struct error *err)
{
    for (;;) {
        AUTO_TEXT out = TEXT_INIT;
        AUTO_ERROR failed = ERROR_INIT;
        const struct confirm_question question = {of, CONFIRM_SETTLE, CONNECT_S, TRY_S * NS_PER_S};
        if (confirm_host_ask(&question, &out, &failed) == 0) {
            *answer = json_parse(text_string(&out), out.length, err);
            return *answer ? 0 : -1;
        }
        if (failed.kind != ERROR_UNREACHABLE || deadline_left(deadline) < NS_PER_S)
            return error_move(err, &failed);
        step_log_say("%s; trying again", error_text(&failed));
        moment_sleep(PAUSE_MS * NS_PER_MS);
    }
}

static int settle_one(const struct confirm_host *of, const struct json *asked, struct deadline deadline,
                      struct json *settled, struct text *warning, struct error *err)
{
    AUTO_JSON *answer = NULL;
    const char *run = json_get_string(asked, "run", "");
    if (ask(of, deadline, &answer, err) < 0)
        return -1;
    enum confirm_state state = confirm_host_state(answer);
    AUTO_FREE char *said = confirm_host_words(answer);
    if (state != CONFIRM_RESTORED && state != CONFIRM_ABSENT)
        return error_set(err, ERROR_PROVIDER,
                         "what a phase of run %s left armed on the host cannot be settled: %s", id_shown(run),
                         *said ? said : "it gave no reason");
    bool back = state == CONFIRM_RESTORED;
    AUTO_FREE char *message =
        back ? xasprintf("nobody confirmed it, so the host put itself back; what was new: %s",
                         *said ? said : "see the difference")
             : xstrdup("the host knows nothing of it any more");
    struct json *entry = json_new_object();
    json_set_string(entry, "run", run);
    json_set_integer(entry, "step", json_get_integer(asked, "step", 0));
    json_set(entry, "detail", confirm_host_detail(back ? "rolled-back" : "gone", of->id, message, answer));
    json_append(settled, entry);
    if (back)
        text_addf(warning, "%sof run %s: %s", warning->length ? "; " : "", id_shown(run), message);
    return 0;
}

int confirm_settle(const struct host *host, const struct json *request, struct json *result,
                   struct error *err)
{
    const struct json *list = json_get(request, "confirm");
    struct deadline deadline = deadline_in(json_get_integer(request, "bound_ns", 30 * NS_PER_S));
    struct json *settled = json_new_array();
    AUTO_TEXT warning = TEXT_INIT;
    struct confirm_host of = {.host = *host};
    json_set(result, "settled", settled);
    if (transport_from(json_get_string(request, "transport", ""), &of.kind) < 0)
        return error_set(err, ERROR_SYSTEM, "a look at the host needs a transport");
    for (size_t i = 0; i < json_count(list); i++) {
        of.id = json_get_string(json_at(list, i), "id", "-");
        if (settle_one(&of, json_at(list, i), deadline, settled, &warning, err) < 0)
            return -1;
    }
    if (warning.length) {
        json_set_string(result, "warning", text_string(&warning));
        json_set_string(result, "cause", "rolled-back");
    }
    return 0;
}
