/* The provider `hetzner` over the fake of its API: a whole create runs on a real host whose keys were never
 * believed at first sight, and what stands against it, whose it is and what the file says by then is told. */
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "lab/hetzner_project.h"
#include "lab/sandbox.h"
#include "lab/spilled.h"
#include "provider/provider.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(hetzner, .timeout = 180);

static const char whole_recipe[] = "phases:\n  - name: install\n    playbook: playbooks/work.yml\n"
                                   "  - name: converge\n    playbook: playbooks/converge.yml\n"
                                   "  - name: finalize\n    playbook: playbooks/finalize.yml\n";
/* Each finds what the one before it did, on the host. */
#define AFTER(before, own)                                                                               \
    "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - ansible.builtin.command: cmp " before  \
    " /root/users\n      changed_when: false\n    - ansible.builtin.copy: {src: /root/users, dest: " own \
    ", remote_src: true, mode: '0600'}\n"

static void has(const char *text, const char *part)
{
    cr_expect(strstr(text, part) != NULL, "no '%s' in: %s", part, text);
}

/* ---- a whole life on a real host ---- */

Test(hetzner, a_whole_create_on_a_real_host_pins_its_own_keys_and_leaves_nothing)
{
    /* Of this test alone, and no argument of the fake's. */
    struct lab *own = lab_new();
    AUTO_FREE char *secret = rig_output("head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \\n'"),
                   *fakes = xasprintf("%s/token", lab_folder(own));
    lab_write(own, "token", "%s\n", secret);
    struct hetzner *cloud = hetzner_start_hosts((const char *const[]){"--token-file", fakes, NULL});
    struct lab *lab =
        hetzner_project(cloud, "    location: [nbg1, fsn1]\n    firewalls: [{in: [tcp/22, icmp]}]\n"
                               "    user_data: first.sh\n    labels: {team: a}\n    ttl: 6h\n");
    AUTO_FREE char *token = xasprintf("%s/token", lab_folder(lab));
    lab_write(lab, "first.sh", "#!/bin/sh\necho of the user >/root/users\n");
    lab_write(lab, "phases/work.yml", "%s", whole_recipe);
    lab_write(lab, "playbooks/converge.yml", "%s", AFTER("/root/users", "/root/converged"));
    lab_write(lab, "playbooks/finalize.yml", "%s", AFTER("/root/converged", "/root/finalized"));
    lab_write(lab, "token", "%s\n", secret);
    spilled_watch(secret);
    spilled_watch(HETZNER_ROOT_PASSWORD);
    spilled_given(token);

    struct lab_result made = lab_run(lab, "create", "host", NULL);

    cr_assert_eq(made.code, 0, "%s", made.err);
    has(made.err, "host keys: by throw-away key");
    AUTO_FREE char *phases =
        lab_sql(lab, "SELECT group_concat(name || ' ' || outcome) FROM (SELECT name, outcome "
                     "FROM step WHERE kind = 'phase' ORDER BY number)");
    cr_expect_str_eq(phases, "install ok,converge ok,finalize ok");
    AUTO_JSON *state = hetzner_state(cloud);
    const struct json *server = json_at(json_get(state, "servers"), 0), *labels = json_get(server, "labels");
    AUTO_FREE char *id = lab_sql(lab, "SELECT id FROM machine"),
                   *name = lab_sql(lab, "SELECT reference FROM machine");
    cr_expect_str_eq(json_get_string(server, "name", ""), name);
    cr_expect_str_eq(json_get_string(labels, "triphase-machine", ""), id);
    cr_expect_str_eq(json_get_string(labels, "triphase-target", ""), "host");
    cr_expect_str_eq(json_get_string(labels, "team", ""), "a");
    cr_expect_not_null(json_get(labels, "triphase-id"));
    cr_expect_not_null(json_get(labels, "triphase-expires"));
    cr_expect_str_eq(json_get_string(json_get(server, "location"), "name", ""), "nbg1");

    /* The throw-away key is gone everywhere, and the host shows what was read over it. */
    struct lab_result looked =
        lab_run(lab, "ssh", "host", "--",
                "cat /etc/ssh/ssh_host_ed25519_key.pub; ls /etc/ssh/sshd_config.d; ls /etc/ssh/triphase*; "
                "cat /var/lib/cloud/instance/user-data.txt",
                NULL);
    AUTO_FREE char *host_keys = lab_sql(lab, "SELECT json_extract(record, '$.host_keys') FROM machine");
    const char *key = strchr(looked.out, ' ');
    cr_assert_not_null(key, "%s", looked.err);
    AUTO_FREE char *shown = xstrndup(key + 1, strcspn(key + 1, " \n"));
    has(host_keys, shown);
    has(looked.err, "triphase*");
    has(looked.out, "xxxxxxxx");
    cr_expect_null(strstr(looked.out, "b3BlbnNzaC1rZXktdjE"), "%s", looked.out);
    AUTO_FREE char *first = xasprintf(".triphase/machines/%s/first", id);
    cr_expect_not(lab_exists(lab, first));
    struct lab_result status = lab_run(lab, "status", NULL);
    has(status.out, "host keys by throw-away key");
    struct lab_result text = lab_run(lab, "report", NULL),
                      json = lab_run(lab, "report", "--format", "json", NULL);
    has(text.out, "host keys: by throw-away key");
    has(json.out, "\"host_keys_by\": \"throw-away key\"");
    cr_expect_eq(lab_run(lab, "run", "host", NULL).code, 0);

    hetzner_expect_destroyed(lab, cloud);
    AUTO_WORDS folders = WORDS_INIT;
    words_add(&folders, lab_folder(lab));
    spilled_said(made.err);
    AUTO_FREE char *spilled = spilled_found(&folders);
    cr_expect_str_eq(spilled, "");
}

/* Without an IPv4 address the host is ::1 of its network. Its host key is one that the user thought up. */
Test(hetzner, a_server_without_ipv4_is_reached_at_the_first_address_of_its_network_by_the_key_that_is_given)
{
    struct hetzner *cloud = hetzner_start_hosts(NULL);
    struct lab *lab =
        hetzner_project(cloud, "    ipv4: false\n    user_data: first.yml\n    host_keys: {file: k.pub}\n");
    rig_shell(
        "cd %s; ssh-keygen -q -t ed25519 -N '' -C '' -f k; { printf '#cloud-config\\nwrite_files: [{path: "
        "/root/users, content: x}]\\nssh_keys:\\n  ed25519_private: |\\n'; sed 's/^/    /' k; } >first.yml",
        lab_folder(lab));
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(made.code, 0, "%s", made.err);
    has(made.err, "host keys: by given");
    AUTO_FREE char *address = lab_sql(lab, "SELECT address FROM machine");
    cr_expect(text_ends(address, "::1"), "%s", address);
    hetzner_expect_destroyed(lab, cloud);
}

/* Somebody else answers at the server's address. */
Test(hetzner, a_host_without_the_throw_away_key_is_not_believed)
{
    struct hetzner *cloud = hetzner_of_nobody();
    struct lab *lab = hetzner_project(cloud, "    stage_deadline: {provision: 3s}\n");
    AUTO_FREE char *port = xasprintf("%d", lab_sshd(lab));
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_PORT", port);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(made.code, 3, "%s", made.err);
    has(made.err, "could not be read with the throw-away one of its user_data");
    has(made.err, "Host key verification failed");
    AUTO_FREE char *known = lab_sql(lab, "SELECT json_extract(record, '$.host_keys') FROM machine");
    cr_expect_str_eq(known, "[]");
    hetzner_expect_destroyed(lab, cloud);
}

/* By name, by id; none of it is the machine's, and none is removed with it. */
Test(hetzner, what_the_account_has_already_is_used_and_stays)
{
    struct hetzner *cloud = hetzner_of_nobody();
    struct lab *lab =
        hetzner_project(cloud, HETZNER_UNREACHED "    ipv4: false\n    ipv6: false\n    networks: [inner]\n"
                                                 "    placement_group: apart\n    ssh_keys: [mine]\n");
    rig_shell("ssh-keygen -q -t ed25519 -N '' -C '' -f %s/mine", lab_folder(lab));
    AUTO_FREE char *public = lab_read_line(lab, "mine.pub");
    AUTO_FREE char *key = xasprintf("{\"name\": \"mine\", \"public_key\": \"%s\"}", public);
    hetzner_by_hand(cloud, "POST", "/ssh_keys", key, 201);
    hetzner_by_hand(cloud, "POST", "/placement_groups", "{\"name\": \"apart\", \"type\": \"spread\"}", 201);
    hetzner_by_hand(
        cloud, "POST", "/networks",
        "{\"name\": \"inner\", \"ip_range\": \"10.0.0.0/16\", \"subnets\": [{\"type\": \"cloud\", "
        "\"network_zone\": \"eu-central\", \"ip_range\": \"10.0.1.0/24\"}]}",
        201);

    struct lab_result made = lab_run(lab, "create", "host", NULL);

    cr_assert_eq(hetzner_count(cloud, "servers"), 1, "%s", made.err);
    AUTO_JSON *state = hetzner_state(cloud);
    const struct json *server = json_at(json_get(state, "servers"), 0);
    AUTO_FREE char *address = lab_sql(lab, "SELECT address FROM machine");
    cr_expect(text_starts(address, "10.0."), "%s", address);
    cr_expect_str_eq(json_get_string(json_get(server, "placement_group"), "name", ""), "apart");
    struct lab_result gone = lab_run(lab, "destroy", "host", "--yes", NULL);
    cr_expect_eq(gone.code, 0, "%s", gone.err);
    cr_expect_eq(hetzner_count(cloud, "servers"), 0);
    cr_expect_eq(hetzner_count(cloud, "ssh_keys"), 1);
    cr_expect_eq(hetzner_count(cloud, "networks"), 1);
    cr_expect_eq(hetzner_count(cloud, "placement_groups"), 1);

    lab_environment(lab, "TRIPHASE_TARGETS_HOST_NETWORKS", "[iner]");
    struct lab_result unknown = lab_run(lab, "create", "host", NULL);
    has(unknown.err, "inner");
    cr_expect_eq(hetzner_count(cloud, "ssh_keys"), 1);
    cr_expect_eq(lab_run(lab, "destroy", "host", "--yes", NULL).code, 0);
}

/* ---- another account, and things that lost their names ---- */

Test(hetzner, what_a_token_of_another_project_does_not_find_is_not_taken_for_gone)
{
    struct hetzner *cloud = hetzner_of_nobody(), *other = hetzner_of_nobody();
    struct lab *lab = hetzner_project(cloud, HETZNER_NOBODY);
    cr_assert_eq(lab_run(lab, "create", "host", NULL).code, 4);

    lab_environment(lab, "TRIPHASE_PROVIDERS_HETZNER_ENDPOINT", hetzner_endpoint(other));
    struct lab_result gone = lab_run(lab, "destroy", "host", "--yes", NULL),
                      again = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(gone.code, 3, "%s", gone.err);
    has(gone.err, "is where this token leads, and it was made with another one");
    has(gone.err, "triphase forget host");
    cr_expect_eq(again.code, 3, "%s", again.err);
    has(again.err, "is where this token leads, and it was made with another one");
    cr_expect_eq(hetzner_count(cloud, "servers"), 1);
    lab_environment(lab, "TRIPHASE_PROVIDERS_HETZNER_ENDPOINT", NULL);
    hetzner_expect_destroyed(lab, cloud);

    /* Whoever knows better can say so. */
    cr_assert_eq(lab_run(lab, "create", "host", NULL).code, 4);
    lab_environment(lab, "TRIPHASE_PROVIDERS_HETZNER_ENDPOINT", hetzner_endpoint(other));
    struct lab_result forgotten = lab_run(lab, "forget", "host", "--yes", NULL);
    cr_expect_eq(forgotten.code, 0, "%s", forgotten.err);
}

Test(hetzner, another_token_of_the_same_project_removes_it_and_one_that_was_refused_stands_in_no_ones_way)
{
    struct hetzner *cloud = hetzner_start(
        (const char *const[]){"--ipv4", "127.0.0.1", "--token", "second", "--readonly-token", "looks", NULL});
    struct lab *lab = hetzner_project(cloud, HETZNER_NOBODY);
    lab_write(lab, "token", "looks\n");
    cr_expect_eq(lab_run(lab, "create", "host", NULL).code, 78);
    lab_write(lab, "token", HETZNER_TOKEN "\n");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert_eq(made.code, 4, "%s", made.err);
    lab_write(lab, "token", "second\n");
    hetzner_expect_destroyed(lab, cloud);
}

Test(hetzner, what_was_renamed_and_lost_its_labels_is_found_by_its_id)
{
    static const char *const kinds[] = {"servers", "firewalls", "ssh_keys"}, *const members[] = {"server",
                                                                                                 "firewall",
                                                                                                 "ssh_key"};
    struct hetzner *cloud = hetzner_of_nobody();
    struct lab *lab = hetzner_project(cloud, HETZNER_NOBODY);
    cr_assert_eq(lab_run(lab, "create", "host", NULL).code, 4);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        AUTO_FREE char *query =
            xasprintf("SELECT json_extract(record, '$.resources.%s') FROM machine", members[i]);
        AUTO_FREE char *id = lab_sql(lab, query), *path = xasprintf("/%s/%s", kinds[i], id);
        hetzner_by_hand(cloud, "PUT", path, "{\"name\": \"of-mine\", \"labels\": {}}", 200);
    }
    hetzner_expect_destroyed(lab, cloud);
}

/* ---- what stands against it ---- */

Test(hetzner, a_firewall_that_counts_as_used_for_a_while_after_its_server_is_gone_is_waited_for)
{
    struct hetzner *cloud = hetzner_of_nobody();
    struct lab *lab = hetzner_project(cloud, HETZNER_NOBODY);
    cr_assert_eq(lab_run(lab, "create", "host", NULL).code, 4);
    hetzner_fault(cloud, "{\"fault\": 422, \"code\": \"resource_in_use\", \"method\": \"DELETE\", \"path\": "
                         "\"/firewalls/\", \"times\": 3}");
    hetzner_expect_destroyed(lab, cloud);
    /* Not for longer than there is time. */
    cr_assert_eq(lab_run(lab, "create", "host", NULL).code, 4);
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_STAGE_DEADLINE_DESTROY", "2s");
    hetzner_fault(cloud, "{\"fault\": 422, \"code\": \"resource_in_use\", \"method\": \"DELETE\", \"path\": "
                         "\"/firewalls/\", \"times\": 0}");
    struct lab_result used = lab_run(lab, "destroy", "host", "--yes", NULL);
    cr_expect_eq(used.code, 3, "%s", used.err);
    has(used.err, "something uses it still");
    hetzner_forgive(cloud);
    hetzner_expect_destroyed(lab, cloud);
}

Test(hetzner, an_address_that_is_none_is_refused_and_shown_as_what_a_terminal_may_show)
{
    struct hetzner *cloud = hetzner_of_nobody();
    struct lab *lab = hetzner_project(cloud, HETZNER_NOBODY);
    hetzner_set(cloud, "{\"ipv4\": \"127.0.0.1\\u001b[2J\"}");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(made.code, 3, "%s", made.err);
    has(made.err, "an address that is none");
    cr_expect_null(strchr(made.err, '\x1b'), "%s", made.err);
    AUTO_FREE char *kept = lab_sql(lab, "SELECT count(*) FROM machine WHERE record LIKE '%[2J%'");
    cr_expect_str_eq(kept, "0");
    /* As an older triphase may have kept it. */
    rig_shell("cd %s/.triphase && python3 -c 'import sqlite3; c = sqlite3.connect(\"store.db\"); "
              "c.execute(\"UPDATE machine SET record = json_set(record, ?, ?)\", (\"$.address\", "
              "\"1\" + chr(27) + \"[2J\")); c.commit()'",
              lab_folder(lab));
    struct lab_result status = lab_run(lab, "status", NULL);
    cr_expect_null(strchr(status.out, '\x1b'), "%s", status.out);
    has(status.out, "[2J");
    hetzner_expect_destroyed(lab, cloud);
}

Test(hetzner, what_cannot_be_is_refused_before_anything_is_asked)
{
    struct hetzner *cloud = hetzner_of_nobody();
    struct lab *lab = hetzner_project(cloud, "    user_data: first\n");
    AUTO_FREE char *large = xasprintf("#!/bin/sh\n#%*s\n", 32 << 10, "x");
    lab_write(lab, "first", "%s", large);
    struct lab_result plan = lab_run(lab, "plan", NULL);
    cr_expect_eq(plan.code, 78);
    has(plan.out, "and the cloud takes 32768");
    lab_write(lab, "first", "{\"ignition\": {}}");
    struct lab_result other = lab_run(lab, "plan", NULL);
    cr_expect_eq(other.code, 78);
    has(other.out, "begins with no line that cloud-init knows");
    lab_write(lab, "first", "#!/bin/sh\n");
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_FIREWALLS", "[{in: [tcp/80]}]");
    struct lab_result closed = lab_run(lab, "plan", NULL);
    cr_expect_eq(closed.code, 78);
    has(closed.out, "lets in tcp/22, over which its host keys are to be read");
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_FIREWALLS", NULL);
    lab_write(lab, "token", "%s", "");
    struct lab_result create = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(create.code, 78);
    has(create.err, "target host has no token for its cloud");
    cr_expect_eq(hetzner_asked(cloud, ""), 0);
}

Test(hetzner, a_token_that_is_refused_says_so_and_makes_nothing)
{
    struct hetzner *cloud = hetzner_of_nobody();
    struct lab *lab = hetzner_project(cloud, HETZNER_NOBODY);
    lab_write(lab, "token", "another\n");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_expect_neq(made.code, 0);
    has(made.err, "token");
    lab_write(lab, "token", HETZNER_TOKEN "\n");
    hetzner_expect_destroyed(lab, cloud);
}

Test(hetzner, what_is_protected_is_left_alone_with_all_that_belongs_to_it_and_said)
{
    struct hetzner *cloud = hetzner_of_nobody();
    struct lab *lab = hetzner_project(cloud, HETZNER_NOBODY);
    cr_assert_eq(lab_run(lab, "create", "host", NULL).code, 4);
    AUTO_FREE char *server = lab_sql(lab, "SELECT json_extract(record, '$.resources.server') FROM machine");
    AUTO_FREE char *path = xasprintf("/servers/%s/actions/change_protection", server);
    hetzner_by_hand(cloud, "POST", path, "{\"delete\": true, \"rebuild\": true}", 201);
    struct lab_result kept = lab_run(lab, "destroy", "host", "--yes", NULL);
    cr_expect_eq(kept.code, 3, "%s", kept.err);
    has(kept.err, "is protected against deletion");
    hetzner_expect_each(cloud, 1);
    hetzner_by_hand(cloud, "POST", path, "{\"delete\": false, \"rebuild\": false}", 201);
    hetzner_expect_destroyed(lab, cloud);
}

/* Puts the labels of a server anew. */
static void expire(struct hetzner *cloud, const char *server, const struct listed *own, const char *seconds)
{
    AUTO_FREE char *path = xasprintf("/servers/%s", server),
                   *body = xasprintf("{\"labels\": {\"triphase-id\": \"%s\", \"triphase-machine\": \"%s\", "
                                     "\"triphase-expires\": \"%s\"}}",
                                     own->project_id, own->machine, seconds);
    hetzner_by_hand(cloud, "PUT", path, body, 200);
}

Test(hetzner, what_is_there_is_listed_by_its_labels_and_only_its_own_projects_removed)
{
    struct hetzner *cloud = hetzner_of_nobody();
    struct lab *lab = hetzner_project(cloud, HETZNER_NOBODY);
    cr_assert_eq(lab_run(lab, "create", "host", NULL).code, 4);
    hetzner_preload(cloud, 200, "{\"triphase-id\": \"another\"}");
    hetzner_forget_requests(cloud);
    AUTO_FREE char *token = xasprintf("%s/token", lab_folder(lab)),
                   *id = lab_sql(lab, "SELECT id FROM machine"),
                   *name = lab_sql(lab, "SELECT reference FROM machine");
    const struct project of = {.directory = (char *)lab_folder(lab)};
    const struct target target = {.provider = (char *)"hetzner",
                                  .sweep_ns = 20 * NS_PER_S,
                                  .cloud = {.token = {.kind = SECRET_FILE, .fd = -1, .where = token},
                                            .endpoint = (char *)hetzner_endpoint(cloud)}};
    AUTO_LISTING listing = {0};
    AUTO_ERROR err = ERROR_INIT;

    cr_assert_eq(provider_hetzner.list(&of, &target, &listing, &err), 0, "%s", error_text(&err));

    cr_expect_eq(listing.count, 201);
    cr_expect(hetzner_asked(cloud, "GET /v1/servers") <= 5, "requests");
    cr_expect_neq(listing.now_ns, 0);
    const struct listed *own = listing_find(&listing, name);
    cr_assert_not_null(own);
    cr_expect_str_eq(own->machine, id);
    cr_expect_str_eq(own->target, "host");
    cr_expect_neq(own->made_ns, 0);

    /* It says that it is another's than what the cloud says. */
    struct listed wrong = *own;
    wrong.project_id = (char *)"another";
    cr_expect_eq(provider_hetzner.remove_listed(&of, &target, &wrong, 20 * NS_PER_S, &err), -1);
    cr_expect_eq(hetzner_count(cloud, "servers"), 201);
    error_clear(&err);
    /* What its label says at the last moment counts: its expiry was put off, or taken off, meanwhile. */
    AUTO_FREE char *server = lab_sql(lab, "SELECT json_extract(record, '$.resources.server') FROM machine");
    expire(cloud, server, own, "4000000000");
    cr_expect_eq(provider_hetzner.remove_listed(&of, &target, own, 20 * NS_PER_S, &err), -1);
    has(error_text(&err), "by what its label says now: left alone");
    cr_expect_eq(hetzner_count(cloud, "servers"), 201);
    error_clear(&err);
    expire(cloud, server, own, "1700000000");
    cr_expect_eq(provider_hetzner.remove_listed(&of, &target, own, 20 * NS_PER_S, &err), 0, "%s",
                 error_text(&err));
    cr_expect_eq(hetzner_count(cloud, "servers"), 200);
    cr_expect_eq(hetzner_count(cloud, "ssh_keys"), 0);
    cr_expect_eq(hetzner_count(cloud, "firewalls"), 0);
    cr_expect_eq(provider_hetzner.remove_listed(&of, &target, own, 20 * NS_PER_S, &err), 0, "absent is fine");
    cr_expect_eq(lab_run(lab, "destroy", "host", "--yes", NULL).code, 0);
}

/* Somebody gave a server of his own such labels, and keys of the same name lie beside it. */
Test(hetzner, a_sweep_removes_nothing_that_does_not_bear_the_labels_of_a_machine_of_its_project)
{
    static const char id[] = "01890000-0000-7000-8000-00000000aaaa";
    static const char *const machines[] = {"web", "01890000-0000-7000-8000-00000000bbbb"},
                             *const names[] = {"web", "tp000000bbbb"};
    struct hetzner *cloud = hetzner_start(NULL);
    struct lab *lab = hetzner_project(cloud, "");
    lab_write(lab, ".triphase/project.json", "{\"version\": 1, \"id\": \"%s\", \"path\": \"%s\"}", id,
              lab_folder(lab));
    for (size_t i = 0; i < COUNT_OF(machines); i++) {
        rig_shell("rm -f %s/mine*; ssh-keygen -q -t ed25519 -N '' -C '' -f %s/mine", lab_folder(lab),
                  lab_folder(lab));
        AUTO_FREE char *public = lab_read_line(lab, "mine.pub");
        AUTO_FREE char *key = xasprintf("{\"name\": \"%s\", \"public_key\": \"%s\"}", names[i], public),
                       *server = xasprintf("{\"name\": \"%s\", \"server_type\": \"cx23\", \"image\": "
                                           "\"debian-12\", \"labels\": {\"triphase-id\": \"%s\", "
                                           "\"triphase-machine\": \"%s\", \"triphase-expires\": "
                                           "\"1700000000\"}}",
                                           names[i], id, machines[i]);
        hetzner_by_hand(cloud, "POST", "/ssh_keys", key, 201);
        hetzner_by_hand(cloud, "POST", "/servers", server, 201);
    }

    struct lab_result swept = lab_run(lab, "sweep", "--yes", NULL);

    cr_expect_eq(swept.code, 0, "%s", swept.err);
    has(swept.out, "no label says which machine it is");
    has(swept.err, "tp000000bbbb: removed");
    cr_expect_eq(hetzner_count(cloud, "servers"), 1);
    cr_expect_eq(hetzner_count(cloud, "ssh_keys"), 2);
}

/* ---- what the file says afterwards ---- */

Test(hetzner, another_image_stops_create_another_place_of_the_list_nothing_and_destroy_needs_no_target)
{
    struct hetzner *cloud = hetzner_of_nobody();
    struct lab *lab = hetzner_project(cloud, HETZNER_NOBODY "    location: [nbg1, fsn1]\n");
    hetzner_set(cloud, "{\"unavailable\": [[\"cx23\", \"nbg1\"]]}");
    cr_assert_eq(lab_run(lab, "create", "host", NULL).code, 4);
    AUTO_FREE char *place = lab_sql(lab, "SELECT json_extract(record, '$.resources.location') FROM machine");
    cr_expect_str_eq(place, "fsn1");
    AUTO_FREE char *file = lab_read(lab, "triphase.yml");

    lab_write(lab, "triphase.yml", "%s    image: debian-12\n", file);
    struct lab_result plan = lab_run(lab, "plan", NULL), create = lab_run(lab, "create", "host", NULL);
    has(plan.out, "image was made as");
    cr_expect_eq(create.code, 78, "%s", create.err);
    has(create.err, "image was made as docker-ce");

    lab_write(lab, "triphase.yml", "%s    labels: {team: b}\n", file);
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_LOCATION", "[fsn1, hel1]");
    struct lab_result same = lab_run(lab, "status", "--json", NULL);
    has(same.out, "\"differs\": []");

    /* Labels are put on what is there, and nobody else's are lost. */
    cr_expect_eq(lab_run(lab, "create", "host", NULL).code, 4);
    AUTO_JSON *state = hetzner_state(cloud);
    const struct json *labels = json_get(json_at(json_get(state, "servers"), 0), "labels");
    cr_expect_str_eq(json_get_string(labels, "team", ""), "b");
    cr_expect_not_null(json_get(labels, "triphase-machine"));

    lab_environment(lab, "TRIPHASE_TARGETS_HOST_LOCATION", NULL);
    lab_write(lab, "triphase.yml", "project: lab\ntargets:\n  other: {recipe: work}\n");
    hetzner_expect_destroyed(lab, cloud);
}
