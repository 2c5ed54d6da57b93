/* The keys of a target at a cloud: what they become, what is refused and where, and that they stay where they
 * are when the provider is switched. */
#include "folder.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/cloud_rules.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(cloud_keys, .timeout = 60, .init = folder_fill, .fini = folder_clean);

/* A target `vault` of this provider with these lines in it, from line 5 on, four blanks deep. */
static void with_target(const char *provider, const char *lines)
{
    AUTO_FREE char *text =
        xasprintf("project: demo\ntargets:\n  vault:\n    provider: %s\n%s\n    recipe: vault\n", provider,
                  lines);
    folder_write("triphase.yml", text);
}

Test(cloud_keys, what_is_not_said_has_the_contracts_defaults)
{
    with_target("hetzner", "    server_type: cx23");
    AUTO_PROJECT *project = folder_load();
    const struct target *target = &project->targets[0];
    const struct cloud_settings *cloud = &target->cloud;
    cr_assert_eq(cloud->token.kind, SECRET_ENV);
    cr_assert_str_eq(cloud->token.where, "HCLOUD_TOKEN");
    cr_assert_str_eq(cloud->endpoint, "https://api.hetzner.cloud/v1");
    cr_assert_str_eq(cloud->server_type, "cx23");
    cr_assert_str_eq(cloud->image, "docker-ce");
    cr_assert_eq(cloud->locations.count + cloud->ssh_keys.count + cloud->firewalls.count +
                     cloud->firewall_in.count + cloud->firewall_from.count + cloud->networks.count,
                 0);
    cr_assert(cloud->ipv4 && cloud->ipv6);
    cr_assert_null(cloud->labels);
    cr_assert_null(cloud->user_data);
    cr_assert_null(cloud->placement_group);
    cr_assert_eq(target->provision_ns, 600 * NS_PER_S);
    AUTO_FREE char *said = folder_explain(project, "targets.vault.stage_deadline.provision");
    cr_assert_str_eq(said, "10m <- built-in");
}

Test(cloud_keys, every_key_is_taken_in_each_of_its_forms)
{
    folder_sets("targets.vault.server_type='114'", NULL);
    folder_write("triphase.yml",
                 "project: demo\ntargets:\n  vault:\n    provider: hetzner\n    recipe: vault\n"
                 "    token: {file: secret}\n    endpoint: http://127.0.0.1:8080/v1/\n"
                 "    server_type: cx23\n    image: debian-13\n    location: [nbg1, 2]\n"
                 "    ssh_keys: [me, 77]\n    networks: [inner]\n    ipv4: false\n"
                 "    labels: {team: a, example.com/level: 3, empty: ''}\n"
                 "    user_data: ./first.yml\n    placement_group: apart\n"
                 "    firewalls: [office, 5, {in: [tcp/22, udp/8000-8100, icmp], from: '::/0'}]\n");
    AUTO_PROJECT *project = folder_load();
    const struct cloud_settings *cloud = &project->targets[0].cloud;
    AUTO_FREE char *locations = words_join(&cloud->locations, " "), *keys = words_join(&cloud->ssh_keys, " "),
                   *firewalls = words_join(&cloud->firewalls, " "),
                   *in = words_join(&cloud->firewall_in, " "), *labels = node_flow(cloud->labels),
                   *user_data = folder_path("first.yml");
    cr_assert_eq(cloud->token.kind, SECRET_FILE);
    cr_assert_str_eq(cloud->endpoint, "http://127.0.0.1:8080/v1", "a path follows");
    cr_assert_str_eq(cloud->server_type, "114");
    cr_assert_str_eq(locations, "nbg1 2");
    cr_assert_str_eq(keys, "me 77");
    cr_assert_str_eq(firewalls, "office 5");
    cr_assert_str_eq(in, "tcp/22 udp/8000-8100 icmp");
    cr_assert_str_eq(cloud->firewall_from.items[0], "::/0");
    cr_assert_not(cloud->ipv4);
    cr_assert_str_eq(labels, "{empty: \"\", example.com/level: \"3\", team: a}");
    cr_assert_str_eq(cloud->user_data, user_data);
    cr_assert_str_eq(cloud->placement_group, "apart");
}

Test(cloud_keys, one_location_needs_no_list_and_a_firewall_without_networks_is_for_everywhere)
{
    with_target("hetzner", "    server_type: cx23\n    location: hel1\n    firewalls: [{in: tcp/22}]");
    AUTO_PROJECT *project = folder_load();
    const struct cloud_settings *cloud = &project->targets[0].cloud;
    AUTO_FREE char *from = words_join(&cloud->firewall_from, " ");
    cr_assert_eq(cloud->locations.count, 1);
    cr_assert_str_eq(cloud->locations.items[0], "hel1");
    cr_assert_str_eq(from, "0.0.0.0/0 ::/0");
}

Test(cloud_keys, what_is_wrong_is_told_with_its_place)
{
    static const struct {
        const char *line, *says;
    } all[] = {
        {"token: abc", "triphase.yml:5:12: 'token' is a plain value; a secret is given as {file: PATH}"},
        {"endpoint: api", "triphase.yml:5:15: 'endpoint': 'api' is no URL"},
        {"endpoint: http://api.example.org/v1",
         "triphase.yml:5:15: 'endpoint': 'http://api.example.org/v1' would send the token in clear"},
        {"endpoint: http://127.0.0.1.example.org/v1", "would send the token in clear"},
        {"server_type: [a]", "triphase.yml:5:18: 'server_type' takes a text, not a list"},
        {"image: a b", "triphase.yml:5:12: 'image': 'a b' holds a blank"},
        {"image: a/b", "'a/b' is no name or id at a cloud"},
        {"location: {a: b}", "triphase.yml:5:15: 'location' takes a list, not a map"},
        {"location: [a, [b]]", "triphase.yml:5:19: 'location' takes a text, not a list"},
        {"ipv4: 4", "triphase.yml:5:11: 'ipv4' takes true or false"},
        {"firewalls: office", "triphase.yml:5:16: 'firewalls' takes a list of names"},
        {"firewalls: [{in: [tcp/22]}, {in: [icmp]}]",
         "triphase.yml:5:33: 'firewalls': one firewall is made for a machine, not two"},
        {"firewalls: [{from: ['::/0']}]", "a firewall lets in what stands under 'in', and this one has none"},
        {"firewalls: [{in: []}]", "takes a list with at least one entry here"},
        {"firewalls: [{in: [tcp/0]}]", "triphase.yml:5:23: 'firewalls': 'tcp/0' lets nothing in"},
        {"firewalls: [{in: [tcp/99999]}]", "'tcp/99999' lets nothing in"},
        {"firewalls: [{in: [tcp/20-10]}]", "'tcp/20-10' lets nothing in"},
        {"firewalls: [{in: [tcp]}]", "'tcp' lets nothing in: write tcp/22, udp/8000-8100, icmp"},
        {"firewalls: [{in: [icmp/8]}]", "'icmp/8' lets nothing in"},
        {"firewalls: [{in: [icmp], from: [10.0.0.1]}]", "'10.0.0.1' is no network"},
        {"firewalls: [{in: [icmp], from: [10.0.0.0/33]}]", "'10.0.0.0/33' is no network"},
        {"firewalls: [{in: [icmp], from: [10.0.0.1/24]}]", "bits behind its prefix are set"},
        {"firewalls: [{in: [icmp], fro: ['::/0']}]",
         "unknown key 'fro' in 'firewalls'; did you mean 'from'?"},
        {"labels: [a]", "triphase.yml:5:13: 'labels' takes a map, not a list"},
        {"labels: {triphase-id: x}", "'triphase-id' is one of the labels that triphase sets itself"},
        {"labels: {hetzner.cloud/x: x}", "one of the cloud's own labels"},
        {"labels: {-a: x}", "'-a' is no label"},
        {"labels: {a: b c}", "triphase.yml:5:17: 'labels.a': 'b c' is no label's value"},
        {"labels: {a: [b]}", "'labels.a' takes a text, not a list"},
        {"ipv6: false\n    ipv4: false", "nothing would lead to it"},
        {"ipv6: false\n    ipv4: false\n    networks: [n]\n    firewalls: [office]",
         "the cloud has them for public addresses alone"},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        AUTO_FREE char *lines =
            xasprintf("    %s%s", all[i].line,
                      text_starts(all[i].line, "server_type") ? "" : "\n    server_type: a");
        with_target("hetzner", lines);
        AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
        cr_has(said, all[i].says);
    }
    with_target("hetzner", "    image: debian-13");
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_has(said, "triphase.yml:3:3: target 'vault' has no 'server_type', which is required");
}

Test(cloud_keys, a_label_is_as_long_as_the_cloud_has_it_and_no_longer)
{
    AUTO_FREE char *most = xasprintf("%063d", 1), *more = xasprintf("%064d", 1);
    AUTO_FREE char *problem = cloud_rules_label_value_problem(more);
    cr_assert_null(cloud_rules_label_value_problem(most));
    cr_assert_not_null(problem);
    cr_assert_null(cloud_rules_label_value_problem(""));
    cr_assert_null(cloud_rules_network_problem("2001:db8::/32"));
    cr_assert_null(cloud_rules_network_problem("203.0.113.7/32"));
}

/* What the other provider has is kept for the day it is switched to. */
Test(cloud_keys, switching_the_provider_there_and_back_refuses_and_loses_nothing)
{
    static const char lines[] = "    server_type: cx23\n    root: debian-13\n    labels: {team: a}\n"
                                "    ipv4: false\n    ipv6: false";
    with_target("sandbox", lines);
    AUTO_PROJECT *project = folder_load();
    cr_assert_str_eq(project->targets[0].root, "debian-13");
    cr_assert_null(folder_explain(project, "targets.vault.server_type"), "a sandbox has none");
    project_cleanup(&project);
    folder_write("triphase.yml",
                 "project: demo\nproviders: {hetzner: {server_type: cx23}}\ntargets:\n  vault:\n"
                 "    provider: sandbox\n    root: debian-13\n    recipe: vault\n");
    folder_sets("targets.vault.provider=hetzner", NULL);
    project = folder_load();
    cr_assert_str_eq(project->targets[0].cloud.server_type, "cx23");
    cr_assert_str_eq(project->targets[0].root, "debian-13");
    cr_assert_null(folder_explain(project, "targets.vault.root"), "a server has none");
}

Test(cloud_keys, an_older_name_of_the_image_works_and_loses_to_triphases_own)
{
    with_target("hetzner", "    server_type: cx23\n    image: debian-12");
    static const struct {
        const char *older, *own, *image;
    } all[] = {
        {"HETZNER_BASE_IMAGE= ubuntu-24.04\t", NULL, "ubuntu-24.04"},
        {"HETZNER_BASE_IMAGE=", NULL, "debian-12"},
        {"HETZNER_BASE_IMAGE= ", NULL, "debian-12"},
        {"HETZNER_BASE_IMAGE=a", "TRIPHASE_DEFAULTS_IMAGE=b", "b"},
        {"HETZNER_BASE_IMAGE=a", "TRIPHASE_TARGETS_VAULT_IMAGE=c", "c"},
        {"HETZNER_BASE_IMAGE=a", "TRIPHASE_PROVIDERS_HETZNER_IMAGE=d", "d"},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        folder_environment(all[i].older, all[i].own, NULL);
        AUTO_PROJECT *project = folder_load();
        cr_assert_str_eq(project->targets[0].cloud.image, all[i].image, "of %s: %s", all[i].older,
                         project->targets[0].cloud.image);
    }
    folder_environment("HETZNER_BASE_IMAGE=a b", NULL);
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_has(said, "environment HETZNER_BASE_IMAGE: 'image': 'a b' holds a blank");
}

static bool keeps_back_t;

static void keep_back(const char *name)
{
    keeps_back_t |= text_is(name, "T");
}

Test(cloud_keys, of_a_target_that_was_switched_away_the_keys_that_stayed_still_say_where_its_cloud_is)
{
    folder_write(
        "triphase.yml",
        "project: demo\nproviders: {hetzner: {endpoint: 'http://127.0.0.1:8080/v1/', token: {env: T}}, "
        "command: {list: [./l]}}\n"
        "targets:\n  vault: {recipe: vault, provider: sandbox, protected: true}\n"
        "  bare: {recipe: vault, provider: command, make: [m], verify: [v], remove: [r]}\n");
    AUTO_PROJECT *project = folder_load();
    cr_assert_eq(project->elsewhere_count, 3);
    static const char *const wanted[][2] = {{"vault", "command"}, {"vault", "hetzner"}, {"bare", "hetzner"}};
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        const struct target *target = &project->elsewhere[i];
        cr_assert_str_eq(target->name, wanted[i][0]);
        cr_assert_str_eq(target->provider, wanted[i][1]);
        if (text_is(target->provider, "command"))
            cr_assert_str_eq(target->list.items[0], "./l");
        else
            cr_assert(text_is(target->cloud.endpoint, "http://127.0.0.1:8080/v1") &&
                      text_is(target->cloud.token.where, "T"));
    }
    cr_assert_str_eq(project->targets[0].provider, "sandbox");
    project_secret_variables(project, keep_back);
    cr_assert(keeps_back_t, "its token is no phase's business now either");
    folder_write("triphase.yml", "project: demo\ntargets: {vault: {recipe: vault, image: debian-13}}\n");
    AUTO_PROJECT *plain = folder_load();
    cr_assert_eq(plain->elsewhere_count, 0, "an image alone leads nowhere");
}
