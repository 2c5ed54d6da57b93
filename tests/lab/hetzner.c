#include "lab/hetzner.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/words.h"
#include "lab/cloud_tree.h"
#include "lab/lab.h"
#include "lab/sandbox.h"
#include "net/http_ask.h"
#include "process/child.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { UP_BOUND_S = 20, END_BOUND_S = 30, ASK_BOUND_S = 20, MOST_TOLD = 64 << 20 };

struct hetzner {
    struct child child;
    int held; /* its stdin: it ends when nobody holds the other end any more */
    char *endpoint, *control;
};

/* The first line that it says. */
static char *hear(int from)
{
    struct deadline deadline = deadline_in(UP_BOUND_S * NS_PER_S);
    struct text said = TEXT_INIT;
    struct pollfd look = {.fd = from, .events = POLLIN};
    char byte = '\0';
    while (byte != '\n') {
        cr_assert(deadline_poll(&look, 1, deadline) == 1, "the API does not listen: %s", text_string(&said));
        cr_assert(read(from, &byte, 1) == 1, "the API ended: %s", text_string(&said));
        text_add_bytes(&said, &byte, byte != '\n');
    }
    return text_take(&said);
}

struct hetzner *hetzner_start(const char *const *words)
{
    static const char begin[] = "listening ";
    struct hetzner *cloud = lab_keep(xcalloc(1, sizeof *cloud));
    AUTO_WORDS argv = WORDS_INIT;
    AUTO_ERROR err = ERROR_INIT;
    int in[2], out[2];
    words_add_all(&argv, "/usr/bin/python3", "tests/lab/hetzner_api.py", "--with-stdin", "--token",
                  HETZNER_TOKEN, NULL);
    if (words)
        words_add_list(&argv, words);
    cr_assert(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    struct child_plan plan = {.argv = words_argv(&argv), .in = in[0], .out = out[1], .error = 2};
    cr_assert(child_start(&plan, &cloud->child, &err) == 0, "%s", error_text(&err));
    close(in[0]);
    close(out[1]);
    cloud->held = in[1];
    AUTO_FREE char *said = hear(out[0]);
    close(out[0]);
    cr_assert(text_starts(said, begin), "%s", said);
    cloud->endpoint = lab_keep(xstrdup(said + strlen(begin)));
    cloud->control =
        lab_keep(xasprintf("%.*s/control", (int)(strlen(cloud->endpoint) - strlen("/v1")), cloud->endpoint));
    return cloud;
}

struct hetzner *hetzner_start_hosts(const char *const *words)
{
    rig_needed();
    const char *program = getenv("TRIPHASE");
    cr_assert(program && strchr(program, '/'), "TRIPHASE must name the built program");
    AUTO_FREE char *guests =
        xasprintf("%.*s/lab/hetzner_guests", (int)(strrchr(program, '/') - program), program);
    AUTO_WORDS all = WORDS_INIT;
    words_add_all(&all, "--guests", guests, "--tree", cloud_tree_made(), NULL);
    if (words)
        words_add_list(&all, words);
    return hetzner_start(words_argv(&all));
}

const char *hetzner_endpoint(const struct hetzner *cloud)
{
    return cloud->endpoint;
}

/* What is answered with that status, in `said` (text_clear it). */
static void ask(const char *method, const char *base, const char *path, const char *body, int status,
                struct text *said)
{
    AUTO_FREE char *url = xasprintf("%s%s", base, path);
    struct http_request request = {
        .method = method,
        .url = url,
        .headers = (const char *const[]){"Authorization: Bearer " HETZNER_TOKEN, NULL},
        .body = body,
        .body_length = body ? strlen(body) : 0,
        .answer_most = MOST_TOLD,
    };
    AUTO_HTTP_ANSWER answer = {0};
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(http_ask(&request, deadline_in(ASK_BOUND_S * NS_PER_S), &answer, &err) == 0, "%s",
              error_text(&err));
    cr_assert(answer.status == status, "%s %s: %d %s", method, path, answer.status,
              text_string(&answer.body));
    text_add(said, text_string(&answer.body));
}

/* Of its control; json_free it. */
static struct json *control(struct hetzner *cloud, const char *method, const char *path, const char *body)
{
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    ask(method, cloud->control, path, body, 200, &said);
    struct json *told = json_parse(text_string(&said), said.length, &err);
    cr_assert(told != NULL, "%s", error_text(&err));
    return told;
}

void hetzner_by_hand(struct hetzner *cloud, const char *method, const char *path, const char *body,
                     int status)
{
    AUTO_TEXT said = TEXT_INIT;
    ask(method, cloud->endpoint, path, body, status, &said);
}

void hetzner_fault(struct hetzner *cloud, const char *json)
{
    json_free(control(cloud, "POST", "/faults", json));
}

void hetzner_forgive(struct hetzner *cloud)
{
    json_free(control(cloud, "DELETE", "/faults", NULL));
}

void hetzner_set(struct hetzner *cloud, const char *json)
{
    json_free(control(cloud, "PUT", "/settings", json));
}

void hetzner_vanish(struct hetzner *cloud, const char *server_name)
{
    AUTO_FREE char *path = xasprintf("/servers/%s", server_name);
    json_free(control(cloud, "DELETE", path, NULL));
}

void hetzner_preload(struct hetzner *cloud, int servers, const char *labels)
{
    AUTO_FREE char *body = xasprintf("{\"servers\": %d, \"labels\": %s}", servers, labels);
    json_free(control(cloud, "POST", "/preload", body));
}

struct json *hetzner_state(struct hetzner *cloud)
{
    return control(cloud, "GET", "/state", NULL);
}

size_t hetzner_count(struct hetzner *cloud, const char *kind)
{
    AUTO_JSON *state = hetzner_state(cloud);
    const struct json *things = json_get(state, kind);
    cr_assert(json_is_array(things), "there is no '%s'", kind);
    return json_count(things);
}

size_t hetzner_asked(struct hetzner *cloud, const char *line)
{
    AUTO_JSON *requests = control(cloud, "GET", "/requests", NULL);
    size_t count = 0;
    for (size_t i = 0; i < json_count(requests); i++) {
        const struct json *one = json_at(requests, i);
        AUTO_FREE char *whole =
            xasprintf("%s %s %d", json_get_string(one, "method", ""), json_get_string(one, "path", ""),
                      (int)json_get_integer(one, "status", 0));
        count += text_starts(whole, line);
    }
    return count;
}

void hetzner_forget_requests(struct hetzner *cloud)
{
    json_free(control(cloud, "DELETE", "/requests", NULL));
}

void hetzner_stop(struct hetzner *cloud)
{
    close(cloud->held);
    cr_assert(child_await(&cloud->child, END_BOUND_S * NS_PER_S), "the API does not end");
}
