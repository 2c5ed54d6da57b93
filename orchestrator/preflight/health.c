#include "preflight/health.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/tailnet_place.h"
#include "net/http.h"

#include <string.h>

enum { CA_MOST = 1 << 20 };
static const char place[] = "health";

static void look_at_ca(struct plan_report *report, const char *path)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_TEXT text = TEXT_INIT;
    int there = file_look(path, &err);
    if (there == 0)
        plan_find(report, ERROR_NONE, place,
                  "there is no certificate %s (ca) yet: until a phase makes it the host is not healthy",
                  path);
    else if (there < 0 || file_read(path, CA_MOST, &text, &err) < 0)
        plan_find(report, ERROR_PROJECT, place, "ca: %s", error_text(&err));
    else if (!strstr(text_string(&text), "-----BEGIN CERTIFICATE-----"))
        plan_find(report, ERROR_PROJECT, place,
                  "%s (ca) holds no certificate in the form PEM ('-----BEGIN CERTIFICATE-----')", path);
}

static void look_at_way(struct plan_report *report, const struct health_settings *health)
{
    if (health->via == HEALTH_PROXY && !tailnet_place_running_socks5())
        plan_find(
            report, ERROR_NONE, place,
            "via: proxy goes by the SOCKS5 port of triphase's own tailscaled, which is not running or has "
            "none: 'triphase up --userspace' starts it with one; until then the health is not known");
    if (health->via == HEALTH_NETWORK && health_url_is_loopback(&health->url))
        plan_find(report, ERROR_NONE, place,
                  "via: network asks this machine's own loopback, since that is what the URL names; for the "
                  "host's write via: ssh");
}

void plan_health(struct plan_report *report, const struct target *target)
{
    const struct health_settings *health = &target->health;
    AUTO_ERROR err = ERROR_INIT;
    if (!health->url.host)
        return;
    if (http_load(&err) < 0)
        plan_find_error(report, place, &err);
    if (health->ca)
        look_at_ca(report, health->ca);
    look_at_way(report, health);
    if (health->required && health->within_ns >= target->deadline_ns)
        plan_find(report, ERROR_NONE, place,
                  "within is not shorter than the deadline of the whole run, which ends the wait before it");
}
