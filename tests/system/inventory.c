/* What Ansible and ssh make of a rendered inventory, whatever the values hold; and a TUN that is absent,
 * closed, without rights or usable, each made real. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "format/json.h"
#include "lab/lab.h"
#include "process/program.h"
#include "transport/route.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define cr_has(text, part)     cr_assert(strstr((text), (part)), "'%s' does not say '%s'", (text), (part))
#define cr_has_not(text, part) cr_assert_null(strstr((text), (part)), "'%s' says '%s'", (text), (part))

TestSuite(inventory, .timeout = 250);

/* Folders of each Ansible there is. */
static void ansibles(struct words *out)
{
    AUTO_FREE char *first = file_find_program("ansible-inventory", NULL);
    cr_assert(first, "ansible-inventory is not in PATH");
    *strrchr(first, '/') = '\0';
    words_add(out, first);
    if (file_is_program("/usr/bin/ansible-inventory") && !words_have(out, "/usr/bin"))
        words_add(out, "/usr/bin");
}

static char *run(const char *name, ...) __attribute__((sentinel));
/* Stdout of a program that must end with 0. */
static char *run(const char *name, ...)
{
    AUTO_WORDS argv = WORDS_INIT;
    va_list args;
    va_start(args, name);
    for (const char *word = name; word; word = va_arg(args, const char *))
        words_add(&argv, word);
    va_end(args);
    AUTO_TEXT out = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    setenv("LC_ALL", "C.UTF-8", 1);
    cr_assert(program_do_argv(60 * NS_PER_S, words_argv(&argv), &out, &err) == 0, "%s", error_text(&err));
    return text_take(&out);
}

/* A variable of a host as this Ansible sees it; malloc'ed, NULL when it has none. */
static char *variable(const char *bin, const char *inventory, const char *host, const char *name)
{
    AUTO_FREE char *program = file_join(bin, "ansible-inventory");
    AUTO_FREE char *text = run(program, "-i", inventory, "--host", host, NULL);
    AUTO_JSON *all = json_parse(text, strlen(text), NULL);
    const struct json *value = json_get(all, name);
    if (json_get(value, "__ansible_unsafe"))
        value = json_get(value, "__ansible_unsafe");
    return xstrdup_or_null(json_string(value, NULL));
}

/* What `ssh -G` says when Python's shlex, as Ansible uses it, has split the string. */
static char *asked(const char *arguments, const char *host)
{
    static const char script[] =
        "import shlex, subprocess, sys\n"
        "print(subprocess.run(['ssh', '-G', '-F', 'none'] + shlex.split(sys.argv[1]) + [sys.argv[2]], "
        "check=True, stdout=subprocess.PIPE).stdout.decode())";
    return run("python3", "-c", script, arguments, host, NULL);
}

/* The folder that `inventory` makes for a master of whoever uses the document by hand. */
static void remove_sockets(const char *lines)
{
    const char *path = strstr(lines, "\ncontrolpath ");
    cr_assert_not_null(path);
    path += strlen("\ncontrolpath ");
    AUTO_FREE char *folder = xstrndup(path, strcspn(path, "\n"));
    *strrchr(folder, '/') = '\0';
    cr_assert(transport_close_masters(folder, NULL) == 0);
}

static const char *const hostile_names[] = {"it's a \"dir\"", "100% {{ 1 + 1 }} %h %d",
                                            "a b; touch $(x) `y` & #z", "- {x: [y, !unsafe z"};

Test(inventory, a_project_in_a_hostile_folder_is_converged_for_real)
{
    struct lab *lab = lab_new();
    int port = lab_sshd(lab);
    AUTO_FREE char *host_key = lab_read_line(lab, "sshd/host_key.pub");
    AUTO_WORDS bins = WORDS_INIT;
    ansibles(&bins);
    for (size_t i = 0; i < bins.count; i++) {
        const char *name = hostile_names[i % COUNT_OF(hostile_names)];
        AUTO_FREE char *file = xasprintf("%s/triphase.yml", name);
        AUTO_FREE char *recipe = xasprintf("%s/phases/work.yml", name);
        AUTO_FREE char *playbook = xasprintf("%s/playbooks/work.yml", name);
        AUTO_FREE char *key = xasprintf("%s/key", name);
        AUTO_FREE char *content = lab_read(lab, "key");
        AUTO_FREE char *folder = file_join(lab_folder(lab), name);
        lab_write(lab, key, "%s", content);
        AUTO_FREE char *key_path = file_join(lab_folder(lab), key);
        cr_assert(chmod(key_path, 0600) == 0);
        lab_write(lab, file,
                  "project: lab\nansible: %s/ansible-playbook\ntargets:\n  host:\n    provider: static\n    "
                  "recipe: work\n    address: 127.0.0.1\n    port: %d\n"
                  "    key: key\n    python: /usr/bin/python3\n    host_keys: ['%s']\n",
                  bins.items[i], port, host_key);
        lab_write(lab, recipe, "phases:\n  - name: work\n    playbook: playbooks/work.yml\n");
        lab_write(lab, playbook,
                  "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - ansible.builtin.command: "
                  "echo here\n      register: said\n"
                  "    - ansible.builtin.assert: {that: said.stdout == 'here'}\n    - ansible.builtin.copy: "
                  "{content: x, dest: '{{ triphase_state_dir }}/file'}\n");
        struct lab_result result = lab_run(lab, "-C", folder, "create", "host", NULL);
        cr_assert_eq(result.code, 0, "%s: %s\n%s", bins.items[i], result.err, result.out);
        AUTO_FREE char *made = xasprintf("%s/.triphase/targets/host/state/file", name);
        cr_assert(lab_exists(lab, made));

        result = lab_run(lab, "-C", folder, "ssh", "host", "--", "echo", "through", NULL);
        cr_assert_eq(result.code, 0, "%s", result.err);
        cr_has(result.out, "through\n");

        result = lab_run(lab, "-C", folder, "inventory", "host", NULL);
        cr_assert_eq(result.code, 0, "%s", result.err);
        lab_write(lab, "rendered.yml", "%s", result.out);
        AUTO_FREE char *rendered = file_join(lab_folder(lab), "rendered.yml");
        AUTO_FREE char *arguments = variable(bins.items[i], rendered, "host", "ansible_ssh_common_args");
        AUTO_FREE char *lines = asked(arguments, "127.0.0.1");
        AUTO_FREE char *known = xasprintf("\nuserknownhostsfile %s/.triphase/machines/", folder);
        cr_has(lines, known);
        cr_has(lines, "\nhostkeyalias triphase-");
        cr_has_not(lines, "\nproxycommand ");
        result = lab_run(lab, "-C", folder, "destroy", "host", "--yes", NULL);
        cr_assert_eq(result.code, 0, "%s", result.err);
        remove_sockets(lines);
    }
}

Test(inventory, values_reach_ansible_as_they_are_and_are_never_templated)
{
    struct lab *lab = lab_new();
    AUTO_WORDS bins = WORDS_INIT;
    ansibles(&bins);
    static const char *const values[] = {"{{ lookup('pipe', 'touch /tmp/triphase-never') }}",
                                         "it's \"quoted\" %h",
                                         "- {x: y}",
                                         "#",
                                         "{% raw %}",
                                         "a\\nb",
                                         "${address}"};
    for (size_t v = 0; v < COUNT_OF(values); v++) {
        AUTO_TEXT yaml = TEXT_INIT;
        for (const char *c = values[v]; *c; c++)
            text_addf(&yaml, "%s%c", *c == '\'' ? "'" : "", *c);
        lab_write(lab, "triphase.yml",
                  "project: lab\ntargets:\n  host:\n    provider: static\n    recipe: work\n    address: "
                  "192.0.2.1\n    key: '/k/%s'\n",
                  text_string(&yaml));
        lab_write(lab, "phases/work.yml", "phases:\n  - name: work\n    playbook: work.yml\n");
        lab_write(lab, "work.yml", "- hosts: all\n");
        struct lab_result result = lab_run(lab, "inventory", "host", NULL);
        if (strstr(values[v], "${")) {
            cr_assert_eq(result.code, 78, "ssh itself would expand it: %s", result.err);
            continue;
        }
        cr_assert_eq(result.code, 0, "%s", result.err);
        lab_write(lab, "rendered.yml", "%s", result.out);
        AUTO_FREE char *rendered = file_join(lab_folder(lab), "rendered.yml");
        for (size_t i = 0; i < bins.count; i++) {
            AUTO_FREE char *arguments = variable(bins.items[i], rendered, "host", "ansible_ssh_common_args");
            AUTO_FREE char *lines = asked(arguments, "192.0.2.1");
            AUTO_TEXT identity = TEXT_INIT;
            text_add(&identity, "\nidentityfile /k/");
            for (const char *c = values[v]; *c; c++)
                text_addf(&identity, "%s%c", *c == '%' ? "%" : "", *c);
            text_add_char(&identity, '\n');
            cr_has(lines, text_string(&identity));
            AUTO_FREE char *ansible = file_join(bins.items[i], "ansible");
            AUTO_FREE char *shown = run(ansible, "-i", rendered, "-c", "local", "-m", "debug", "-a",
                                        "var=ansible_ssh_common_args", "host", NULL);
            AUTO_JSON *string = json_new_string(arguments);
            AUTO_FREE char *quoted = json_compact(string);
            AUTO_FREE char *expected = xasprintf("\"ansible_ssh_common_args\": %s", quoted);
            cr_has(shown, expected);
        }
        cr_assert_not(file_exists("/tmp/triphase-never"));
    }
}

/* ------------------------------------------------------------ a TUN in four states */

static void tailnet_project(struct lab *lab)
{
    lab_write(lab, "triphase.yml",
              "project: lab\ntargets:\n  host:\n    provider: static\n    recipe: work\n    address: "
              "100.64.0.7\n    host_keys: accept-new\n    transport: [tailnet, tailnet-userspace]\n");
    lab_write(lab, "phases/work.yml",
              "phases:\n  - name: work\n    playbook: work.yml\n    require: [tun]\n");
    lab_write(lab, "work.yml", "- hosts: all\n");
    /* Nothing answers there, whatever this machine runs. */
    AUTO_FREE char *socket = file_join(lab_folder(lab), "no.sock");
    lab_environment(lab, "TAILSCALE_SOCKET", socket);
    setenv("TAILSCALE_SOCKET", socket, 1);
}

/* The program within a shell that has prepared things in a mount namespace of its own: "$@" is the program
 * with its words. */
static struct json *explained(struct lab *lab, const char *prepare, char **yaml)
{
    AUTO_FREE char *script = xasprintf("set -e\n%s\n", prepare);
    AUTO_FREE char *text =
        run("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", getenv("TRIPHASE"),
            "-C", lab_folder(lab), "inventory", "host", "--explain", "--json", NULL);
    struct json *answer = json_parse(text, strlen(text), NULL);
    cr_assert(answer, "%s", text);
    *yaml = xstrdup(json_get_string(answer, "inventory", ""));
    return answer;
}

static void expect_tun(const char *prepare, const char *verdict, const char *transport, const char *says)
{
    if (geteuid() != 0)
        cr_skip_test("mount namespaces need root");
    if (!file_exists("/dev/net/tun"))
        cr_skip_test("this machine has no TUN device");
    struct lab *lab = lab_new();
    tailnet_project(lab);
    AUTO_FREE char *yaml = NULL;
    AUTO_JSON *answer = explained(lab, prepare, &yaml);
    const struct json *tun = json_get(answer, "tun");
    cr_assert_str_eq(json_get_string(tun, "verdict", ""), verdict, "%s", json_get_string(tun, "text", ""));
    cr_assert_str_eq(json_get_string(answer, "transport", ""), transport);
    cr_has(json_get_string(tun, "text", ""), says);
    lab_write(lab, "rendered.yml", "%s", yaml);
    AUTO_FREE char *rendered = file_join(lab_folder(lab), "rendered.yml");
    AUTO_WORDS bins = WORDS_INIT;
    ansibles(&bins);
    for (size_t i = 0; i < bins.count; i++) {
        AUTO_FREE char *arguments = variable(bins.items[i], rendered, "host", "ansible_ssh_common_args");
        AUTO_FREE char *lines = asked(arguments, "100.64.0.7");
        if (text_is(transport, "tailnet"))
            cr_has_not(lines, "\nproxycommand ");
        else
            cr_has(lines, "\nproxycommand tailscale --socket=");
    }
}

Test(inventory, a_tun_that_is_absent)
{
    expect_tun("mount -t tmpfs none /dev/net; exec \"$@\"", "absent", "tailnet-userspace", "no TUN device");
}

Test(inventory, a_tun_that_is_no_tun)
{
    expect_tun("mount -t tmpfs none /dev/net; : >/dev/net/tun; exec \"$@\"", "absent", "tailnet-userspace",
               "no TUN device");
}

Test(inventory, a_tun_that_is_not_to_be_opened)
{
    expect_tun("mount -t tmpfs none /dev/net; mknod -m 000 /dev/net/tun c 10 200; exec setpriv "
               "--bounding-set -dac_override,-dac_read_search \"$@\"",
               "not-openable", "tailnet-userspace", "cannot be opened");
}

Test(inventory, a_tun_without_the_capability)
{
    expect_tun("exec setpriv --bounding-set -net_admin \"$@\"", "no-capability", "tailnet-userspace",
               "no CAP_NET_ADMIN");
}

Test(inventory, a_tun_that_can_be_used)
{
    expect_tun("exec \"$@\"", "usable", "tailnet", "one can be had here");
}

Test(inventory, any_transport_is_rendered_on_demand_and_none_is_taken_in_silence)
{
    struct lab *lab = lab_new();
    tailnet_project(lab);
    struct lab_result result =
        lab_run(lab, "inventory", "host", "--transport", "tailnet-userspace", "--explain", NULL);
    cr_assert_eq(result.code, 0, "%s", result.err);
    cr_has(result.out, "ProxyCommand=tailscale");
    cr_has(result.out, "# transport: tailnet-userspace (rendered only: it cannot be used now, and plan");
    result = lab_run(lab, "inventory", "host", "--transport", "direct", "--explain", NULL);
    cr_assert_eq(result.code, 0, "%s", result.err);
    cr_has_not(result.out, "ProxyCommand");
    cr_has(result.out, "# transport: direct\n");
    result = lab_run(lab, "inventory", "host", "--transport", "carrier-pigeon", NULL);
    cr_assert_eq(result.code, 64);
    result = lab_run(lab, "plan", "host", NULL);
    cr_assert_eq(result.code, 69, "no tailscaled answers, so nothing can carry a run: %s", result.out);
    cr_has(result.out, "tailscaled");
}

Test(inventory, where_no_way_can_be_used_the_evidence_is_shown_all_the_same)
{
    if (geteuid() != 0)
        cr_skip_test("mount namespaces need root");
    struct lab *lab = lab_new();
    tailnet_project(lab);
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_TRANSPORT", "tailnet");
    static const char *const no_tun[] = {"unshare",
                                         "--mount",
                                         "--propagation",
                                         "private",
                                         "sh",
                                         "-c",
                                         "mount -t tmpfs none /dev/net && exec \"$@\"",
                                         "sh",
                                         NULL};
    lab_within(lab, no_tun);

    struct lab_result plain = lab_run(lab, "inventory", "host", NULL);
    cr_expect_eq(plain.code, 69, "%s%s", plain.out, plain.err);
    cr_expect_str_empty(plain.out);

    struct lab_result explained = lab_run(lab, "inventory", "host", "--explain", NULL);
    cr_expect_eq(explained.code, 69, "%s%s", explained.out, explained.err);
    cr_has(explained.err, "no transport can be used");
    cr_has(explained.out, "# transport: none can be used");
    cr_has(explained.out, "# tailnet: not usable (no tailscaled answers at ");
    cr_has(explained.out, "nobody there (No such file or directory)");
    cr_has(explained.out, "there is no TUN device /dev/net/tun (No such file or directory); what would give");

    struct lab_result json = lab_run(lab, "inventory", "host", "--json", NULL);
    cr_expect_eq(json.code, 69, "%s%s", json.out, json.err);
    AUTO_JSON *answer = json_parse(json.out, strlen(json.out), NULL);
    cr_assert_not_null(answer, "%s", json.out);
    cr_expect(json_get_string(answer, "transport", NULL) == NULL);
    cr_expect(json_get_string(answer, "inventory", NULL) == NULL);
    cr_expect_str_eq(json_get_string(json_get(answer, "tun"), "verdict", ""), "absent");
    cr_expect_gt(json_count(json_get(answer, "looked")), 3);
}
