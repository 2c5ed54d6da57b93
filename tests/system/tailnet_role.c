/* The role that brings a host into a tailnet, as `triphase init` lays it down: on fresh sandboxes, with a
 * real headscale. What each refusal says, and that a key is seen by nobody. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"
#include "lab/recipe_lab.h"
#include "lab/tailnet.h"
#include "lab/tailnet_parts.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

TestSuite(tailnet_role, .timeout = 580);

enum { INIT_BOUND_S = 120, RUN_BOUND_S = 300, GONE_BOUND_S = 15, SERVED_BOUND_S = 20 };

/* A project whose only phase is the role. `vars`: further variables of the target, lines of YAML; `key`
 * NULL: none is given. */
static void write_project(struct lab *lab, struct tailnet_lab *tailnet, const char *server, const char *key,
                          const char *vars)
{
    lab_write(
        lab, "triphase.yml",
        "project: lab\ntargets:\n  host:\n    provider: sandbox\n    recipe: join\n    root: %s\n%s"
        "    vars:\n      tailnet_login_server: %s\n      tailnet_environment: {TS_DEBUG_USE_DERP_HTTP: "
        "'1', TS_NO_LOGS_NO_SUPPORT: '1'}\n%s",
        getenv("TRIPHASE_TEST_ROOT") ? getenv("TRIPHASE_TEST_ROOT") : "debian-12",
        key ? "    secrets: {tailnet_auth_key: {file: key}}\n" : "",
        server ? server : tailnet_lab_login_server(tailnet), vars);
    if (key)
        lab_write(lab, "key", "%s\n", key);
}

static char *with_programs(struct tailnet_lab *tailnet, const char *tag)
{
    return lab_keep(
        xasprintf("      tailnet_programs: %s\n      tailnet_tags: ['%s']\n      tailnet_timeout: "
                  "30\n",
                  tailnet_lab_programs(tailnet), tag));
}

static struct lab *new_project(void)
{
    struct lab *lab = recipe_lab_new(INIT_BOUND_S);
    lab_write(lab, "phases/join.yml",
              "phases:\n  - name: join\n    playbook: playbooks/tailnet/bootstrap.yml\n    silence: 10m\n");
    return lab;
}

static struct lab_result run(struct lab *lab, int code, const char *word)
{
    return recipe_lab_expect(lab, RUN_BOUND_S, code, word, "host", NULL);
}

/* By the test itself: a joined host takes longer to go than what clears up behind a test may. */
static void destroy(struct lab *lab)
{
    struct lab_result result = lab_run(lab, "destroy", "host", "--yes", NULL);
    cr_assert(eq(int, result.code, 0), "%s", result.err);
}

static char *guest(struct lab *lab, const char *command)
{
    struct lab_result result = lab_run(lab, "ssh", "host", "--", command, NULL);
    cr_assert(eq(int, result.code, 0), "%s: %s", command, result.err);
    return result.out;
}

/* The devices that headscale knows, a line each: name, tags, ephemeral or not. malloc'ed. */
static char *devices(struct tailnet_lab *tailnet)
{
    AUTO_FREE char *listed = tailnet_lab_headscale(tailnet, "nodes", "list", "-o", "json", NULL);
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *nodes = json_parse(listed, strlen(listed), &err);
    AUTO_TEXT out = TEXT_INIT;
    for (size_t i = 0; i < json_count(nodes); i++) {
        const struct json *node = json_at(nodes, i), *tags = json_get(node, "tags");
        text_add(&out, json_get_string(node, "given_name", "?"));
        for (size_t k = 0; k < json_count(tags); k++)
            text_addf(&out, " %s", json_string(json_at(tags, k), "?"));
        text_addf(&out, "%s\n",
                  json_get_bool(json_get(node, "pre_auth_key"), "ephemeral") ? " ephemeral" : "");
    }
    return text_take(&out);
}

struct devices_wanted {
    struct tailnet_lab *tailnet;
    const char *expected;
};

static bool has_devices(void *context)
{
    const struct devices_wanted *wanted = context;
    AUTO_FREE char *found = devices(wanted->tailnet);
    return text_is(found, wanted->expected);
}

/* A daemon tells the control server of another name by itself, once it has taken it. */
static void expect_devices(struct tailnet_lab *tailnet, const char *expected)
{
    if (lab_until(10, has_devices, &(struct devices_wanted){tailnet, expected}))
        return;
    AUTO_FREE char *found = devices(tailnet);
    cr_expect(eq(str, found, (char *)(uintptr_t)expected));
}

static void expect_refusal(struct lab *lab, const char *words)
{
    struct lab_result refused = run(lab, 2, "run");
    cr_expect(strstr(refused.err, words) != NULL, "wanted '%s': %s", words, refused.err);
}

Test(tailnet_role, a_fresh_host_joins_by_a_key_that_nobody_sees_and_a_second_run_changes_nothing_without_one)
{
    struct tailnet_lab *tailnet = tailnet_lab_new();
    struct lab *lab = new_project();
    AUTO_FREE char *key = tailnet_lab_key(tailnet, "tag:host", false, true);
    write_project(lab, tailnet, NULL, key, with_programs(tailnet, "tag:host"));

    run(lab, 0, "create");
    expect_devices(tailnet, "host tag:host ephemeral\n");
    cr_expect(eq(str,
                 guest(lab, "systemctl is-active tailscaled; systemctl is-enabled tailscaled; systemctl "
                            "show -P Type tailscaled; systemctl show -P Environment tailscaled"),
                 "active\nenabled\nnotify\nTS_DEBUG_USE_DERP_HTTP=1 TS_NO_LOGS_NO_SUPPORT=1\n"));

    write_project(lab, tailnet, NULL, NULL, with_programs(tailnet, "tag:host"));
    run(lab, 0, "run");
    cr_expect(eq(i64, recipe_lab_changed(lab), 0));
    /* What searches would find its own words: a part of the key, which nothing else holds. */
    AUTO_FREE char *half = xstrndup(key, strlen(key) - 4);
    AUTO_FREE char *search = xasprintf("grep -rla '%s' /etc /root /run /tmp /var /dev/shm || true", half);
    cr_expect(eq(str, guest(lab, search), ""));

    /* Switched off by hand, it is switched on again; its settings follow, and no key is asked for. */
    guest(lab, "tailscale down");
    AUTO_FREE char *renamed =
        xasprintf("%s      tailnet_hostname: other\n", with_programs(tailnet, "tag:host"));
    write_project(lab, tailnet, NULL, NULL, renamed);
    run(lab, 0, "run");
    expect_devices(tailnet, "other tag:host ephemeral\n");
    run(lab, 0, "run");
    cr_expect(eq(i64, recipe_lab_changed(lab), 0));
    destroy(lab);
}

Test(tailnet_role, what_keeps_a_host_out_is_said_in_words_that_tell_what_to_do)
{
    struct tailnet_lab *tailnet = tailnet_lab_new();
    struct lab *lab = new_project();
    AUTO_FREE char *other = tailnet_lab_key(tailnet, "tag:vault", true, true);
    AUTO_FREE char *once = tailnet_lab_key(tailnet, "tag:host", false, true);
    const char *programs = with_programs(tailnet, "tag:host");
    write_project(lab, tailnet, NULL, NULL, programs);

    struct lab_result none = run(lab, 2, "create");
    cr_expect(strstr(none.err, "is in no tailnet (its daemon says NeedsLogin) and no auth key was given") !=
                  NULL,
              "%s", none.err);
    write_project(lab, tailnet, NULL, "hskey-auth-000000000000-no", programs);
    expect_refusal(lab, "does not know this auth key");
    /* It was let in with tags that nobody wanted, and does not stay. */
    write_project(lab, tailnet, NULL, other, programs);
    expect_refusal(lab, "carries tag:vault in place of tag:host. It was logged out again");
    expect_devices(tailnet, "");
    write_project(lab, tailnet, NULL, once, programs);
    run(lab, 0, "run");
    /* Tags of a login are never changed. */
    write_project(lab, tailnet, NULL, other, with_programs(tailnet, "tag:vault"));
    expect_refusal(lab, "carries tag:host in place of tag:vault. A login keeps the tags it was made with");
    expect_devices(tailnet, "host tag:host ephemeral\n");

    /* A login elsewhere stays as it is, for joining and for leaving. */
    write_project(lab, tailnet, "http://10.99.0.77:8080", once, programs);
    expect_refusal(lab,
                   "is a device of http://10.99.0.1:8080 as host; wanted is http://10.99.0.77:8080. Nothing "
                   "was changed");
    lab_write(lab, "phases/join.yml",
              "phases:\n  - name: leave\n    playbook: playbooks/tailnet/leave.yml\n");
    expect_refusal(lab, "not of http://10.99.0.77:8080: it stays");
    cr_expect(strstr(guest(lab, "tailscale status --json"), "\"BackendState\": \"Running\"") != NULL);

    write_project(lab, tailnet, NULL, once, programs);
    run(lab, 0, "run");
    expect_devices(tailnet, "");
    run(lab, 0, "run");
    cr_expect(eq(i64, recipe_lab_changed(lab), 0));
    lab_write(lab, "phases/join.yml",
              "phases:\n  - name: join\n    playbook: playbooks/tailnet/bootstrap.yml\n");
    expect_refusal(lab, "The auth key is spent");
    destroy(lab);
}

static bool has_gone(void *context)
{
    AUTO_FREE char *found = devices(context);
    return !strstr(found, "guest");
}

Test(tailnet_role, a_logout_over_the_tailnet_itself_is_heard_before_it_cuts_the_connection)
{
    struct tailnet_lab *tailnet = tailnet_lab_new();
    struct rig *host = tailnet_lab_guest(tailnet);
    struct tailnet_operator *op = tailnet_lab_operator(tailnet, TAILNET_TUN);
    const char *address = tailnet_guest_join(tailnet, host, "tag:host", "guest");
    tailnet_operator_join(op, "tag:operator");
    struct lab *lab = new_project();
    AUTO_FREE char *keys = xasprintf("    transport: tailnet\n    vars: {tailnet_login_server: '%s'}\n",
                                     tailnet_lab_login_server(tailnet));
    tailnet_lab_project(lab, host, address, keys, "", "");
    lab_write(lab, "phases/work.yml",
              "phases:\n  - name: leave\n    playbook: playbooks/tailnet/leave.yml\n");
    tailnet_operator_enter(op, lab);

    run(lab, 0, "create");

    cr_expect(lab_until(GONE_BOUND_S, has_gone, tailnet), "the host is still a device");
    rig_remove(host);
}

/* A package as Tailscale builds them: unit, environment file, programs. */
static char *make_package(struct lab *lab, struct tailnet_lab *tailnet)
{
    lab_write(lab, "deb/DEBIAN/control",
              "Package: tailscale\nVersion: 1.102.3\nArchitecture: all\nMaintainer: a test <test@localhost>\n"
              "Description: tailscale\n");
    lab_write(
        lab, "deb/lib/systemd/system/tailscaled.service",
        "[Service]\nType=notify\nExecStart=/usr/sbin/tailscaled --state=/var/lib/tailscale/tailscaled.state "
        "--socket=/run/tailscale/tailscaled.sock --port=41641\nRuntimeDirectory=tailscale\n"
        "StateDirectory=tailscale\n[Install]\nWantedBy=multi-user.target\n");
    const char *folder = lab_folder(lab), *programs = tailnet_lab_programs(tailnet);
    rig_shell(
        "cd %s && mkdir -p deb/usr/bin deb/usr/sbin && cp %s/tailscale deb/usr/bin/ && cp %s/tailscaled "
        "deb/usr/sbin/ && chmod 0755 deb/DEBIAN && dpkg-deb -Zgzip -z1 --root-owner-group --build deb "
        "tailscale.deb >/dev/null && rm -r deb",
        folder, programs, programs);
    return lab_keep(xasprintf("%s/tailscale.deb", folder));
}

Test(tailnet_role, a_package_that_is_given_is_installed_once_and_its_own_unit_runs)
{
    struct tailnet_lab *tailnet = tailnet_lab_new();
    struct lab *lab = new_project();
    AUTO_FREE char *key = tailnet_lab_key(tailnet, "tag:host", false, true);
    AUTO_FREE char *vars = xasprintf("      tailnet_package: %s\n      tailnet_tags: ['tag:host']\n",
                                     make_package(lab, tailnet));
    write_project(lab, tailnet, NULL, key, vars);

    run(lab, 0, "create");

    expect_devices(tailnet, "host tag:host ephemeral\n");
    cr_expect(eq(
        str,
        guest(
            lab,
            "dpkg-query -W -f '${Version} ${db:Status-Status}\\n' tailscale; systemctl show -P "
            "FragmentPath tailscaled; ls /usr/local/sbin/tailscaled /var/cache/apt/archives/*.deb 2>/dev/null"
            "|| true"),
        "1.102.3 installed\n/lib/systemd/system/tailscaled.service\n"));
    run(lab, 0, "run");
    cr_expect(eq(i64, recipe_lab_changed(lab), 0));
    destroy(lab);
}

static bool is_served(void *url)
{
    AUTO_FREE char *said = rig_output("python3 -c 'import urllib.request as u; print(u.build_opener("
                                      "u.ProxyHandler({})).open(\"%s/other.gpg\", timeout=2).status)' "
                                      "2>/dev/null",
                                      (const char *)url);
    return text_is(said, "200\n");
}

/* Serves a repository of that one package, signed by a key of its own, to whoever reaches the hub. Its
 * URL, kept. */
static char *serve_repository(struct lab *lab, struct tailnet_lab *tailnet)
{
    AUTO_FREE char *folder = file_join(lab_folder(lab), "repository");
    rig_shell("tests/lab/apt_repository.sh %s %s", make_package(lab, tailnet), folder);
    struct child *server = lab_keep(xcalloc(1, sizeof *server));
    AUTO_WORDS argv = WORDS_INIT;
    words_add_all(&argv, "python3", "-m", "http.server", "--bind", TAILNET_HUB, "--directory", folder, "8090",
                  NULL);
    tailnet_start(tailnet, &argv, "repository.log", server);
    char *url = lab_keep(xstrdup("http://" TAILNET_HUB ":8090"));
    cr_assert(lab_until(SERVED_BOUND_S, is_served, url), "the repository is not served");
    return url;
}

Test(tailnet_role, a_signed_repository_is_installed_from_once_and_one_that_its_key_did_not_sign_is_refused)
{
    struct tailnet_lab *tailnet = tailnet_lab_new();
    struct lab *lab = new_project();
    AUTO_FREE char *key = tailnet_lab_key(tailnet, "tag:host", false, true);
    const char *url = serve_repository(lab, tailnet);
    AUTO_FREE char *vars = xasprintf("      tailnet_repository: %s\n      tailnet_tags: ['tag:host']\n", url);
    AUTO_FREE char *wrong = xasprintf("%s      tailnet_repository_key: %s/other.gpg\n", vars, url);

    AUTO_FREE char *none = xasprintf("%s      tailnet_source: present\n", vars);
    write_project(lab, tailnet, NULL, key, none);
    run(lab, 2, "create");
    /* Its other sources are out of reach from here, and apt would wait for each. */
    guest(lab, "rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*");

    write_project(lab, tailnet, NULL, key, wrong);
    AUTO_FREE char *words =
        xasprintf("host does not trust %s, which the key of %s/other.gpg has not signed", url, url);
    expect_refusal(lab, words);
    cr_expect(eq(str, guest(lab, "dpkg-query -W tailscale 2>/dev/null || true"), ""));
    expect_devices(tailnet, "");

    /* The key beside the release takes the place of the one that was wrong. */
    write_project(lab, tailnet, NULL, key, vars);
    run(lab, 0, "run");
    expect_devices(tailnet, "host tag:host ephemeral\n");
    cr_expect(
        eq(str,
           guest(lab, "dpkg-query -W -f '${Version} ${db:Status-Status}\\n' tailscale; systemctl show -P "
                      "FragmentPath tailscaled; systemctl is-active tailscaled; systemctl is-enabled "
                      "tailscaled; LC_ALL=C apt-cache policy tailscale | grep -m1 -c 'http://" TAILNET_HUB
                      ":8090 '"),
           "1.102.3 installed\n/lib/systemd/system/tailscaled.service\nactive\nenabled\n1\n"));

    /* Neither as it is on the host nor asked for the repository by name is there anything to do. */
    write_project(lab, tailnet, NULL, NULL, vars);
    run(lab, 0, "run");
    cr_expect(eq(i64, recipe_lab_changed(lab), 0));
    AUTO_FREE char *named = xasprintf("%s      tailnet_source: repository\n", vars);
    write_project(lab, tailnet, NULL, NULL, named);
    run(lab, 0, "run");
    cr_expect(eq(i64, recipe_lab_changed(lab), 0));
    destroy(lab);
}
