/* What a request's end is taken for, and what is kept of a request. */
#include "net/http_failure.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "net/http_answer.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct {
    struct http_signs signs;
    const char *url;
    bool over_socket;
    enum http_fault fault;
    enum http_step step;
} ends[] = {
    {{.fault = HTTP_FAULT_TIME}, "https://h/", false, HTTP_FAULT_TIME, HTTP_STEP_RESOLVE},
    {{.fault = HTTP_FAULT_TIME}, "http://h/", true, HTTP_FAULT_TIME, HTTP_STEP_CONNECT},
    {{.fault = HTTP_FAULT_TIME, .named_us = 5}, "https://h/", false, HTTP_FAULT_TIME, HTTP_STEP_CONNECT},
    {{.fault = HTTP_FAULT_TIME, .named_us = 5, .connects = 1},
     "https://h/",
     false,
     HTTP_FAULT_TIME,
     HTTP_STEP_TLS},
    {{.fault = HTTP_FAULT_TIME, .named_us = 5, .connected_us = 6},
     "https://h/",
     false,
     HTTP_FAULT_TIME,
     HTTP_STEP_TLS},
    {{.fault = HTTP_FAULT_TIME, .named_us = 5, .connected_us = 6, .sent_us = 7, .total_us = 9000000},
     "https://h/",
     false,
     HTTP_FAULT_TIME,
     HTTP_STEP_ANSWER},
    /* Over a connection from before. */
    {{.fault = HTTP_FAULT_TIME, .named_us = 5, .sent_us = 7, .total_us = 9000000},
     "http://h/",
     true,
     HTTP_FAULT_TIME,
     HTTP_STEP_ANSWER},
    /* Before its bound only what trickles is given up. */
    {{.fault = HTTP_FAULT_TIME, .named_us = 5, .connected_us = 6, .sent_us = 7, .total_us = 8000000},
     "http://h/",
     false,
     HTTP_FAULT_SLOW,
     HTTP_STEP_ANSWER},
    {{.fault = HTTP_FAULT_URL}, "gopher://h/", false, HTTP_FAULT_URL, HTTP_STEP_RESOLVE},
    {{.fault = HTTP_FAULT_URL, .named_us = 5, .sent_us = 7},
     "http://h/",
     false,
     HTTP_FAULT_NO_HTTP,
     HTTP_STEP_ANSWER},
    {{.fault = HTTP_FAULT_CUT, .too_much = true, .named_us = 5, .sent_us = 7},
     "http://h/",
     false,
     HTTP_FAULT_TOO_MUCH,
     HTTP_STEP_ANSWER},
    {{.fault = HTTP_FAULT_CERTIFICATE, .named_us = 5, .connected_us = 6, .verified = 10},
     "https://h/",
     false,
     HTTP_FAULT_EXPIRED,
     HTTP_STEP_TLS},
    {{.fault = HTTP_FAULT_CERTIFICATE, .named_us = 5, .connected_us = 6, .verified = 9},
     "https://h/",
     false,
     HTTP_FAULT_NOT_YET,
     HTTP_STEP_TLS},
    {{.fault = HTTP_FAULT_CERTIFICATE, .named_us = 5, .connected_us = 6, .verified = 18},
     "https://h/",
     false,
     HTTP_FAULT_CERTIFICATE,
     HTTP_STEP_TLS},
};

Test(http_failure, what_it_was_and_how_far_it_came_follows_from_the_signs)
{
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        struct http_request request = {.method = "GET",
                                       .url = ends[i].url,
                                       .unix_socket = ends[i].over_socket ? "/s" : NULL,
                                       .bound_ns = 9 * NS_PER_S};
        struct http_order order;
        http_order_fill(&request, &order);
        struct http_failure failure = http_failure_judge(&ends[i].signs, &order, 7);
        cr_expect_eq(failure.fault, ends[i].fault, "%zu: %d", i, failure.fault);
        cr_expect_eq(failure.step, ends[i].step, "%zu: %d", i, failure.step);
        cr_expect_eq(failure.size, 7);
        cr_expect_eq(http_failure_is_of_time(&failure),
                     ends[i].signs.verified == 9 || ends[i].signs.verified == 10);
        http_order_clear(&order);
    }
}

Test(http_failure, whose_clock_is_wrong_is_told_from_ninety_seconds_on)
{
    const int64_t now = INT64_C(2000000000) * NS_PER_S;
    AUTO_FREE char *none = http_failure_clock(0, now);
    AUTO_FREE char *same = http_failure_clock(now + 89 * NS_PER_S, now);
    AUTO_FREE char *ahead = http_failure_clock(now - 90 * NS_PER_S, now);
    AUTO_FREE char *behind = http_failure_clock(now + 7200 * NS_PER_S, now);
    cr_assert_null(none);
    cr_assert(strstr(same, "agrees"), "%s", same);
    cr_assert(strstr(ahead, "1m30s ahead: set it"), "%s", ahead);
    cr_assert(strstr(behind, "2h00m behind: set it"), "%s", behind);
}

Test(http_failure, a_body_of_as_much_as_it_may_have_is_taken_and_a_byte_more_is_not)
{
    AUTO_HTTP_ANSWER answer = {0};
    cr_assert(http_answer_read_body(&answer, "abcd", 4, 6));
    cr_assert(http_answer_read_body(&answer, "ef", 2, 6));
    cr_assert_not(http_answer_read_body(&answer, "g", 1, 6));
    cr_assert_str_eq(text_string(&answer.body), "abcdef");
}

Test(http_failure, of_a_request_all_bounds_are_set_and_no_user_is_named)
{
    static const struct {
        const char *url, *socket, *where;
    } places[] = {{"https://me:secret@h.example:8443/a?b@c", NULL, "h.example:8443"},
                  {"http://[fd00::1]:80", NULL, "[fd00::1]:80"},
                  {"http://h#x", NULL, "h"},
                  {"nonsense", NULL, "nonsense"},
                  {"http://local/", "/run/x.sock", "/run/x.sock"}};
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        struct http_request request = {
            .method = "GET", .url = places[i].url, .unix_socket = places[i].socket, .user = "u"};
        struct http_order order;
        http_order_fill(&request, &order);
        cr_expect_str_eq(order.where, places[i].where);
        cr_expect(order.connect_ms == 5000 && order.bound_ms == 15000 && order.slow_s == 30 &&
                  order.most == 1 << 20);
        cr_expect(words_have(&order.headers, "Authorization: Basic dTo="));
        http_order_clear(&order);
    }
    struct http_request brief = {.method = "GET", .url = "http://h/", .connect_ns = 1, .bound_ns = INT64_MAX};
    struct http_order order;
    http_order_fill(&brief, &order);
    cr_expect_eq(order.connect_ms, 1, "none is no bound to libcurl");
    cr_expect_eq(order.bound_ms, INT32_MAX);
    http_order_clear(&order);
}
