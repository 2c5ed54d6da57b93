/* What `plan` says of a target's health before anything is made. */
#include "preflight/health.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "folder.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(plan_health, .timeout = 30, .init = folder_fill, .fini = folder_clean);

/* "error: TEXT" or "warning: TEXT", a line each; malloc'ed. */
static char *said(struct target *target, const char *url)
{
    struct plan_report report = {.target = xstrdup("vault")};
    struct text out = TEXT_INIT;
    cr_assert_null(health_url_read(url, &target->health.url));
    plan_health(&report, target);
    for (size_t i = 0; i < report.count; i++)
        text_addf(&out, "%s: %s\n", report.findings[i].refuses ? "error" : "warning",
                  report.findings[i].text);
    plan_report_clear(&report);
    health_url_clear(&target->health.url);
    return text_take(&out);
}

Test(plan_health, what_would_not_work_is_refused_and_what_may_not_is_a_warning)
{
    struct target target = {.deadline_ns = 60 * NS_PER_S, .health = {.within_ns = 30 * NS_PER_S}};
    AUTO_FREE char *none = folder_path("none.crt"), *bad = folder_path("bad.crt"),
                   *good = folder_path("good.crt");
    folder_write("bad.crt", "no certificate\n");
    folder_write("good.crt", "-----BEGIN CERTIFICATE-----\n");
    static const char url[] = "https://{address}/";
    AUTO_FREE char *plain = said(&target, url);
    cr_expect_str_eq(plain, "");
    target.health.ca = none;
    AUTO_FREE char *absent = said(&target, url);
    cr_expect(text_starts(absent, "warning: there is no certificate "), "%s", absent);
    target.health.ca = bad;
    AUTO_FREE char *strange = said(&target, url);
    cr_expect(text_starts(strange, "error: ") && strstr(strange, "holds no certificate"), "%s", strange);
    target.health.ca = good;
    AUTO_FREE char *right = said(&target, url);
    cr_expect_str_eq(right, "");
    target.health.via = HEALTH_NETWORK;
    AUTO_FREE char *own = said(&target, "https://localhost/");
    cr_expect(strstr(own, "this machine's own loopback"), "%s", own);
    target.health.via = HEALTH_SSH;
    target.health.required = true;
    target.health.within_ns = 60 * NS_PER_S;
    AUTO_FREE char *late = said(&target, "https://localhost/");
    cr_expect(text_starts(late, "warning: within is not shorter than the deadline"), "%s", late);
}
