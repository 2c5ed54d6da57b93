/* What was made and what the files say of it now: which keys are compared, which differences stop, which are
 * taken over, and what is no difference. */
#include "provider/made.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "folder.h"
#include "provider/hetzner_order.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(made, .timeout = 60, .init = folder_fill, .fini = folder_clean);

#define KEY_A "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJu1Cw9kZ8pVfQmT3sXyLh2nD5rE7gBvKq4oWtYcMaNb"
#define KEY_B "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"

static void with_target(const char *lines)
{
    AUTO_FREE char *text = xasprintf("project: demo\ntargets:\n  vault:\n    recipe: vault\n    %s\n", lines);
    folder_write("triphase.yml", text);
}

/* The row as a provider fills it in. */
static struct machine *make(const char *provider, bool noted)
{
    AUTO_PROJECT *project = folder_load();
    const struct target *target = project_target(project, "vault", NULL);
    bool is_static = text_is(provider, "static");
    struct machine *machine = machine_new();
    machine->provider = xstrdup(provider);
    machine->made_ns = 1;
    machine->address = xstrdup(is_static ? "192.0.2.1" : "10.200.0.2");
    machine->port = target->port ? target->port : 22;
    machine->user = xstrdup(target->user ? target->user : is_static ? "alice" : "root");
    machine->key = is_static ? xstrdup_or_null(target->key) : xstrdup("/machine/key");
    machine->jump = is_static ? xstrdup_or_null(target->jump) : NULL;
    words_add(&machine->host_keys, KEY_A);
    if (noted)
        made_note(project, target, machine);
    /* Through the store and back. */
    AUTO_JSON *record = machine_to_json(machine);
    machine_free(machine);
    return machine_from_json(record);
}

/* "key effect, key effect" of what differs now. malloc'ed. `resolved`: what ssh makes of it now, or NULL. */
static char *differs(const struct machine *machine, const struct machine *resolved)
{
    AUTO_PROJECT *project = folder_load();
    AUTO_MADE made = MADE_INIT;
    made_compare(project, project_target(project, "vault", NULL), machine, resolved, &made);
    AUTO_JSON *list = made_json(&made);
    struct text out = TEXT_INIT;
    for (size_t i = 0; i < json_count(list); i++)
        text_addf(&out, "%s%s %s", i ? ", " : "", json_get_string(json_at(list, i), "key", "?"),
                  json_get_string(json_at(list, i), "effect", "?"));
    return text_take(&out);
}

#define BOX "provider: static\n    address: 192.0.2.1\n    host_keys: ['" KEY_A "']"

static const struct {
    const char *provider, *then, *now, *expected;
} rows[] = {
    {"static", BOX, BOX, ""},
    {"static", BOX, "provider: static\n    address: 192.0.2.9\n    host_keys: ['" KEY_A "']",
     "address refused"},
    {"static", BOX "\n    port: 22", BOX "\n    port: 2222", "port taken-over"},
    {"static", BOX, BOX "\n    port: 22", ""},
    {"static", BOX, BOX "\n    user: alice", ""},
    {"static", BOX "\n    user: bob", BOX "\n    user: carol", "user taken-over"},
    {"static", BOX "\n    key: ./one", BOX "\n    key: one", ""},
    {"static", BOX "\n    key: ./one", BOX "\n    key: two", "key taken-over"},
    {"static", BOX, BOX "\n    jump: hop", "jump taken-over"},
    {"static", BOX, BOX "\n    ssh_options: [Compression=yes]", "ssh_options taken-over"},
    {"static", BOX "\n    ssh_options: [Compression=yes]", BOX, "ssh_options taken-over"},
    {"static", BOX "\n    user: bob", BOX, "user stays"},
    {"static", BOX, "provider: static\n    address: 192.0.2.1\n    host_keys: ['" KEY_B "']",
     "host_keys refused"},
    {"static", BOX, "provider: static\n    address: 192.0.2.1\n    host_keys: ['" KEY_B "', '" KEY_A "']",
     ""},
    {"static", BOX, "provider: static\n    address: 192.0.2.1\n    host_keys: accept-new", ""},
    {"static", BOX, BOX "\n    root: debian-13", ""},
    {"static", BOX, "root: debian-12", "provider refused"},
    {"static", BOX, BOX "\n    transport: [direct]\n    python: /opt/python\n    deadline: 5h", ""},
    {"sandbox", "port: 22", "port: 22", ""},
    {"sandbox", "port: 22", "port: 2222", "port refused"},
    {"sandbox", "port: 22", "user: admin", "user refused"},
    {"sandbox", "port: 22", "port: 22\n    address: 192.0.2.9", "address refused"},
    {"sandbox", "address: 192.0.2.9\n    key: ./mine", "address: 192.0.2.9\n    key: ./mine", ""},
    {"sandbox", "key: ./mine", "key: ./other", "key refused"},
    {"sandbox", "port: 22", "root: debian-12", ""},
    {"sandbox", "port: 22", "root: debian-13", "root at-making"},
    {"sandbox", "root: debian-13", "port: 22", "root stays"},
    {"sandbox", "port: 2200", "root: debian-12", "port stays"},
    {"sandbox", "port: 22", BOX, "provider refused, address refused"},
    {"sandbox", "port: 22", "ssh_options: [Compression=yes]", "ssh_options taken-over"},
};

static void sort_into(const char *list, struct words *out)
{
    AUTO_FREE char *copy = xstrdup(list);
    char *state = NULL;
    for (char *part = strtok_r(copy, ",", &state); part; part = strtok_r(NULL, ",", &state))
        words_add(out, part + strspn(part, " "));
    words_sort_unique(out);
}

Test(made, each_key_is_compared_as_the_table_says)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        with_target(rows[i].then);
        AUTO_MACHINE *machine = make(rows[i].provider, true);
        with_target(rows[i].now);
        AUTO_FREE char *found = differs(machine, NULL);
        AUTO_WORDS got = WORDS_INIT, wanted = WORDS_INIT;
        sort_into(found, &got);
        sort_into(rows[i].expected, &wanted);
        AUTO_FREE char *left = words_join(&got, ", "), *right = words_join(&wanted, ", ");
        cr_expect_str_eq(left, right, "%s, made as\n    %s\nnow\n    %s\n'%s' instead of '%s'",
                         rows[i].provider, rows[i].then, rows[i].now, left, right);
    }
}

Test(made, what_a_row_of_an_older_version_does_not_hold_is_no_difference)
{
    static const struct {
        const char *provider, *now, *expected;
    } old[] = {
        {"static", BOX "\n    ssh_options: [Compression=yes]", ""},
        {"static", BOX "\n    user: carol", "user taken-over"},
        {"static", "provider: static\n    address: 192.0.2.9\n    host_keys: accept-new", "address refused"},
        {"sandbox", "root: debian-13\n    key: ./mine\n    address: 192.0.2.9\n    jump: hop", ""},
        {"sandbox", "user: admin", "user refused"},
        {"sandbox", "recipe: vault", ""},
    };
    for (size_t i = 0; i < COUNT_OF(old); i++) {
        with_target("provider: sandbox");
        AUTO_MACHINE *machine = make(old[i].provider, false);
        AUTO_FREE char *text =
            xasprintf("project: demo\ntargets:\n  vault:\n    %s%s\n",
                      text_starts(old[i].now, "recipe") ? "" : "recipe: vault\n    ", old[i].now);
        folder_write("triphase.yml", text);
        AUTO_FREE char *found = differs(machine, NULL);
        cr_expect_str_eq(found, old[i].expected, "%s: %s", old[i].now, found);
    }
}

Test(made, a_layer_above_the_file_counts_as_the_file_does_and_is_named)
{
    with_target(BOX);
    AUTO_MACHINE *machine = make("static", true);
    folder_sets("targets.vault.address=192.0.2.7", NULL);
    AUTO_PROJECT *project = folder_load();
    const struct target *target = project_target(project, "vault", NULL);
    AUTO_MADE made = MADE_INIT;
    AUTO_ERROR err = ERROR_INIT;
    made_compare(project, target, machine, NULL, &made);
    cr_assert_eq(made_refuse(&made, target, machine, false, &err), -1);
    cr_expect_eq(err.kind, ERROR_PROJECT);
    cr_has(error_text(&err), "address was made as 192.0.2.1, --set targets.vault.address says 192.0.2.7");
    cr_has(error_text(&err), "triphase destroy vault");
    cr_has(error_text(&err), "triphase forget vault");
    folder_sets("keep=90d", NULL);
    folder_environment("TRIPHASE_TARGETS_VAULT_USER=dave", NULL);
    AUTO_FREE char *by_environment = differs(machine, NULL);
    cr_expect_str_eq(by_environment, "user taken-over");
}

Test(made, an_alias_of_sshs_that_leads_elsewhere_by_now_is_another_address)
{
    with_target("provider: static\n    address: box\n    host_keys: ['" KEY_A "']");
    AUTO_MACHINE *machine = make("static", true);
    AUTO_MACHINE *resolved = machine_new();
    resolved->address = xstrdup("192.0.2.1");
    resolved->port = 22;
    resolved->user = xstrdup("alice");
    AUTO_FREE char *same = differs(machine, resolved);
    cr_expect_str_eq(same, "", "%s", same);
    free(resolved->address);
    resolved->address = xstrdup("192.0.2.8");
    AUTO_FREE char *other = differs(machine, resolved);
    cr_expect_str_eq(other, "address refused");
    AUTO_FREE char *unknown = differs(machine, NULL);
    cr_expect_str_eq(unknown, "", "what ssh cannot say now is no difference");
}

Test(made, what_counts_at_making_alone_stops_create_and_nothing_else)
{
    with_target("port: 22");
    AUTO_MACHINE *machine = make("sandbox", true);
    with_target("port: 22\n    root: debian-13");
    AUTO_PROJECT *project = folder_load();
    const struct target *target = project_target(project, "vault", NULL);
    AUTO_MADE made = MADE_INIT;
    AUTO_ERROR err = ERROR_INIT;
    made_compare(project, target, machine, NULL, &made);
    cr_expect_eq(made_refuse(&made, target, machine, false, &err), 0);
    cr_expect_eq(made_refuse(&made, target, machine, true, &err), -1);
    cr_has(error_text(&err), "root was made as debian-12, triphase.yml:6:5 says debian-13");
    cr_has_not(error_text(&err), "forget");
}

/* Of a server: what it is made of counts when it is made, where it is as long as the list has it, how it is
 * asked for never. */
Test(made, of_a_server_the_keys_of_its_making_are_compared_and_a_place_of_the_list_is_any)
{
#define SERVER "provider: hetzner\n    server_type: cx23\n    "
    static const struct {
        const char *lines, *differs;
    } all[] = {
        {SERVER "location: [fsn1, nbg1]", ""},
        {SERVER "location: [nbg1, fsn1, hel1]", ""},
        {SERVER "location: fsn1", ""},
        {SERVER "location: nbg1", "location at-making"},
        {SERVER "port: 22", ""},
        {SERVER "endpoint: http://127.0.0.1/v1\n    token: {file: x}\n    labels: {a: b}", ""},
        {SERVER "image: docker-ce", ""},
        {SERVER "image: debian-12", "image at-making"},
        {"provider: hetzner\n    server_type: cx33", "server_type at-making"},
        {SERVER "ssh_keys: [a]", "ssh_keys at-making"},
        {SERVER "networks: [a]", "networks at-making"},
        {SERVER "firewalls: [a]", "firewalls at-making"},
        {SERVER "firewalls: [{in: [tcp/22]}]", "firewalls at-making"},
        {SERVER "user_data: x", "user_data at-making"},
        {SERVER "ipv4: false", "ipv4 at-making"},
        {SERVER "ipv6: false", "ipv6 at-making"},
        {SERVER "placement_group: a", "placement_group at-making"},
    };
    with_target(all[0].lines);
    AUTO_MACHINE *machine = make("hetzner", true);
    AUTO_PROJECT *project = folder_load();
    json_free(machine->resources);
    machine->resources = json_new_object();
    json_set(machine->resources, HETZNER_MAKING, hetzner_order_making(&project->targets[0].cloud));
    json_set_string(machine->resources, "location", "fsn1");
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        with_target(all[i].lines);
        AUTO_FREE char *said = differs(machine, NULL);
        cr_expect_str_eq(said, all[i].differs, "'%s' of '%s'", said, all[i].lines);
    }
    folder_sets("targets.vault.provider=sandbox", NULL);
    AUTO_FREE char *other = differs(machine, NULL);
    cr_expect_str_eq(other, "provider refused");
}

Test(made, what_is_taken_over_is_in_the_machine_and_written_down)
{
    with_target(BOX "\n    user: bob\n    jump: hop");
    AUTO_MACHINE *machine = make("static", true);
    with_target(BOX "\n    user: carol\n    port: 2222\n    key: ./new\n    ssh_options: [Compression=yes]");
    AUTO_PROJECT *project = folder_load();
    const struct target *target = project_target(project, "vault", NULL);
    AUTO_MACHINE *resolved = machine_new();
    resolved->address = xstrdup("192.0.2.1");
    resolved->port = 2222;
    resolved->user = xstrdup("carol");
    resolved->key = xstrdup(target->key);
    made_take(project, target, resolved, machine);
    cr_expect_str_eq(machine->user, "carol");
    cr_expect_eq(machine->port, 2222);
    cr_expect_str_eq(machine->key, target->key);
    cr_expect_null(machine->jump, "it is said no more");
    cr_expect(words_have(&machine->ssh_options, "Compression=yes"));
    cr_expect_str_eq(machine->address, "192.0.2.1");
    cr_expect_str_eq(json_get_string(machine->said, "user", ""), "carol");
    cr_expect_str_eq(json_get_string(machine->said, "jump", ""), "");
    AUTO_FREE char *after = differs(machine, resolved);
    cr_expect_str_eq(after, "", "%s", after);
}

/* As ansible/host_variables.h leaves it: port 0 for a variable that nothing says. */
static struct project *with_port_variable(bool asked, int port)
{
    struct project *project = folder_load();
    struct target *target = &project->targets[0];
    target->port_is_ansibles = port;
    target->port = port;
    target->host_variables = asked ? json_new_object() : NULL;
    return project;
}

static struct machine *resolved_at(int port)
{
    struct machine *resolved = machine_new();
    resolved->address = xstrdup("192.0.2.1");
    resolved->user = xstrdup("alice");
    resolved->port = port;
    return resolved;
}

/* What differs, with its port afterwards. malloc'ed. */
static char *after_variables(struct machine *machine, bool asked, int port)
{
    AUTO_PROJECT *project = with_port_variable(asked, port);
    AUTO_MACHINE *resolved = resolved_at(port ? port : 22);
    AUTO_MADE made = MADE_INIT;
    made_compare(project, &project->targets[0], machine, resolved, &made);
    AUTO_FREE char *text = made.count ? made_text(&made.items[0]) : xstrdup("nothing");
    made_take(project, &project->targets[0], resolved, machine);
    return xasprintf("%s; %d", text, machine->port);
}

Test(made, what_a_variable_says_no_more_does_not_count_once_somebody_asked)
{
    with_target(BOX);
    AUTO_MACHINE *machine = make("static", true);
    AUTO_PROJECT *project = with_port_variable(true, 2222);
    machine->port = 2222;
    made_note(project, &project->targets[0], machine);
    static const struct {
        bool asked;
        int port;
        const char *expected;
    } now[] = {
        {true, 2222, "nothing; 2222"},
        {false, 0, "nothing; 2222"},
        {true, 2223,
         "port was made as 2222, the variable ansible_port says 2223: that is taken over once the "
         "same host, known by its host key, answers over it; 2223"},
        {true, 0,
         "port was made as 2223, and nothing says it any more: that is taken over once the same host, "
         "known by its host key, answers over it; 22"},
        {true, 0, "nothing; 22"},
    };
    for (size_t i = 0; i < COUNT_OF(now); i++) {
        AUTO_FREE char *found = after_variables(machine, now[i].asked, now[i].port);
        cr_expect_str_eq(found, now[i].expected, "%zu: %s", i, found);
    }
}

Test(made, what_is_taken_over_into_a_copy_leaves_the_row_as_it_is)
{
    with_target(BOX "\n    user: bob");
    AUTO_MACHINE *machine = make("static", true);
    AUTO_MACHINE *copy = machine_copy(machine);
    with_target(BOX "\n    user: carol");
    AUTO_PROJECT *project = folder_load();
    made_take(project, project_target(project, "vault", NULL), NULL, copy);
    cr_expect_str_eq(json_get_string(copy->said, "user", ""), "carol");
    cr_expect_str_eq(json_get_string(machine->said, "user", ""), "bob");
}

Test(made, whoever_removes_it_goes_by_the_keys_that_were_made)
{
    with_target(BOX);
    AUTO_MACHINE *machine = make("static", true);
    with_target("provider: static\n    address: 192.0.2.1\n    host_keys: ['" KEY_B "']");
    AUTO_PROJECT *project = folder_load();
    const struct target *target = project_target(project, "vault", NULL);
    struct target made = made_target(target, machine);
    cr_expect_eq(made.host_key_kind, HOST_KEYS_DEFAULT, "the row's own keys");
    cr_expect_eq(target->host_key_kind, HOST_KEYS_LIST);
}
