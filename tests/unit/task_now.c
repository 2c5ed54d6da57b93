/* What a phase is busy with, and whether that outlives a lost connection by itself. */
#include "event/task_now.h"

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
    line_clear(&line);
}

static void expect_hosts(const struct task_now *now, const char *expected)
{
    AUTO_FREE char *hosts = task_now_hosts(now, task_now_oldest(now));
    cr_assert(text_is(hosts, expected), "%s", hosts ? hosts : "none");
}

#define PLAY        "\"play_start\",\"play\":\"p\",\"hosts_count\":3,\"hosts\":[\"a\",\"b\",\"c\"]"
#define RESULT      "\"result\",\"status\":\"ok\",\"uuid\":\"u\",\"host\":"
#define ABOUT(x)    "\"task\":\"t\",\"uuid\":\"u\",\"path\":\"x.yml:3\"" x
#define TASK(x)     "\"task_start\"," ABOUT(x)
#define START(h, x) "\"host_start\",\"host\":\"" h "\"," ABOUT(x)

Test(task_now, it_names_the_task_and_the_hosts_that_have_not_reported_it)
{
    struct task_now now = {0};
    feed(&now, PLAY);
    cr_assert_null(task_now_oldest(&now));
    feed(&now, TASK(""));
    cr_assert_str_eq(task_now_oldest(&now)->task, "t");
    cr_assert_str_eq(task_now_oldest(&now)->path, "x.yml:3");
    cr_assert_gt(task_now_oldest(&now)->since_ns, 0);
    expect_hosts(&now, NULL);
    feed(&now, START("a", ""));
    feed(&now, START("b", ""));
    feed(&now, START("c", ""));
    expect_hosts(&now, "a and 2 more");
    feed(&now, RESULT "\"a\"");
    feed(&now, "\"unreachable\",\"ignored\":false,\"uuid\":\"u\",\"host\":\"c\"");
    expect_hosts(&now, "b");
    feed(&now, RESULT "\"b\"");
    cr_assert_null(task_now_oldest(&now));
    feed(&now, TASK(""));
    feed(&now, RESULT "\"a\""); /* a task that no worker had, as meta is */
    cr_assert_null(task_now_oldest(&now));
    feed(&now, START("a", ""));
    feed(&now, "\"stats\",\"hosts\":{}");
    cr_assert_null(task_now_oldest(&now));
    task_now_clear(&now);
}

/* `strategy: free` announces a task once for every host, while others are at another. */
Test(task_now, each_host_has_its_own_task_and_its_own_time_however_many_there_are)
{
    enum { HOSTS = 300 };
    struct task_now now = {0};
    feed(&now, PLAY);
    feed(&now, "\"task_start\",\"task\":\"slow\",\"uuid\":\"s\",\"path\":\"x.yml:9\"");
    feed(&now, "\"host_start\",\"host\":\"stuck\",\"task\":\"slow\",\"uuid\":\"s\",\"path\":\"x.yml:9\","
               "\"async\":300,\"poll\":5");
    int64_t since = task_now_oldest(&now)->since_ns;
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < HOSTS; i++) {
            AUTO_FREE char *start =
                xasprintf("\"host_start\",\"host\":\"h%d\",\"task\":\"quick\",\"uuid\":\"q%d\"", i, round);
            AUTO_FREE char *over =
                xasprintf("\"result\",\"status\":\"ok\",\"uuid\":\"q%d\",\"host\":\"h%d\"", round, i);
            feed(&now, "\"task_start\",\"task\":\"quick\",\"uuid\":\"q\"");
            feed(&now, start);
            if (round < 2)
                feed(&now, over);
        }
    const struct task_run *run = task_now_oldest(&now);
    cr_expect_str_eq(run->task, "slow");
    cr_expect_eq(run->since_ns, since, "its clock goes on whatever others begin");
    expect_hosts(&now, "stuck");
    cr_expect(task_now_is_patient(&now), "the grace of an async task holds while others run theirs");
    run = task_now_on(&now, "h299");
    cr_expect_str_eq(run->host, "h299");
    cr_expect_str_eq(run->task, "quick");
    AUTO_FREE char *hosts = task_now_hosts(&now, run);
    cr_expect_str_eq(hosts, "h299 and 299 more");
    feed(&now, "\"result\",\"status\":\"ok\",\"uuid\":\"s\",\"host\":\"stuck\"");
    cr_expect_not(task_now_is_patient(&now));
    task_now_clear(&now);
}

Test(task_now, async_reboot_and_wait_for_connection_have_a_grace_until_all_hosts_reported)
{
    static const struct {
        const char *task;
        bool patient;
    } all[] = {
        {",\"action\":\"ansible.builtin.command\",\"async\":300,\"poll\":5", true},
        {",\"action\":\"ansible.builtin.command\",\"async\":-1,\"poll\":-1", true},
        {",\"action\":\"ansible.builtin.reboot\"", true},
        {",\"action\":\"reboot\"", true},
        {",\"action\":\"ansible.builtin.wait_for_connection\"", true},
        {",\"action\":\"ansible.builtin.command\"", false},
        {",\"action\":\"ansible.builtin.async_status\"", false},
        {",\"action\":\"my.own.not_reboot\"", false},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct task_now now = {0};
        AUTO_FREE char *task = xasprintf(TASK("%s"), all[i].task),
                       *a = xasprintf(START("a", "%s"), all[i].task),
                       *b = xasprintf(START("b", "%s"), all[i].task);
        feed(&now, PLAY);
        feed(&now, task);
        cr_expect_eq(task_now_is_patient(&now), all[i].patient, "%s", all[i].task);
        feed(&now, a);
        feed(&now, b);
        feed(&now, RESULT "\"a\"");
        cr_expect_eq(task_now_is_patient(&now), all[i].patient);
        feed(&now, RESULT "\"b\"");
        cr_expect_not(task_now_is_patient(&now));
        feed(&now, task);
        feed(&now, TASK(",\"action\":\"ansible.builtin.command\""));
        cr_expect_not(task_now_is_patient(&now));
        task_now_clear(&now);
    }
}
