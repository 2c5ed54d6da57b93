/* `health` of a target: what arrives, and what is refused with its place. */
#include "folder.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/project.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(health_keys, .timeout = 60, .init = folder_fill, .fini = folder_clean);

static void target_with(const char *keys)
{
    AUTO_FREE char *text = xasprintf("project: demo\ntargets:\n  vault:\n    recipe: vault\n%s", keys);
    folder_write("triphase.yml", text);
}

Test(health_keys, all_of_it_arrives_and_what_is_not_given_is_built_in)
{
    target_with("    health:\n"
                "      url: https://[fd00::7]:8200/v1/sys/health?standbyok=true\n"
                "      expect: [200, 429]\n"
                "      before: [501, 503]\n"
                "      every: 500ms\n"
                "      ca: keys/ca.crt\n"
                "      server_name: vault.test\n"
                "      via: ssh\n"
                "      required: true\n"
                "      within: 30s\n");
    AUTO_PROJECT *project = folder_load();
    const struct health_settings *health = &project->targets[0].health;
    AUTO_FREE char *ca = folder_path("keys/ca.crt");
    cr_assert(health->url.tls);
    cr_assert_str_eq(health->url.host, "fd00::7");
    cr_assert_eq(health->url.port, 8200);
    cr_assert_str_eq(health->url.path, "/v1/sys/health?standbyok=true");
    cr_assert(health_settings_have(health->expect, 429) && health_settings_have(health->before, 501));
    cr_assert_not(health_settings_have(health->expect, 503) || health_settings_have(health->before, 200));
    cr_assert_eq(health->every_ns, 500 * NS_PER_MS);
    cr_assert_str_eq(health->ca, ca);
    cr_assert_str_eq(health->server_name, "vault.test");
    cr_assert(health->via == HEALTH_SSH && health->required);
    cr_assert_eq(health->within_ns, 30 * NS_PER_S);
    project_cleanup(&project);

    target_with("    health: {url: 'http://{address}'}\n");
    project = folder_load();
    health = &project->targets[0].health;
    cr_assert_str_eq(health->url.host, "{address}");
    cr_assert(health->url.port == 80 && text_is(health->url.path, "/"));
    cr_assert(health->expect[0] == 200 && health->expect[1] == 0 && health->before[0] == 0);
    cr_assert(health->via == HEALTH_AUTO && !health->required);
    cr_assert_eq(health->every_ns, 2 * NS_PER_S);
    cr_assert_eq(health->within_ns, 300 * NS_PER_S);
}

Test(health_keys, a_recipe_may_say_it_for_all_hosts_of_its_kind_and_without_a_url_there_is_none)
{
    target_with("");
    AUTO_PROJECT *project = folder_load();
    cr_assert_null(project->targets[0].health.url.host);
    project_cleanup(&project);
    folder_write("phases/vault.yml", "target:\n  health: {url: 'https://{address}:8200/', before: "
                                     "[501]}\nphases: [{name: a, playbook: playbooks/install.yml}]\n");
    target_with("    health: {every: 9s}\n");
    project = folder_load();
    const struct health_settings *health = &project->targets[0].health;
    cr_assert(health->url.tls && health->before[0] == 501);
    cr_assert_eq(health->every_ns, 9 * NS_PER_S, "field by field");
}

Test(health_keys, what_is_wrong_is_refused_with_its_place)
{
    static const struct {
        const char *health, *says;
    } cases[] = {
        {"{url: ftp://h/}", "is no URL"},
        {"{url: 'http://'}", "names no host and port"},
        {"{url: 'http://h:0/'}", "names no host and port"},
        {"{url: 'http://h:99999/'}", "names no host and port"},
        {"{url: 'http://[fd00/'}", "names no host and port"},
        {"{url: 'http://h/#top'}", "has a fragment"},
        {"{url: 'https://admin:hunter2@h/'}", "there is a user in the URL"},
        {"{url: 'http://h/', expect: [99]}", "is no status of HTTP"},
        {"{url: 'http://h/', expect: []}", "an empty list leaves nothing"},
        {"{url: 'http://h/', before: [200]}", "stands in 'expect' too"},
        {"{url: 'http://h/', every: 10ms}", "a load of its own"},
        {"{url: 'http://h/', ca: ca.pem}", "the URL is http://"},
        {"{url: 'http://h/', server_name: h}", "the URL is http://"},
        {"{url: 'https://h/', server_name: 'a b'}", "is no name that a certificate has"},
        {"{url: 'https://h/', via: tcp}", "there is no 'tcp'"},
        {"{url: 'https://h/', via: proxy}", "tailnet-userspace is no transport of the target"},
        {"{url: 'https://h/', uri: x}", "unknown key 'uri'"},
        {"{every: 5s}", "has no 'url'"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FREE char *line = xasprintf("    health: %s\n", cases[i].health);
        target_with(line);
        AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
        cr_expect(strstr(said, cases[i].says), "%s: %s", cases[i].health, said);
        cr_expect(strstr(said, "triphase.yml:"), "%s: %s", cases[i].health, said);
        cr_expect(!strstr(said, "hunter2"), "it may be a secret: %s", said);
    }
    target_with("    transport: tailnet-userspace\n    health: {url: 'https://{address}/', via: network}\n");
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_expect(strstr(said, "nothing of this machine's network leads to the host"), "%s", said);
    target_with("    transport: tailnet-userspace\n    health: {url: 'https://{address}/', via: proxy}\n");
    AUTO_PROJECT *project = folder_load();
    cr_assert(project->targets[0].health.via == HEALTH_PROXY);
}
