#include "lab/tailnet_cloud.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "lab/recipe_lab.h"
#include "lab/tailnet_parts.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

enum { INIT_BOUND_S = 120 };

const char *const tailnet_cloud_words[] = {"--address", TAILNET_HUB, NULL};

/* The cloud listens at the hub; a plain endpoint is taken on a loopback alone, so that the operator's own
 * leads there. Gives what the project calls it. malloc'ed. */
static char *reach(struct tailnet_operator *op, struct hetzner *cloud)
{
    const char *port = strrchr(hetzner_endpoint(cloud), ':') + 1;
    AUTO_FREE char *number = xstrndup(port, strcspn(port, "/"));
    free(tailnet_operator_shell(
        op,
        "echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet && iptables -t nat -A OUTPUT -p tcp -d 127.0.0.1 "
        "--dport %s -j DNAT --to-destination " TAILNET_HUB
        ":%s && iptables -t nat -A POSTROUTING -p tcp -d " TAILNET_HUB " --dport %s -j MASQUERADE",
        number, number, number));
    return xasprintf("http://127.0.0.1:%s/v1", number);
}

struct lab *tailnet_cloud_project(struct tailnet_lab *lab, struct tailnet_operator *op, struct hetzner *cloud,
                                  const char *example, const char *target)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *endpoint = reach(op, cloud), *from = xasprintf("examples/projects/%s/.", example),
                   *login = xasprintf("TRIPHASE_TARGETS_%s_TAILNET_LOGIN_SERVER", target);
    struct lab *project = recipe_lab_new(INIT_BOUND_S);
    cr_assert(program_do(20 * NS_PER_S, NULL, &err, "cp", "-r", from, lab_folder(project), NULL) == 0, "%s",
              error_text(&err));
    lab_environment(project, "HCLOUD_TOKEN", HETZNER_TOKEN);
    lab_environment(project, "TRIPHASE_PROVIDERS_HETZNER_ENDPOINT", endpoint);
    lab_environment(project, login, tailnet_lab_login_server(lab));
    AUTO_FREE char *was = lab_read(project, "triphase.yml");
    lab_write(project, "triphase.yml",
              "%s      tailnet_programs: %s\n      tailnet_environment: {TS_DEBUG_USE_DERP_HTTP: '1', "
              "TS_NO_LOGS_NO_SUPPORT: '1'}\n",
              was, tailnet_lab_programs(lab));
    tailnet_operator_enter(op, project);
    return project;
}

static void hold_way(const struct json *told, const char *phase, const char *way, const char *said)
{
    const struct json *steps = json_get(told, "steps");
    bool seen = false;
    for (size_t i = 0; i < json_count(steps); i++) {
        const struct json *step = json_at(steps, i);
        if (!text_is(json_get_string(step, "name", ""), phase))
            continue;
        seen = true;
        cr_expect(eq(str, (char *)json_get_string(step, "transport", ""), (char *)way), "%s: %s", phase,
                  said);
        cr_expect(eq(str, (char *)json_get_string(step, "outcome", ""), "ok"), "%s: %s", phase, said);
    }
    cr_expect(seen, "no step %s: %s", phase, said);
}

struct json *tailnet_cloud_hold(struct lab *project, const char *const *phases, const char *said)
{
    struct lab_result report = lab_run(project, "report", "--json", NULL);
    AUTO_ERROR err = ERROR_INIT;
    struct json *told = json_parse(report.out, strlen(report.out), &err);
    cr_assert(told != NULL, "%s%s", error_text(&err), report.err);
    hold_way(told, "bootstrap", "direct", said);
    for (; *phases; phases++)
        hold_way(told, *phases, "tailnet", said);
    cr_expect(json_get_bool(json_get(told, "health"), "healthy"), "%s", said);
    return told;
}

void tailnet_cloud_empty(struct hetzner *cloud)
{
    static const char *const kinds[] = {"servers", "ssh_keys", "firewalls"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        cr_expect(eq(sz, hetzner_count(cloud, kinds[i]), 0), "%s", kinds[i]);
}
