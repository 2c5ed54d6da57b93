#include "cloud/api.h"

#include "base/digest.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "net/http_ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    ANSWER_MOST = 16 << 20,
    ASK_BOUND_S = 30,
    SECRET_BOUND_S = 30,
    WORDS_MOST = 300,
    NONSENSE_MOST = 3 /* answers in a row that are none of the API's: then something else answers there */
};

struct cloud_api {
    char *endpoint, *token;
    struct cloud_clock clock;
    int64_t server_ns;
    int requests;
    int64_t received;
    cloud_say *say;
    void *context;
};

/* ------------------------------------------------------------ opening */
static int check_token(const char *token, struct error *err)
{
    for (const char *at = token; *at; at++)
        if (*at <= ' ' || *at > '~')
            return error_set(err, ERROR_PROJECT,
                             "the cloud's token has a space, an end of line or a character that no token has:"
                             " check `token` (or HCLOUD_TOKEN)");
    return 0;
}

int cloud_api_open(const struct cloud_settings *settings, const char *directory, struct deadline deadline,
                   struct cloud_api **out, struct error *err)
{
    char variable[] = "HCLOUD_TOKEN";
    const struct secret usual = {.kind = SECRET_ENV, .where = variable, .fd = -1};
    bool given = settings->token.kind != SECRET_NONE;
    int64_t left = deadline_left(deadline), most = SECRET_BOUND_S * NS_PER_S;
    char *token = NULL;
    size_t length;
    if (secret_read_within(given ? &settings->token : &usual, directory, left < most ? left : most, &token,
                           &length, err) < 0)
        return error_prefix(err, "the cloud's token cannot be read%s",
                            given ? "" : "; give `token` in triphase.yml, or HCLOUD_TOKEN");
    if (strlen(token) != length || check_token(token, err) < 0) {
        memory_free_secret(token, length);
        return -1;
    }
    struct cloud_api *api = xcalloc(1, sizeof *api);
    *api = (struct cloud_api){.endpoint = xstrdup(settings->endpoint),
                              .token = token,
                              .clock = {.deadline = deadline}};
    *out = api;
    return 0;
}

void cloud_api_close(struct cloud_api **handle)
{
    struct cloud_api *api = TAKE(*handle);
    if (!api)
        return;
    memory_free_secret(api->token, strlen(api->token));
    free(api->endpoint);
    free(api);
}

void cloud_api_tell(struct cloud_api *api, cloud_say *say, void *context)
{
    api->say = say;
    api->context = context;
}

void cloud_api_say(const struct cloud_api *api, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *line = xvasprintf(format, args);
    va_end(args);
    if (api->say)
        api->say(api->context, line);
}

struct cloud_clock *cloud_api_clock(struct cloud_api *api)
{
    return &api->clock;
}

int64_t cloud_api_now_ns(const struct cloud_api *api)
{
    return api->server_ns;
}

int64_t cloud_api_received(const struct cloud_api *api)
{
    return api->received;
}

int cloud_api_requests(const struct cloud_api *api)
{
    return api->requests;
}

char *cloud_api_mark(const struct cloud_api *api, const char *salt)
{
    struct digest digest;
    char out[DIGEST_TEXT];
    digest_begin(&digest);
    digest_add_text(&digest, salt);
    digest_add_text(&digest, api->endpoint);
    digest_add_text(&digest, api->token);
    digest_end(&digest, out);
    return xstrdup(out);
}

/* ------------------------------------------------------------ what was answered */
int cloud_api_fail(const struct cloud_failure *failure, const char *doing, int status, const char *code,
                   const char *words, enum cloud_class *class, struct error *err)
{
    const struct cloud_class_facts *facts = cloud_class_facts(failure->class);
    AUTO_TEXT said = TEXT_INIT;
    if (status)
        text_addf(&said, "%d", status);
    if (code)
        text_addf(&said, "%s%s", said.length ? " " : "", code);
    if (words)
        text_addf(&said, "%s%s", said.length ? ": " : "", words);
    if (class)
        *class = failure->class;
    return error_set(err, facts->kind, "%s: %s%s%s%s; %s", doing, facts->means, said.length ? " (" : "",
                     text_string(&said), said.length ? ")" : "", failure->next);
}

/* A server's own word, as a message shows it; never the token, whatever it says. */
static void add_shown(const struct cloud_api *api, const char *word, struct text *out)
{
    if (strstr(word, api->token))
        text_add(out, "[it repeats the token]");
    else
        text_add_printable(out, word, strnlen(word, WORDS_MOST));
}

/* The message, and of the details what names a field or a limit. malloc'ed; NULL: it says nothing. */
static char *words_of(const struct cloud_api *api, const struct json *error)
{
    AUTO_TEXT out = TEXT_INIT;
    const struct json *details = json_get(error, "details");
    const struct json *fields = json_get(details, "fields"), *limits = json_get(details, "limits");
    add_shown(api, json_get_string(error, "message", ""), &out);
    for (size_t i = 0; json_is_array(fields) && i < json_count(fields) && out.length < WORDS_MOST; i++) {
        const struct json *field = json_at(fields, i), *messages = json_get(field, "messages");
        text_add(&out, out.length ? ", " : "");
        add_shown(api, json_get_string(field, "name", "?"), &out);
        text_add(&out, ": ");
        add_shown(api, json_is_array(messages) ? json_string(json_at(messages, 0), "") : "", &out);
    }
    for (size_t i = 0; json_is_array(limits) && i < json_count(limits) && out.length < WORDS_MOST; i++) {
        text_add(&out, out.length ? ", limit " : "limit ");
        add_shown(api, json_get_string(json_at(limits, i), "name", "?"), &out);
    }
    return out.length ? text_take(&out) : NULL;
}

/* ------------------------------------------------------------ one request */
struct call {
    const char *method, *path;
    const char *body; /* NULL: none */
    const char *doing;
    bool harmless; /* if the server acts on it twice */
    bool may_be_absent;
};

struct trial {
    struct cloud_failure failure;
    int64_t retry_after_ns; /* -1: not said */
    bool nonsense;
    struct error why;
};

static int ask(struct cloud_api *api, const struct call *call, struct http_answer *out, struct error *err)
{
    AUTO_FREE char *url = xasprintf("%s%s", api->endpoint, call->path);
    char *bearer = xasprintf("Authorization: Bearer %s", api->token);
    const char *const headers[] = {bearer, call->body ? "Content-Type: application/json" : NULL, NULL};
    struct http_request request = {.method = call->method,
                                   .url = url,
                                   .headers = headers,
                                   .body = call->body,
                                   .body_length = call->body ? strlen(call->body) : 0,
                                   .once = !call->harmless,
                                   .bound_ns = ASK_BOUND_S * NS_PER_S,
                                   .answer_most = ANSWER_MOST};
    api->requests++;
    int asked = http_ask(&request, cloud_clock_end(&api->clock), out, err);
    memory_free_secret(bearer, strlen(bearer));
    api->received += (int64_t)out->body.length;
    if (asked == 0 && out->date_ns)
        api->server_ns = out->date_ns;
    return asked;
}

static void no_answer(const struct call *call, const struct error *why, struct trial *trial)
{
    bool passes = why->kind == ERROR_UNREACHABLE;
    trial->failure = cloud_failure_of(passes ? CLOUD_TRANSIENT : CLOUD_OTHER);
    trial->failure.again = passes ? CLOUD_AGAIN_HARMLESS : CLOUD_AGAIN_NEVER;
    error_set(&trial->why, passes ? cloud_class_facts(CLOUD_TRANSIENT)->kind : why->kind,
              "%s: the cloud does not answer: %s", call->doing, error_text(why));
}

static void no_sense(const struct cloud_api *api, const struct call *call, int status, struct trial *trial)
{
    trial->nonsense = true;
    trial->failure = (struct cloud_failure){CLOUD_TRANSIENT, CLOUD_AGAIN_HARMLESS, "check `endpoint`"};
    error_set(
        &trial->why, ERROR_PROVIDER,
        "%s: what answers at %s is not the cloud's API, or its answer is cut (%d, and no JSON object): check"
        " `endpoint`, and that nothing in between wants a login",
        call->doing, api->endpoint, status);
}

static void refused(const struct cloud_api *api, const struct call *call, int status,
                    const struct json *answer, struct trial *trial)
{
    const struct json *error = json_get(answer, "error");
    const char *code = json_get_string(error, "code", NULL);
    AUTO_FREE char *words = words_of(api, error);
    AUTO_TEXT shown = TEXT_INIT;
    add_shown(api, code ? code : "", &shown);
    trial->failure = cloud_failure_judge(status, code, words);
    cloud_api_fail(&trial->failure, call->doing, status, code ? text_string(&shown) : NULL, words, NULL,
                   &trial->why);
}

/* Whether it did what was asked; else `trial` says why not. */
static bool try_once(struct cloud_api *api, const struct call *call, struct json **out, struct trial *trial)
{
    AUTO_HTTP_ANSWER answer = {.retry_after_ns = -1};
    AUTO_ERROR why = ERROR_INIT;
    *trial = (struct trial){.retry_after_ns = -1, .why = ERROR_INIT};
    if (ask(api, call, &answer, &why) < 0) {
        no_answer(call, &why, trial);
        return false;
    }
    trial->retry_after_ns = answer.retry_after_ns;
    AUTO_JSON *said = answer.body.length ? json_parse(answer.body.bytes, answer.body.length, NULL) : NULL;
    json_forget(said, "root_password");
    bool good = answer.status >= 200 && answer.status < 300;
    bool empty = answer.body.length == 0 && !text_is(call->method, "GET");
    if (call->may_be_absent && answer.status == 404 && json_is_object(json_get(said, "error")))
        return true;
    if (good && !json_is_object(said) && !empty)
        no_sense(api, call, answer.status, trial);
    else if (!good)
        refused(api, call, answer.status, said, trial);
    else
        *out = TAKE(said);
    return trial->failure.class == CLOUD_NONE;
}

/* ------------------------------------------------------------ again and again */
static const char *reason_for(const struct trial *trial)
{
    return trial->failure.class == CLOUD_RATE ? "rate limit" : cloud_class_facts(trial->failure.class)->means;
}

/* Whether there is to be another try, after the pause before it. */
static bool wait_for_another(struct cloud_api *api, const struct call *call, const struct trial *trial,
                             int tries, int nonsense)
{
    if (trial->failure.again == CLOUD_AGAIN_NEVER || nonsense >= NONSENSE_MOST ||
        (trial->failure.again == CLOUD_AGAIN_HARMLESS && !call->harmless))
        return false;
    int64_t pause = http_answer_pause(trial->retry_after_ns, cloud_clock_backoff(tries));
    if (!cloud_clock_has(&api->clock, pause))
        return false;
    AUTO_FREE char *shown = duration_show(pause);
    cloud_api_say(api, "%s (%s): again in %s", reason_for(trial), call->doing, shown);
    return cloud_clock_pause(&api->clock, pause);
}

static int give_up(const struct trial *trial, int tries, enum cloud_class *class, struct error *err)
{
    if (class)
        *class = trial->failure.class;
    return tries == 1
               ? error_set(err, trial->why.kind, "%s", error_text(&trial->why))
               : error_set(err, trial->why.kind, "%s (tried %d times)", error_text(&trial->why), tries);
}

static int call_api(struct cloud_api *api, const struct call *call, struct json **out,
                    enum cloud_class *class, struct error *err)
{
    int nonsense = 0;
    for (int tries = 1;; tries++) {
        AUTO_JSON *said = NULL;
        struct trial trial;
        if (try_once(api, call, &said, &trial)) {
            if (class)
                *class = CLOUD_NONE;
            if (out)
                *out = TAKE(said);
            return 0;
        }
        nonsense = trial.nonsense ? nonsense + 1 : 0;
        bool again = wait_for_another(api, call, &trial, tries - 1, nonsense);
        int result = again ? 0 : give_up(&trial, tries, class, err);
        error_clear(&trial.why);
        if (!again)
            return result;
    }
}

static int send(struct cloud_api *api, struct call *call, const struct json *body, struct json **out,
                enum cloud_class *class, struct error *err)
{
    AUTO_FREE char *doing = xasprintf("%s %s", call->method, call->path);
    char *text = body ? json_compact(body) : NULL;
    call->doing = doing;
    call->body = text;
    int result = call_api(api, call, out, class, err);
    memory_free_secret(text, text ? strlen(text) : 0);
    return result;
}

int cloud_api_get(struct cloud_api *api, const char *path, struct json **out, enum cloud_class *class,
                  struct error *err)
{
    struct call call = {.method = "GET", .path = path, .harmless = true};
    return send(api, &call, NULL, out, class, err);
}

int cloud_api_put(struct cloud_api *api, const char *path, const struct json *body, struct json **out,
                  enum cloud_class *class, struct error *err)
{
    struct call call = {.method = "PUT", .path = path, .harmless = true};
    return send(api, &call, body, out, class, err);
}

int cloud_api_post(struct cloud_api *api, const char *path, const struct json *body, struct json **out,
                   enum cloud_class *class, struct error *err)
{
    struct call call = {.method = "POST", .path = path};
    return send(api, &call, body, out, class, err);
}

int cloud_api_delete(struct cloud_api *api, const char *path, struct json **out, enum cloud_class *class,
                     struct error *err)
{
    struct call call = {.method = "DELETE", .path = path, .harmless = true, .may_be_absent = true};
    return send(api, &call, NULL, out, class, err);
}
