/* One truth for what ssh may be given, wherever it was written: the target's keys, the row of its machine,
 * and what is Ansible's own. */
#include "config/ssh_rules.h"

#include "base/memory.h"
#include "base/text.h"
#include "transport/ssh_options.h"
#include "unit/folder.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(ssh_rules, .init = folder_fill, .fini = folder_clean);

static void with_line(const char *line)
{
    AUTO_FREE char *file =
        xasprintf("project: p\ntargets:\n  vault:\n    provider: static\n    recipe: vault\n"
                  "    address: 192.0.2.7\n    %s\n",
                  line);
    folder_write("triphase.yml", file);
}

static struct machine *machine_of_target(void)
{
    struct machine *machine = machine_new();
    machine->id = xstrdup("01890000-0000-7000-8000-00000000abcd");
    machine->provider = xstrdup("sandbox");
    machine->address = xstrdup("192.0.2.7");
    machine->user = xstrdup("root");
    machine->port = 2222;
    machine->key = xstrdup("/k");
    machine->directory = xstrdup("/srv/m");
    return machine;
}

static int make(const struct machine *machine, const struct target *target, struct ssh_arguments *out,
                struct error *err)
{
    return ssh_arguments_make(machine, target, TRANSPORT_DIRECT, "/tmp/s", NULL, 2, 8, out, err);
}

static struct target a_target(const struct ssh_option_rule *rule)
{
    struct target target = {.name = "vault", .provider = "sandbox"};
    if (rule && rule->bar == SSH_OPTION_NOT_BESIDE_AGENT)
        target.key_passphrase.kind = SECRET_ENV;
    return target;
}

Test(ssh_rules, an_option_is_refused_in_the_key_and_in_what_the_machines_row_holds)
{
    for (size_t i = 0; i < ssh_option_rule_count; i++) {
        const struct ssh_option_rule *rule = &ssh_option_rules[i];
        AUTO_FREE char *line = xasprintf("ssh_options: [%s=x]", rule->name);
        AUTO_FREE char *option = xasprintf("%s=x", rule->name);
        for (int in_row = 0; in_row < 2; in_row++) {
            struct target target = a_target(rule);
            AUTO_MACHINE *machine = machine_of_target();
            AUTO_SSH_ARGUMENTS made = SSH_ARGUMENTS_INIT;
            AUTO_ERROR err = ERROR_INIT;
            machine->ssh_options_known = in_row;
            words_add(in_row ? &machine->ssh_options : &target.ssh_options, option);
            cr_expect_eq(make(machine, &target, &made, &err), -1, "%s", option);
            cr_expect(strstr(error_text(&err), rule->name) && strstr(error_text(&err), rule->instead), "%s",
                      error_text(&err));
            words_clear(&target.ssh_options);
        }
        if (rule->bar == SSH_OPTION_NOT_BESIDE_AGENT)
            continue;
        with_line(line);
        AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
        cr_expect(strstr(said, "triphase.yml:7:") && strstr(said, rule->name) && strstr(said, rule->instead),
                  "%s", said);
    }
}

/* Where a word "NAME=…" stands, also joined to its -o; -1: nowhere. */
static int place_of(const struct words *words, const char *name, const char *value)
{
    AUTO_FREE char *start = xasprintf("%s=%s", name, value ? value : "");
    for (size_t i = 0; i < words->count; i++)
        if (value ? text_is(words->items[i], start) : text_starts(words->items[i], start))
            return (int)i;
    return -1;
}

Test(ssh_rules, of_an_option_in_ansibles_own_arguments_triphases_value_counts_and_none_is_refused)
{
    static const char *const forced[] = {"ControlPath",
                                         "ControlMaster",
                                         "ServerAliveInterval",
                                         "BatchMode",
                                         "UserKnownHostsFile",
                                         "StrictHostKeyChecking",
                                         "User",
                                         "Port",
                                         "HostKeyAlias",
                                         NULL};
    for (size_t i = 0; i < ssh_option_rule_count; i++) {
        const char *name = ssh_option_rules[i].name;
        AUTO_FREE char *file = xasprintf("[ssh_connection]\nssh_args = -o %s=theirs\n", name);
        AUTO_FREE char *common = xasprintf("ANSIBLE_SSH_COMMON_ARGS=-o %s=theirs", name);
        AUTO_FREE char *extra = xasprintf("ANSIBLE_SSH_EXTRA_ARGS=-o %s=theirs", name);
        folder_write("ansible.cfg", file);
        folder_environment(common, extra, NULL);
        with_line("port: 22");
        AUTO_PROJECT *project = folder_load();
        const struct target *target = &project->targets[0];
        AUTO_MACHINE *machine = machine_of_target();
        AUTO_SSH_ARGUMENTS made = SSH_ARGUMENTS_INIT;
        AUTO_ERROR err = ERROR_INIT;
        cr_assert(target->ssh_args && target->ssh_common_args && target->ssh_extra_args, "%s", name);
        cr_assert_eq(make(machine, target, &made, &err), 0, "%s", error_text(&err));
        int first = place_of(&made.options, name, NULL), theirs = place_of(&made.options, name, "theirs");
        cr_expect_neq(theirs, -1, "%s", name);
        cr_expect(first < theirs || !text_is_one_of(name, forced), "%s: theirs stands first", name);
    }
}

Test(ssh_rules, a_word_that_ssh_could_not_take_is_refused_in_the_key_as_in_the_machines_row)
{
    static const struct {
        const char *key, *value;
    } words[] = {
        {"address", "-oProxyCommand=x"},
        {"address", "a b"},
        {"address", "a$b"},
        {"address", "%h"},
        {"address", "a,b"},
        {"user", "-l"},
        {"user", "a b"},
        {"user", "a;b"},
        {"user", "a'b"},
        {"user", "$HOME"},
        {"jump", "-oX=y"},
        {"jump", "a@-x"},
        {"jump", "ok,-x"},
        {"jump", "a b"},
        {"jump", "a$b"},
        {"jump", "a;b"},
    };
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        AUTO_FREE char *file =
            xasprintf("project: p\ntargets:\n  vault:\n    provider: static\n    recipe: vault\n%s"
                      "    %s: \"%s\"\n",
                      text_is(words[i].key, "address") ? "" : "    address: 192.0.2.7\n", words[i].key,
                      words[i].value);
        folder_write("triphase.yml", file);
        AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
        cr_expect(strstr(said, words[i].key) && strstr(said, "triphase.yml:"), "%s", said);
        struct target target = a_target(NULL);
        AUTO_MACHINE *machine = machine_of_target();
        AUTO_SSH_ARGUMENTS made = SSH_ARGUMENTS_INIT;
        AUTO_ERROR err = ERROR_INIT;
        char **member = text_is(words[i].key, "address") ? &machine->address
                        : text_is(words[i].key, "user")  ? &machine->user
                                                         : &machine->jump;
        free(*member);
        *member = xstrdup(words[i].value);
        cr_expect_eq(make(machine, &target, &made, &err), -1, "%s %s", words[i].key, words[i].value);
    }
}
