#include "tailnet/local_api.h"

#include "base/memory.h"
#include "base/moment.h"
#include "net/http_ask.h"

#include <string.h>

/* The daemon refuses another host name: it may be a browser that was lured here. */
#define BASE "http://local-tailscaled.sock/localapi/v0/"

const char *local_api_default_socket(void)
{
    return "/var/run/tailscale/tailscaled.sock";
}

static struct http_request request_of(const char *socket, const char *method, const char *url)
{
    return (struct http_request){
        .method = method,
        .url = url,
        .unix_socket = socket ? socket : local_api_default_socket(),
        .connect_ns = LOCAL_API_S * NS_PER_S,
        .bound_ns = LOCAL_API_S * NS_PER_S,
        .answer_most = LOCAL_API_STATUS_MOST,
    };
}

struct http_request local_api_status_request(const char *socket)
{
    return request_of(socket, "GET", BASE "status");
}

struct http_request local_api_prefs_request(const char *socket)
{
    return request_of(socket, "GET", BASE "prefs");
}

/* The first line of what a daemon says to a request that it refuses, as a message shows it. */
static char *said(const struct http_answer *answer)
{
    AUTO_FREE char *line = xstrndup(text_string(&answer->body), strcspn(text_string(&answer->body), "\r\n"));
    return text_shown(line);
}

static int ask(const struct http_request *request, struct deadline deadline, struct http_answer *out,
               struct error *err)
{
    AUTO_HTTP_ANSWER answer = {.retry_after_ns = -1};
    if (http_ask(request, deadline, &answer, err) < 0)
        return -1;
    if (answer.status < 200 || answer.status > 299) {
        AUTO_FREE char *words = said(&answer);
        return error_set(err, ERROR_SYSTEM, "%s: it refuses with %d: %s", request->unix_socket, answer.status,
                         words);
    }
    *out = answer;
    answer = (struct http_answer){.retry_after_ns = -1};
    return 0;
}

static int ask_json(const struct http_request *request, struct deadline deadline, struct json **out,
                    struct error *err)
{
    AUTO_HTTP_ANSWER answer = {.retry_after_ns = -1};
    AUTO_ERROR why = ERROR_INIT;
    if (ask(request, deadline, &answer, err) < 0)
        return -1;
    AUTO_JSON *value = json_parse(text_string(&answer.body), answer.body.length, &why);
    if (!json_is_object(value))
        return error_set(err, ERROR_SYSTEM, "%s: what answers there is no tailscaled: %s",
                         request->unix_socket, value ? "its answer is no object" : error_text(&why));
    *out = TAKE(value);
    return 0;
}

int local_api_status(const char *socket, bool peers, struct deadline deadline, struct tailnet_status *out,
                     struct error *err)
{
    AUTO_HTTP_ANSWER answer = {.retry_after_ns = -1};
    struct http_request request =
        request_of(socket, "GET", peers ? BASE "status" : BASE "status?peers=false");
    if (ask(&request, deadline, &answer, err) < 0)
        return -1;
    if (tailnet_status_parse(text_string(&answer.body), answer.body.length, out, err) < 0)
        return error_prefix(err, "%s: what answers there is no tailscaled", request.unix_socket);
    return 0;
}

int local_api_control_url(const char *socket, struct deadline deadline, char **out, struct error *err)
{
    AUTO_JSON *prefs = NULL;
    struct http_request request = request_of(socket, "GET", BASE "prefs");
    if (ask_json(&request, deadline, &prefs, err) < 0)
        return -1;
    *out = xstrdup(json_get_string(prefs, "ControlURL", ""));
    return 0;
}

int local_api_prefs(const char *socket, struct deadline deadline, struct json **out, struct error *err)
{
    struct http_request request = request_of(socket, "GET", BASE "prefs");
    return ask_json(&request, deadline, out, err);
}

char *local_api_ping_url(const char *address, const char *type, int size)
{
    return size > 0 ? xasprintf(BASE "ping?ip=%s&type=%s&size=%d", address, type, size)
                    : xasprintf(BASE "ping?ip=%s&type=%s", address, type);
}

struct http_request local_api_ping_request(const char *socket, const char *url)
{
    return request_of(socket, "POST", url);
}

int local_api_ping(const char *socket, const char *address, const char *type, int size,
                   struct deadline deadline, struct json **out, struct error *err)
{
    AUTO_FREE char *url = local_api_ping_url(address, type, size);
    struct http_request request = local_api_ping_request(socket, url);
    /* As long as the caller waits: a peer that is away never answers. */
    request.bound_ns = deadline_left(deadline);
    return ask_json(&request, deadline, out, err);
}

int local_api_logout(const char *socket, struct deadline deadline, struct error *err)
{
    AUTO_HTTP_ANSWER answer = {.retry_after_ns = -1};
    struct http_request request = request_of(socket, "POST", BASE "logout");
    /* It asks the control server first. */
    request.bound_ns = deadline_left(deadline);
    return ask(&request, deadline, &answer, err);
}
