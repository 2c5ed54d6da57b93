/* What a phase is busy with, and whether that outlives a lost connection by itself. */
#include "action/task_now.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

static void feed(struct task_now *now, const char *rest)
{
    struct line line;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *whole = xasprintf("{\"v\":1,\"seq\":1,\"t\":1,\"m\":1,\"kind\":%s}", rest);
    cr_assert_eq(line_parse(whole, strlen(whole), &line, &err), 0, "%s", error_text(&err));
    task_now_line(now, &line);
    line_free(&line);
}

static void expect_host(const struct task_now *now, const char *expected)
{
    AUTO_FREE char *host = task_now_host(now);
    cr_assert(text_is(host, expected), "%s", host ? host : "none");
}

#define PLAY    "\"play_start\",\"play\":\"p\",\"hosts_count\":3,\"hosts\":[\"a\",\"b\",\"c\"]"
#define RESULT  "\"result\",\"status\":\"ok\",\"uuid\":\"u\",\"host\":"
#define TASK(x) "\"task_start\",\"task\":\"t\",\"uuid\":\"u\",\"path\":\"x.yml:3\"" x

Test(task_now, it_names_the_task_and_the_hosts_that_have_not_reported_it)
{
    struct task_now now = {0};
    feed(&now, PLAY);
    cr_assert_null(now.task);
    feed(&now, TASK(""));
    cr_assert_str_eq(now.task, "t");
    cr_assert_str_eq(now.path, "x.yml:3");
    cr_assert_gt(now.since_ns, 0);
    expect_host(&now, "a and 2 more");
    feed(&now, RESULT "\"a\"");
    feed(&now, "\"unreachable\",\"ignored\":false,\"uuid\":\"u\",\"host\":\"c\"");
    expect_host(&now, "b");
    feed(&now, RESULT "\"b\"");
    expect_host(&now, NULL);
    feed(&now, TASK(""));
    expect_host(&now, "a and 1 more"); /* c took no further part */
    feed(&now, "\"stats\",\"hosts\":{}");
    cr_assert_null(now.task);
    task_now_free(&now);
}

Test(task_now, async_reboot_and_wait_for_connection_have_a_grace_until_all_hosts_reported)
{
    static const struct {
        const char *task;
        bool patient;
    } all[] = {
        {TASK(",\"action\":\"ansible.builtin.command\",\"async\":300,\"poll\":5"), true},
        {TASK(",\"action\":\"ansible.builtin.command\",\"async\":-1,\"poll\":-1"), true},
        {TASK(",\"action\":\"ansible.builtin.reboot\""), true},
        {TASK(",\"action\":\"reboot\""), true},
        {TASK(",\"action\":\"ansible.builtin.wait_for_connection\""), true},
        {TASK(",\"action\":\"ansible.builtin.command\""), false},
        {TASK(",\"action\":\"ansible.builtin.async_status\""), false},
        {TASK(",\"action\":\"my.own.not_reboot\""), false},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct task_now now = {0};
        feed(&now, PLAY);
        feed(&now, all[i].task);
        cr_expect_eq(now.patient, all[i].patient, "%s", all[i].task);
        feed(&now, RESULT "\"a\"");
        feed(&now, RESULT "\"b\"");
        cr_expect_eq(now.patient, all[i].patient);
        feed(&now, RESULT "\"c\"");
        cr_expect_not(now.patient);
        feed(&now, all[i].task);
        feed(&now, TASK(",\"action\":\"ansible.builtin.command\""));
        cr_expect_not(now.patient);
        task_now_free(&now);
    }
}
