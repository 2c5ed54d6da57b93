/* Behind the removal of a host: whether its device is gone, where no API can be asked. */
#include "stage/leave_tailnet.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "web.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static char folder[64];
static char *path;

static void begin(void)
{
    memcpy(folder, "/tmp/triphase-leave.XXXXXX", sizeof("/tmp/triphase-leave.XXXXXX"));
    cr_assert(mkdtemp(folder) != NULL);
    path = file_join(folder, "tailscaled.sock");
}

static void end(void)
{
    file_remove_tree(folder, NULL);
    free(path);
}

TestSuite(leave_tailnet, .init = begin, .fini = end);

#define DAEMON(peers)                                                                                        \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"BackendState\":\"Running\",\"ControlURL\":" \
    "\"http://"                                                                                              \
    "hs.example.org\",\"TailscaleIPs\":[\"100.64.0.1\"],\"Self\":{\"HostName\":\"op\"},\"Peer\":{" peers     \
    "}}"
#define WEB                                                                                                  \
    "\"nodekey:a\":{\"ID\":\"n1\",\"HostName\":\"web\",\"DNSName\":\"web.net.\",\"TailscaleIPs\":[\"100.64." \
    "0.7\"]}"

/* "" where its device counts as gone, else the error's words. */
static char *left_of(const char *row, int64_t bound_ns)
{
    AUTO_MACHINE *machine = machine_new();
    AUTO_FREE char *whole =
        xasprintf("{\"name\": \"web\", \"login_server\": \"http://hs.example.org\", %s}", row);
    AUTO_JSON *evidence = json_new_object();
    AUTO_ERROR err = ERROR_INIT;
    machine->target = xstrdup("shop");
    machine->tailnet = json_parse(whole, strlen(whole), NULL);
    cr_assert(machine->tailnet != NULL);
    json_set_string(machine->tailnet, "socket", path);
    int status = leave_tailnet_end(NULL, NULL, machine, bound_ns, evidence, &err);
    cr_expect(status == 0 || err.kind == ERROR_PROVIDER);
    return xstrdup(status == 0 ? "" : error_text(&err));
}

#define EXPECT_LEFT(row, bound_ns, says)                                                                     \
    do {                                                                                                     \
        AUTO_FREE char *said = left_of(row, bound_ns);                                                       \
        cr_expect((says)[0] ? strstr(said, says) != NULL : !said[0], "expected '%s', got '%s'", says, said); \
    } while (0)

#define ONLINE                                                                                    \
    "\"nodekey:a\":{\"ID\":\"n1\",\"HostName\":\"web\",\"DNSName\":\"web.net.\",\"Online\":true," \
    "\"TailscaleIPs\":[\"100.64.0.7\"]}"

#define PEER    "\"address\": \"100.64.0.7\", \"seen_by\": \"peers\""
#define BY_HOST "\"address\": \"100.64.0.7\", \"seen_by\": \"host\""

Test(leave_tailnet, with_neither_API_nor_daemon_nobody_can_say_that_it_is_gone)
{
    EXPECT_LEFT(PEER, 5 * NS_PER_S, "nobody here can say whether its device web left the tailnet");
    EXPECT_LEFT(BY_HOST, 5 * NS_PER_S, "say 'triphase forget shop'");
}

Test(leave_tailnet, that_no_peer_is_it_says_something_only_of_one_that_was_a_peer)
{
    static const struct web_answer without = {.bytes = DAEMON("")};
    web_start(path, &without, 1);
    EXPECT_LEFT(PEER, 5 * NS_PER_S, "");
    EXPECT_LEFT(BY_HOST, 5 * NS_PER_S, "this machine's tailscaled never saw it among its peers");
    /* Of one that broke off before anybody had seen it, only where its host was logged out. */
    EXPECT_LEFT("\"left\": true", 5 * NS_PER_S, "");
    EXPECT_LEFT("\"left\": false", 5 * NS_PER_S, "never saw it");
}

Test(leave_tailnet, a_login_that_was_there_before_is_neither_ended_nor_asked_for)
{
    static const char row[] = "{" PEER ", \"adopted\": true}";
    const struct target target = {.name = NULL};
    AUTO_MACHINE *machine = machine_new();
    AUTO_JSON *evidence = json_new_object();
    machine->tailnet = json_parse(row, strlen(row), NULL);
    leave_tailnet_begin(&(struct host){.target = &target, .machine = machine}, NULL, machine, evidence);
    cr_expect(json_get_bool(evidence, "adopted"));
    cr_expect_null(json_get(evidence, "log_out"));
    cr_expect_not(json_get_bool(machine->tailnet, "left"));
    EXPECT_LEFT(PEER ", \"adopted\": true", 5 * NS_PER_S, "");
}

/* An ssh that comes through and whose host answers with this word. */
static void answer_over_ssh(const char *word)
{
    AUTO_FREE char *program = file_join(folder, "ssh"),
                   *script = xasprintf("#!/bin/sh\nread -r first\ncat >/dev/null\n"
                                       "printf '\\n%%s %s\\n' \"${first#nonce=}\"\n",
                                       word);
    AUTO_FREE char *search = xasprintf("%s:%s", folder, getenv("PATH"));
    cr_assert_eq(file_replace(program, script, strlen(script), 0755, NULL), 0);
    setenv("PATH", search, 1);
}

/* What a destroy keeps of its first try, for the next one. */
static bool is_noted_as_left(const char *way, const char *tried_as)
{
    static const char row[] = "{\"login_server\": \"http://hs.example.org\", " PEER "}";
    static char name[] = "web", provider[] = "static";
    struct target target = {.name = name, .provider = provider};
    AUTO_MACHINE *machine = machine_new();
    AUTO_JSON *evidence = json_new_object();
    words_add(&target.transports, way);
    machine->target = xstrdup("web");
    machine->provider = xstrdup("static");
    machine->address = text_is(way, "direct") ? xstrdup("192.0.2.7") : NULL;
    machine->tailnet = json_parse(row, strlen(row), NULL);
    json_set_string(machine->tailnet, "socket", path);
    leave_tailnet_begin(&(struct host){.target = &target, .machine = machine}, NULL, machine, evidence);
    const struct json *tried = json_get(evidence, "log_out");
    cr_expect_str_eq(json_string(json_at(tried, json_count(tried) - 1), ""), tried_as);
    words_clear(&target.transports);
    return json_get_bool(machine->tailnet, "left");
}

Test(leave_tailnet, a_host_that_says_that_it_is_still_in_is_logged_out_again_by_the_next_destroy)
{
    answer_over_ssh("in");
    cr_expect_not(is_noted_as_left("direct", "direct: it says that it is still in"));
    answer_over_ssh("out");
    cr_expect(is_noted_as_left("direct", "direct: it is out"));
    answer_over_ssh("absent");
    cr_expect(is_noted_as_left("direct", "direct: it is out"));
}

Test(leave_tailnet, one_that_stays_a_peer_is_told_at_the_bound)
{
    static const struct web_answer with = {.bytes = DAEMON(WEB)};
    web_start(path, &with, 1);
    EXPECT_LEFT(
        PEER, 3 * NS_PER_S,
        "its device web.net (100.64.0.7, no tags, not connected) is still in the tailnet: it was not");
    EXPECT_LEFT(PEER ", \"left\": true", 3 * NS_PER_S,
                "still in the tailnet although it was logged out: it joined by a key that is not ephemeral");
}

Test(leave_tailnet, one_that_goes_in_the_meantime_is_gone)
{
    static const struct web_answer with = {.bytes = DAEMON(WEB)}, without = {.bytes = DAEMON("")};
    /* The news first, which this daemon does not tell; a look is three connections. */
    const struct web_answer answers[] = {{.bytes = "HTTP/1.1 404 no\r\n\r\n"}, with, with, with, without};
    web_start(path, answers, COUNT_OF(answers));
    EXPECT_LEFT(PEER, 20 * NS_PER_S, "");
}

/* It is removed next: with its network a host loses what it had only promised to do. */
Test(leave_tailnet, a_host_that_said_that_it_will_log_out_is_waited_for_until_its_device_is_off)
{
    static const struct web_answer no_news = {.bytes = "HTTP/1.1 404 no\r\n\r\n"},
                                   online = {.bytes = DAEMON(ONLINE)};
    static const char *const off[] = {DAEMON(WEB), DAEMON("")};
    answer_over_ssh("later");
    for (size_t i = 0; i < COUNT_OF(off); i++) {
        /* The news, then two looks of three connections each. */
        const struct web_answer answers[] = {no_news, online, online, online, {.bytes = off[i]}};
        unlink(path);
        struct web *web = web_start(path, answers, COUNT_OF(answers));
        cr_expect(is_noted_as_left("tailnet", "tailnet: it said that it will"));
        cr_expect_eq(web_connections(web), 7, "%zu", web_connections(web));
    }
}
