/* ssh arguments: what a hostile value can do to ssh's command line and to what ssh reads from it, asked of
 * ssh itself. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "process/program.h"
#include "transport/known_hosts.h"
#include "transport/route.h"
#include "transport/ssh_options.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#define cr_has(text, part)     cr_assert(strstr((text), (part)), "'%s' does not say '%s'", (text), (part))
#define cr_has_not(text, part) cr_assert_null(strstr((text), (part)), "'%s' says '%s'", (text), (part))

static struct target target;
static struct machine *machine;

static void begin(void)
{
    target = (struct target){.name = "vault", .provider = "sandbox", .recipe = "vault", .host_name = "vault"};
    machine = machine_new();
    machine->id = xstrdup("01890000-0000-7000-8000-00000000abcd");
    machine->provider = xstrdup("sandbox");
    machine->address = xstrdup("192.0.2.7");
    machine->user = xstrdup("root");
    machine->port = 2222;
    machine->directory = xstrdup("/srv/p/.triphase/machines/m");
}

static void end(void)
{
    machine_free(machine);
}

TestSuite(ssh_arguments, .init = begin, .fini = end);

static void set(char **field, const char *value)
{
    free(*field);
    *field = xstrdup(value);
}

static struct ssh_arguments make(enum transport_kind kind, const char *directory)
{
    struct ssh_arguments made = SSH_ARGUMENTS_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(ssh_arguments_make(machine, &target, kind, directory, NULL, 2, 8, &made, &err) == 0, "%s",
              error_text(&err));
    return made;
}

static char *refusal(enum transport_kind kind)
{
    struct ssh_arguments made = SSH_ARGUMENTS_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(ssh_arguments_make(machine, &target, kind, NULL, NULL, 2, 8, &made, &err) < 0);
    cr_assert_eq(err.kind, ERROR_PROJECT);
    cr_assert_null(made.text, "an output was touched");
    return xstrdup(error_text(&err));
}

/* All lines of `ssh -G` with these arguments. */
static char *asked(const struct ssh_arguments *ssh)
{
    AUTO_WORDS argv = WORDS_INIT;
    words_add_all(&argv, "ssh", "-G", "-F", "none", NULL);
    words_add_list(&argv, words_argv(&ssh->options));
    words_add_all(&argv, "--", ssh->host, NULL);
    AUTO_TEXT out = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(program_do_argv(20 * NS_PER_S, words_argv(&argv), &out, &err) == 0, "%s", error_text(&err));
    return text_take(&out);
}

Test(ssh_arguments, ssh_reads_what_was_forced)
{
    AUTO_SSH_ARGUMENTS ssh = make(TRANSPORT_DIRECT, "/tmp/triphase-1000/0123456789abd");
    AUTO_FREE char *lines = asked(&ssh);
    cr_has(lines, "\nserveraliveinterval 2\n");
    cr_has(lines, "\nserveralivecountmax 8\n");
    cr_has(lines, "\nbatchmode yes\n");
    cr_has(lines, "\nstricthostkeychecking true\n");
    cr_has(lines, "\nhostkeyalias triphase-01890000-0000-7000-8000-00000000abcd\n");
    cr_has(lines, "\nuserknownhostsfile /srv/p/.triphase/machines/m/known_hosts\n");
    cr_has(lines, "user root\n");
    cr_has(lines, "\nport 2222\n");
    cr_has(lines, "\ncontrolmaster auto\n");
    cr_has(lines, "\ncontrolpath /tmp/triphase-1000/0123456789abd/");
}

/* Everything that a path may hold, in each place where a path goes through ssh's parser. */
Test(ssh_arguments, hostile_paths_arrive_byte_for_byte)
{
    static const char *const names[] = {
        "plain",
        "a b",
        "it's",
        "say \"hi\"",
        "100%",
        "%h%%d",
        "{{ 1 + 1 }}",
        "back\\slash",
        "-oProxyCommand=x",
        "#comment",
        "a;b&c|d",
        "$(id)`id`$HOME",
        "key: value",
        "!unsafe [x, {y}]",
        "tab=less",
        "\xc3\xa9\xe2\x82\xac",
    };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_FREE char *directory = xasprintf("/p/%s/m", names[i]);
        AUTO_FREE char *key = xasprintf("/k/%s", names[i]);
        AUTO_FREE char *sockets = xasprintf("/s/%s", names[i]);
        set(&machine->directory, directory);
        set(&machine->key, key);
        AUTO_SSH_ARGUMENTS ssh = make(TRANSPORT_DIRECT, sockets);
        AUTO_FREE char *lines = asked(&ssh);
        AUTO_FREE char *known = xasprintf("\nuserknownhostsfile /p/%s/m/known_hosts\n", names[i]);
        AUTO_FREE char *control = xasprintf("\ncontrolpath /s/%s/", names[i]);
        cr_has(lines, known);
        cr_has(lines, control);
        /* -G does not expand this one. */
        AUTO_TEXT identity = TEXT_INIT;
        text_add(&identity, "\nidentityfile /k/");
        for (const char *c = names[i]; *c; c++)
            text_addf(&identity, "%s%c", *c == '%' ? "%" : "", *c);
        text_add_char(&identity, '\n');
        cr_has(lines, text_string(&identity));
        cr_has_not(lines, "\nproxycommand ");
    }
}

/* The string is read by Python's shlex in Ansible; a POSIX shell reads these quotes alike. */
Test(ssh_arguments, the_string_splits_into_the_very_words)
{
    set(&machine->directory, "/p/it's a \"path\" $(id) `x` \\ {{ y }} %d/m");
    AUTO_SSH_ARGUMENTS ssh = make(TRANSPORT_DIRECT, "/s/it's");
    static const char script[] = "import shlex, sys; sys.stdout.write('\\0'.join(shlex.split(sys.argv[1])))";
    AUTO_TEXT out = TEXT_INIT, wanted = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(program_do(20 * NS_PER_S, &out, &err, "python3", "-c", script, ssh.text, NULL) == 0, "%s",
              error_text(&err));
    for (size_t i = 0; i < ssh.options.count; i++)
        text_add_bytes(&wanted, ssh.options.items[i],
                       strlen(ssh.options.items[i]) + (i + 1 < ssh.options.count));
    cr_assert_eq(out.length, wanted.length);
    cr_assert_eq(memcmp(out.bytes, wanted.bytes, wanted.length), 0);
}

/* Three readers one behind the other: ssh's % tokens, then a shell, then tailscale's flags. */
Test(ssh_arguments, a_proxy_command_starts_one_program_with_the_socket_as_one_word)
{
    char folder[] = "/tmp/triphase-proxy.XXXXXX";
    cr_assert(mkdtemp(folder));
    AUTO_FREE char *program = xasprintf("%s/tailscale", folder);
    AUTO_FREE char *seen = xasprintf("%s/seen", folder);
    AUTO_FREE char *text = xasprintf("#!/bin/sh\nprintf '%%s\\n' \"$@\" >%s\n", seen);
    cr_assert(file_replace(program, text, strlen(text), 0755, NULL) == 0);
    target.tailscale_socket = "/s/it's 100% \"mine\" $(touch /tmp/triphase-never) `id` ;&|/{{ x }}.sock";
    AUTO_SSH_ARGUMENTS ssh = make(TRANSPORT_TAILNET_USERSPACE, NULL);
    AUTO_WORDS argv = WORDS_INIT;
    words_add_all(&argv, "ssh", "-F", "none", NULL);
    words_add_list(&argv, words_argv(&ssh.options));
    words_add_all(&argv, "--", ssh.host, "true", NULL);
    AUTO_FREE char *path = xasprintf("PATH=%s:%s", folder, getenv("PATH"));
    const char *const environment[] = {path, NULL};
    struct child_end ended;
    struct program run = {.argv = words_argv(&argv), .environment = environment, .bound_ns = 20 * NS_PER_S};
    cr_assert(program_run(&run, NULL, NULL, &ended, NULL) == 0);
    AUTO_TEXT got = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    int read = file_read(seen, 4096, &got, &err);
    file_remove_tree(folder, NULL);
    cr_assert(read == 0, "the proxy was not started: %s", error_text(&err));
    AUTO_FREE char *wanted = xasprintf("--socket=%s\nnc\n192.0.2.7\n2222\n", target.tailscale_socket);
    cr_assert_str_eq(text_string(&got), wanted);
}

Test(ssh_arguments, what_ssh_could_not_take_is_refused_by_name)
{
    static const struct {
        const char *address, *user, *jump, *directory, *says;
    } cases[] = {
        {"-oProxyCommand=touch /tmp/x", NULL, NULL, NULL, "begins with '-'"},
        {"host name", NULL, NULL, NULL, "address"},
        {"a\nProxyCommand x", NULL, NULL, NULL, "address"},
        {"$(id)", NULL, NULL, NULL, "address"},
        {"%h", NULL, NULL, NULL, "address"},
        {"{{ lookup('pipe', 'id') }}", NULL, NULL, NULL, "address"},
        {"", NULL, NULL, NULL, "empty"},
        {NULL, "-l", NULL, NULL, "user"},
        {NULL, "root\" ProxyCommand=\"x", NULL, NULL, "user"},
        {NULL, "ro ot", NULL, NULL, "user"},
        {NULL, "a\nb", NULL, NULL, "user"},
        {NULL, NULL, "-oProxyCommand=x", NULL, "jump"},
        {NULL, NULL, "a@-oProxyCommand=x", NULL, "jump"},
        {NULL, NULL, "ok,-x", NULL, "jump"},
        {NULL, NULL, "a b", NULL, "jump"},
        {NULL, NULL, NULL, "/p/${HOME}/m", "${"},
        {NULL, NULL, NULL, "/p/a\nb/m", "control character"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        end();
        begin();
        if (cases[i].address)
            set(&machine->address, cases[i].address);
        if (cases[i].user)
            set(&machine->user, cases[i].user);
        if (cases[i].jump)
            set(&machine->jump, cases[i].jump);
        if (cases[i].directory)
            set(&machine->directory, cases[i].directory);
        AUTO_FREE char *message = refusal(TRANSPORT_DIRECT);
        cr_has(message, cases[i].says);
        cr_assert_null(strchr(message, '\n'), "a value broke the message's line: %s", message);
    }
}

Test(ssh_arguments, forced_options_are_refused_in_the_users_own)
{
    static const char *const options[] = {"ControlPath=/tmp/x",
                                          "controlmaster=no",
                                          "StrictHostKeyChecking no",
                                          "UserKnownHostsFile=/dev/null",
                                          "User=x",
                                          "ProxyCommand=nc x",
                                          "NoValue",
                                          "Bad Name\n=x",
                                          "=x",
                                          "-oPort=1"};
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        words_add(&target.ssh_options, options[i]);
        AUTO_FREE char *message = refusal(TRANSPORT_DIRECT);
        cr_assert(*message);
        words_clear(&target.ssh_options);
    }
    words_add(&target.ssh_options, "Compression=yes");
    AUTO_SSH_ARGUMENTS ssh = make(TRANSPORT_DIRECT, NULL);
    AUTO_FREE char *lines = asked(&ssh);
    cr_has(lines, "\ncompression yes\n");
    words_clear(&target.ssh_options);
}

Test(ssh_arguments, a_control_path_fits_a_socket_or_is_refused)
{
    AUTO_SSH_ARGUMENTS usual = make(TRANSPORT_DIRECT, "/tmp/triphase-1000/0123456789abd");
    AUTO_SSH_ARGUMENTS longer = make(TRANSPORT_DIRECT, "/tmp/triphase-1650200513/0123456789abd");
    struct transport_route route = {0};
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(transport_resolve(&usual, &route, &err) == 0, "%s", error_text(&err));
    cr_assert(strlen(route.control_path) <= 90);
    cr_assert_null(strchr(route.control_path, '%'));
    transport_route_clear(&route);
    cr_assert(transport_resolve(&longer, &route, &err) == 0, "%s", error_text(&err));
    cr_assert(strlen(route.control_path) <= 90, "%s", route.control_path);
    transport_route_clear(&route);
    char folder[128] = "/";
    memset(folder + 1, 'x', sizeof(folder) - 2);
    struct ssh_arguments made = SSH_ARGUMENTS_INIT;
    cr_assert(ssh_arguments_make(machine, &target, TRANSPORT_DIRECT, folder, NULL, 2, 8, &made, &err) < 0);
    cr_has(error_text(&err), "too long");
}

/* Whoever connects as another user must not ride the first one's master. */
Test(ssh_arguments, what_differs_gets_a_socket_of_its_own)
{
    struct transport_route one = {0}, two = {0};
    AUTO_SSH_ARGUMENTS first = make(TRANSPORT_DIRECT, "/s");
    set(&machine->user, "deploy");
    AUTO_SSH_ARGUMENTS second = make(TRANSPORT_DIRECT, "/s");
    cr_assert(transport_resolve(&first, &one, NULL) == 0 && transport_resolve(&second, &two, NULL) == 0);
    cr_assert_str_neq(one.control_path, two.control_path);
    transport_route_clear(&one);
    transport_route_clear(&two);
}

Test(ssh_arguments, patience_ends_within_what_was_asked)
{
    cr_assert_eq(ssh_alive_count(18 * NS_PER_S), 8);
    cr_assert_eq(ssh_alive_count(8 * NS_PER_S), 3);
    cr_assert_eq(ssh_alive_count(0), 1);
    cr_assert_eq(ssh_alive_count(NS_PER_S), 1);
}

Test(ssh_arguments, known_hosts_stand_under_the_machines_name)
{
    char folder[] = "/tmp/triphase-known.XXXXXX";
    cr_assert(mkdtemp(folder));
    set(&machine->directory, folder);
    words_add(&machine->host_keys, "ssh-ed25519 AAAAfirst");
    words_add(&machine->host_keys, "192.0.2.7 ecdsa-sha2-nistp256 AAAAsecond comment");
    AUTO_ERROR err = ERROR_INIT;
    AUTO_TEXT got = TEXT_INIT;
    AUTO_FREE char *path = file_join(folder, "known_hosts");
    int wrote = known_hosts_write(machine, &target, "/", &err);
    int read = file_read(path, 4096, &got, NULL);
    target.host_key_kind = HOST_KEYS_ACCEPT_NEW;
    words_clear(&machine->host_keys);
    int again = known_hosts_write(machine, &target, "/", &err);
    AUTO_TEXT kept = TEXT_INIT;
    int read_again = file_read(path, 4096, &kept, NULL);
    file_remove_tree(folder, NULL);
    cr_assert(wrote == 0 && read == 0 && again == 0 && read_again == 0, "%s", error_text(&err));
    cr_assert_str_eq(
        text_string(&got),
        "triphase-01890000-0000-7000-8000-00000000abcd ssh-ed25519 AAAAfirst\n"
        "triphase-01890000-0000-7000-8000-00000000abcd ecdsa-sha2-nistp256 AAAAsecond comment\n");
    cr_assert_str_eq(text_string(&kept), text_string(&got), "keys that were learned are kept");
}

Test(ssh_arguments, the_key_exchange_is_left_alone_where_packets_leave_this_machine)
{
    AUTO_SSH_ARGUMENTS here = make(TRANSPORT_DIRECT, NULL);
    cr_has(here.text, "KexAlgorithms");
    set(&machine->provider, "static");
    AUTO_SSH_ARGUMENTS away = make(TRANSPORT_DIRECT, NULL);
    cr_has_not(away.text, "KexAlgorithms");
}

/* What ssh is told where the key is in triphase's own agent; NULL: it is told of the key itself. */
static struct ssh_arguments with_agent(const char *agent)
{
    struct ssh_arguments made = SSH_ARGUMENTS_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(ssh_arguments_make(machine, &target, TRANSPORT_DIRECT, NULL, agent, 2, 8, &made, &err) == 0,
              "%s", error_text(&err));
    return made;
}

Test(ssh_arguments, a_key_with_a_passphrase_is_the_only_one_of_its_agent_that_is_offered_and_is_not_forwarded)
{
    set(&machine->provider, "static");
    set(&machine->key, "/srv/keys/key");
    target.key_passphrase.kind = SECRET_FILE;
    AUTO_SSH_ARGUMENTS ssh = with_agent("/run/a b%d");
    AUTO_FREE char *lines = asked(&ssh);
    cr_has(lines, "\nidentityagent /run/a b%d/agent\n");
    cr_has(lines, "\nidentityfile /run/a b%%d/vault.pub\n");
    cr_has(lines, "\nidentitiesonly yes\n");
    cr_has(lines, "\nforwardagent no\n");
    cr_has_not(lines, "/srv/keys/key");
    cr_expect(ssh.own_agent);

    AUTO_SSH_ARGUMENTS by_hand = with_agent(NULL);
    AUTO_FREE char *others = asked(&by_hand);
    cr_has(others, "\nidentityfile /srv/keys/key\n");
    cr_has_not(others, "identityagent");
    cr_expect_not(by_hand.own_agent);
}

Test(ssh_arguments, no_agent_is_named_for_a_key_that_needs_none)
{
    set(&machine->key, "/srv/keys/key");
    target.key_passphrase.kind = SECRET_FILE;
    cr_expect_not(ssh_needs_agent(machine, &target), "a sandbox's own key");
    set(&machine->provider, "static");
    cr_expect(ssh_needs_agent(machine, &target));
    set(&machine->key, "agent");
    cr_expect_not(ssh_needs_agent(machine, &target), "the user's agent");
    set(&machine->key, "/srv/keys/key");
    target.key_passphrase.kind = SECRET_NONE;
    cr_expect_not(ssh_needs_agent(machine, &target), "no passphrase");
    AUTO_SSH_ARGUMENTS ssh = with_agent("/run/x");
    cr_has_not(ssh.text, "IdentityAgent");
}

/* What Ansible's own settings say for ssh is what triphase's connections have too, but
 * never before what is forced. */
Test(ssh_arguments, ansibles_own_arguments_stand_behind_and_reach_every_connection)
{
    target.ssh_args = "-C -vvv -tt -o ControlPath=/tmp/theirs -o 'Compression yes'";
    target.ssh_common_args = "-J hop@192.0.2.1 -i \"/a key\"";
    target.ssh_extra_args = "-o ForwardAgent=yes";
    set(&machine->provider, "static");
    struct ssh_arguments made = make(TRANSPORT_DIRECT, "/tmp/s");
    AUTO_FREE char *lines = asked(&made);
    cr_has(lines, "\ncontrolpath /tmp/s/");
    cr_has(lines, "\ncompression yes\n");
    cr_has(lines, "\nproxyjump hop@[192.0.2.1]\n");
    cr_has(lines, "\nforwardagent yes\n");
    cr_assert(words_have(&made.options, "/a key"));
    cr_assert_not(words_have(&made.options, "-vvv") || words_have(&made.options, "-tt"),
                  "a terminal or a flood of words belongs to Ansible's own connections alone");
    AUTO_WORDS words = WORDS_INIT;
    cr_assert(words_add_split(&words, made.text) == 0);
    cr_assert(words_have(&words, "-vvv") && words_have(&words, "/a key"));
    cr_assert_null(strstr(made.text, "ForwardAgent"), "the extra arguments Ansible adds by itself");
    ssh_arguments_clear(&made);
}

Test(ssh_arguments, a_jump_of_the_targets_and_one_of_ansibles_are_no_mistake_for_ssh_and_the_targets_counts)
{
    set(&machine->provider, "static");
    set(&machine->jump, "own@192.0.2.2");
    target.ssh_common_args = "-J hop@192.0.2.1";
    struct ssh_arguments made = make(TRANSPORT_DIRECT, NULL);
    AUTO_FREE char *lines = asked(&made);
    cr_has(lines, "\nproxyjump own@[192.0.2.2]\n");
    ssh_arguments_clear(&made);
}

Test(ssh_arguments, a_sandbox_is_reached_past_no_host_that_leads_to_others)
{
    target.ssh_common_args = "-o ProxyJump=hop@192.0.2.1";
    struct ssh_arguments made = make(TRANSPORT_DIRECT, NULL);
    AUTO_FREE char *lines = asked(&made);
    cr_assert_null(strstr(lines, "proxyjump"), "%s", lines);
    ssh_arguments_clear(&made);
}

Test(ssh_arguments, a_quote_that_does_not_end_is_refused_by_name)
{
    target.ssh_extra_args = "-o 'User=x";
    AUTO_FREE char *message = refusal(TRANSPORT_DIRECT);
    cr_has(message, "ssh_extra_args are not closed");
}

Test(ssh_arguments, each_transport_has_its_own_address_and_all_have_the_same_host_keys)
{
    static const char device[] = "{\"address\":\"100.64.0.9\"}";
    machine->tailnet = json_parse(device, strlen(device), NULL);
    for (int kind = 0; kind < TRANSPORT_KINDS; kind++) {
        AUTO_SSH_ARGUMENTS ssh = make((enum transport_kind)kind, NULL);
        AUTO_FREE char *lines = asked(&ssh);
        cr_expect_str_eq(ssh.host, kind == TRANSPORT_DIRECT ? "192.0.2.7" : "100.64.0.9");
        cr_has(lines, "\nhostkeyalias triphase-01890000-0000-7000-8000-00000000abcd\n");
    }
}
