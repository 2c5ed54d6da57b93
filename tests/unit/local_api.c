/* A tailscaled's LocalAPI, and what else may listen at its socket. The real daemon is in
 * system/tailscaled.c. */
#include "tailnet/local_api.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "web.h"

#include <criterion/criterion.h>
#include <string.h>

static char folder[64];
static char *path;

static void begin(void)
{
    memcpy(folder, "/tmp/triphase-lapi.XXXXXX", sizeof("/tmp/triphase-lapi.XXXXXX"));
    cr_assert(mkdtemp(folder));
    path = file_join(folder, "tailscaled.sock");
}

static void end(void)
{
    file_remove_tree(folder, NULL);
    free(path);
}

TestSuite(local_api, .init = begin, .fini = end);

#define OK "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

/* The error of a status asked for within so many seconds. */
static struct error refused(const struct web_answer *answer, int seconds)
{
    struct tailnet_status status;
    struct error err = ERROR_INIT;
    if (answer)
        web_start(path, answer, 1);
    int64_t since = moment_monotonic();
    cr_assert(local_api_status(path, true, deadline_in(seconds * NS_PER_S), &status, &err) < 0);
    cr_assert_lt(moment_monotonic() - since, (seconds + 1) * NS_PER_S);
    cr_assert(strstr(error_text(&err), path), "%s", error_text(&err));
    return err;
}

Test(local_api, a_status_is_asked_for_by_the_name_that_the_daemon_wants)
{
    static const struct web_answer answer = {.bytes = OK "\r\n{\"BackendState\":\"Running\",\"TUN\":true}"};
    AUTO_TAILNET_STATUS status = {0};
    AUTO_ERROR err = ERROR_INIT;
    struct web *web = web_start(path, &answer, 1);
    cr_assert(local_api_status(path, true, deadline_in(5 * NS_PER_S), &status, &err) == 0, "%s",
              error_text(&err));
    cr_assert(status.tun);
    cr_assert(strstr(web_request(web, 0), "GET /localapi/v0/status HTTP/1.1\r\n"), "%s", web_request(web, 0));
    cr_assert(strstr(web_request(web, 0), "Host: local-tailscaled.sock\r\n"), "%s", web_request(web, 0));
}

Test(local_api, nobody_there_is_a_missing_daemon)
{
    AUTO_ERROR err = refused(NULL, 2);
    cr_assert_eq(err.kind, ERROR_MISSING, "%s", error_text(&err));
    cr_assert(strstr(error_text(&err), "No such file"), "%s", error_text(&err));
}

Test(local_api, one_that_accepts_and_never_answers_is_given_up_in_time)
{
    static const struct web_answer answer = {.end = WEB_HOLD};
    AUTO_ERROR err = refused(&answer, 1);
    cr_assert_eq(err.kind, ERROR_DEADLINE, "%s", error_text(&err));
    cr_assert(strstr(error_text(&err), "does not answer within 1"), "%s", error_text(&err));
}

Test(local_api, one_whose_answer_trickles_is_given_up_in_time)
{
    static const struct web_answer answer = {.bytes = OK
                                             "Content-Length: 100\r\n\r\n{\"BackendState\":\"Running\"}",
                                             .slowly = 100,
                                             .pause_ms = 50};
    AUTO_ERROR err = refused(&answer, 1);
    cr_assert_eq(err.kind, ERROR_DEADLINE, "%s", error_text(&err));
}

Test(local_api, a_cut_answer_is_none)
{
    static const struct web_answer answer = {.bytes = OK "Content-Length: 4000\r\n\r\n{\"BackendState\":"};
    AUTO_ERROR err = refused(&answer, 2);
    cr_assert_eq(err.kind, ERROR_SYSTEM, "%s", error_text(&err));
    cr_assert(strstr(error_text(&err), "too early"), "%s", error_text(&err));
}

Test(local_api, a_refusal_is_told_with_its_words)
{
    static const struct web_answer answer = {
        .bytes = "HTTP/1.1 500 Internal Server Error\r\n\r\nno \033[31mbackend\r\nmore"};
    AUTO_ERROR err = refused(&answer, 2);
    cr_assert_eq(err.kind, ERROR_SYSTEM);
    cr_assert(strstr(error_text(&err), "refuses with 500: no \\x1b[31mbackend"), "%s", error_text(&err));
}

Test(local_api, garbage_is_no_tailscaled)
{
    static const struct web_answer answers[] = {{.bytes = "SSH-2.0-OpenSSH_9.2\r\n"},
                                                {.bytes = OK "\r\n<html>"},
                                                {.bytes = OK "\r\n{}"},
                                                {.bytes = "\r\n\r\n"},
                                                {.bytes = OK "\r\n[1, 2", .filler = 9}};
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        AUTO_ERROR err = refused(&answers[i], 2);
        cr_assert_eq(err.kind, ERROR_SYSTEM, "%zu: %s", i, error_text(&err));
        remove(path);
    }
}

Test(local_api, twenty_megabytes_are_not_taken)
{
    static const struct web_answer answer = {.bytes = OK "\r\n", .filler = 20 << 20};
    AUTO_ERROR err = refused(&answer, 5);
    cr_assert_eq(err.kind, ERROR_SYSTEM);
    cr_assert(strstr(error_text(&err), "more than it may"), "%s", error_text(&err));
}

Test(local_api, a_status_of_many_peers_is_taken_whole)
{
    AUTO_TEXT bytes = TEXT_INIT;
    AUTO_TAILNET_STATUS status = {0};
    AUTO_ERROR err = ERROR_INIT;
    text_add(&bytes, OK "\r\n{\"BackendState\":\"Running\",\"Peer\":{\"k\":{}");
    for (int i = 0; i < 20000; i++)
        text_addf(&bytes, ",\"nodekey:%d\":{\"ID\":\"%d\",\"TailscaleIPs\":[\"100.64.%d.%d\"]}", i, i,
                  i / 256, i % 256);
    text_add(&bytes, "}}");
    struct web_answer answer = {.bytes = text_string(&bytes)};
    web_start(path, &answer, 1);
    cr_assert(local_api_status(path, true, deadline_in(20 * NS_PER_S), &status, &err) == 0, "%s",
              error_text(&err));
    cr_assert_eq(status.peer_count, 20001);
    cr_assert_not_null(tailnet_status_peer(&status, "100.64.78.31"));
}

Test(local_api, the_control_server_is_read_from_the_settings)
{
    static const struct web_answer answer = {.bytes = OK "\r\n{\"ControlURL\":\"http://10.0.0.1:8080\"}"};
    AUTO_FREE char *url = NULL;
    web_start(path, &answer, 1);
    cr_assert(local_api_control_url(path, deadline_in(5 * NS_PER_S), &url, NULL) == 0);
    cr_assert_str_eq(url, "http://10.0.0.1:8080");
}

Test(local_api, a_proxy_of_the_environment_is_not_asked_for_a_socket)
{
    static const struct web_answer answer = {.bytes = OK "\r\n{\"BackendState\":\"Running\"}"};
    AUTO_TAILNET_STATUS status = {0};
    setenv("http_proxy", "http://me:mine@127.0.0.1:9", 1);
    setenv("ALL_PROXY", "http://me:mine@127.0.0.1:9", 1);
    struct web *web = web_start(path, &answer, 1);
    cr_assert(local_api_status(path, false, deadline_in(5 * NS_PER_S), &status, NULL) == 0);
    /* Nor does the daemon get what is meant for a proxy. */
    const char *request = web_request(web, 0);
    cr_assert(text_starts(request, "GET /localapi/v0/status?peers=false HTTP/1.1\r\n"), "%s", request);
    cr_assert_null(strcasestr(request, "\r\nproxy-"), "%s", request);
}
