/* What was made and what the files say of it: nothing acts on a host that they do not name, what may be taken
 * over is, and every command that tells of a target tells of the difference. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "format/sql.h"
#include "lab/damage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include <sys/stat.h>

#define ELSEWHERE "127.0.0.9"

/* `host` is made. What a phase does at its end stands in the file `end`. */
static struct lab *made_lab(const char *keys)
{
    struct lab *lab = damage_lab(keys, "echo ran >>$FOLDER/ran\nplay; task t1; . $FOLDER/end\n");
    lab_write(lab, "end", "finish\n");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 0), "%s", made.err);
    return lab;
}

/* The project's file with one text in the place of another. */
static void say(struct lab *lab, const char *text, const char *instead)
{
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    char *at = strstr(project, text);
    cr_assert(at != NULL, "'%s' is not in %s", text, project);
    *at = '\0';
    lab_write(lab, "triphase.yml", "%s%s%s", project, instead, at + strlen(text));
}

static void hold(struct lab_result result, int code, const char *words)
{
    cr_assert(eq(int, result.code, code), "%s%s", result.out, result.err);
    cr_assert(strstr(result.err, words) || strstr(result.out, words), "'%s' is not in: %s%s", words,
              result.out, result.err);
}

static int64_t runs(struct lab *lab)
{
    return lab_sql_number(lab, "SELECT count(*) FROM run");
}

Test(made, another_address_stops_whatever_acts_and_is_named_with_both_values)
{
    struct lab *lab = made_lab("teardown:\n  - name: bye\n    playbook: playbooks/work.yml\n");
    lab_write(lab, "end", "exit 2\n");
    hold(lab_run(lab, "run", "host", NULL), 2, "");
    lab_write(lab, "end", "finish\n");
    int64_t before = runs(lab);
    say(lab, "127.0.0.1", ELSEWHERE);
    static const char *const acts[][4] = {{"run", "host"},
                                          {"create", "host"},
                                          {"create"},
                                          {"resume", "host"},
                                          {"resume", "host", "--replan"},
                                          {"ssh", "host"},
                                          {"plan", "host"},
                                          {"inventory", "host"},
                                          {"plan", "host", "--contact"}};
    for (size_t i = 0; i < COUNT_OF(acts); i++) {
        struct lab_result refused = lab_run(lab, acts[i][0], acts[i][1], acts[i][2], NULL);
        hold(refused, 78, "address was made as 127.0.0.1, triphase.yml:");
        hold(refused, 78, "says " ELSEWHERE);
        hold(refused, 78, "triphase forget host");
    }
    cr_assert(eq(i64, runs(lab), before), "one of them began a run");
    hold(lab_run(lab, "status", NULL), 0, "says " ELSEWHERE);
    hold(lab_run(lab, "status", "--json", NULL), 0, "\"key\": \"address\"");
    hold(lab_run(lab, "config", "host", NULL), 0, "host: address was made as 127.0.0.1");
    hold(lab_run(lab, "config", "host", "--json", NULL), 0, "\"effect\": \"refused\"");
    hold(lab_run(lab, "plan", "host", "--again", "--json", NULL), 78, "\"made\": \"127.0.0.1\"");
    AUTO_FREE char *file = xasprintf("%s/x.tar.gz", lab_folder(lab));
    hold(lab_run(lab, "bundle", "host", "-o", file, NULL), 0, "says " ELSEWHERE);

    int teardowns = damage_lines(lab, "ran", "");
    hold(lab_run(lab, "destroy", "host", "--yes", NULL), 0, "bye");
    cr_assert(eq(int, damage_lines(lab, "ran", ""), teardowns + 1), "a destroy acts on what was made");
}

Test(made, the_environment_and_set_are_compared_as_the_file_is)
{
    struct lab *lab = made_lab("");
    hold(lab_run(lab, "--set", "targets.host.address=" ELSEWHERE, "run", "host", NULL), 78,
         "--set targets.host.address says " ELSEWHERE);
    hold(lab_run(lab, "--set", "targets.host.provider=sandbox", "run", "host", NULL), 78,
         "provider was made as static");
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_ADDRESS", ELSEWHERE);
    hold(lab_run(lab, "run", "host", NULL), 78, "environment TRIPHASE_TARGETS_HOST_ADDRESS says " ELSEWHERE);
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_ADDRESS", NULL);
    hold(lab_run(lab, "run", "host", NULL), 0, "");
    cr_assert(eq(i64, runs(lab), 2));
}

Test(made, a_static_hosts_key_is_taken_over_once_the_host_answers_over_it)
{
    struct lab *lab = damage_lab("", "play; task t1; finish\n");
    AUTO_FREE char *good = xasprintf("key: %s/key\n", lab_folder(lab));
    AUTO_FREE char *bad = xasprintf("key: ./other\n    stage_deadline: {transport: 8s}\n");
    AUTO_FREE char *other = xasprintf("ssh-keygen -q -t ed25519 -N '' -f %s/other", lab_folder(lab));
    say(lab, good, bad);
    struct lab_result first = lab_run_after(lab, other, "create", "host", NULL);
    cr_assert(eq(int, first.code, 4), "%s", first.err);
    say(lab, bad, good);
    hold(lab_run(lab, "plan", "host", NULL), 0, "key was made as ./other");
    hold(lab_run(lab, "resume", "host", NULL), 0, "taken over once the same host");
    AUTO_FREE char *key = lab_sql(lab, "SELECT record ->> '$.key' FROM machine");
    cr_expect(strstr(key, "/other") == NULL, "%s", key);
    struct lab_result again = lab_run(lab, "run", "host", NULL);
    cr_expect(eq(int, again.code, 0), "%s", again.err);
    cr_expect(strstr(again.err, "was made as") == NULL, "it is taken over: %s", again.err);
}

Test(made, what_another_host_answers_over_is_not_taken_over)
{
    struct lab *lab = made_lab(""), *stranger = lab_new();
    int port = lab_sshd(lab);
    AUTO_FREE char *good = xasprintf("port: %d\n", port);
    AUTO_FREE char *bad = xasprintf("port: %d\n    stage_deadline: {transport: 5s}\n", lab_sshd(stranger));
    say(lab, good, bad);
    int ran = damage_lines(lab, "ran", "");
    struct lab_result refused = lab_run(lab, "run", "host", NULL);
    cr_expect(eq(int, refused.code, 4), "%s", refused.err);
    cr_expect(eq(int, damage_lines(lab, "ran", ""), ran), "the phase ran on another host");
    cr_expect(eq(i64, lab_sql_number(lab, "SELECT record ->> '$.port' FROM machine"), port));
    say(lab, bad, good);
    hold(lab_run(lab, "run", "host", NULL), 0, "");
}

Test(made, a_target_that_was_renamed_is_told_of_and_destroyed_by_its_old_name)
{
    struct lab *lab = made_lab("");
    say(lab, "  host:\n", "  renamed:\n");
    hold(lab_run(lab, "status", NULL), 0, "the files name no target host: 'triphase destroy host'");
    hold(lab_run(lab, "status", "--json", NULL), 0, "\"named\": false");
    hold(lab_run(lab, "run", "host", NULL), 64, "host");
    hold(lab_run(lab, "destroy", "host", "--yes", NULL), 0, "");
}

static void write_row(struct lab *lab, const char *statement)
{
    AUTO_FREE char *path = file_join(lab_folder(lab), ".triphase/store.db");
    AUTO_SQL *db = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(sql_open(path, SQL_WRITE, 5000, &db, &err) == 0 && sql_run(db, statement, &err) == 0, "%s",
              error_text(&err));
}

Test(made, what_counts_at_making_alone_is_said_by_whoever_uses_it_and_stops_create)
{
    struct lab *lab = made_lab("");
    write_row(lab,
              "UPDATE machine SET provider = 'sandbox', record = json_set(record, '$.provider', 'sandbox',"
              " '$.root', 'debian-12', '$.said', json('{}'))");
    say(lab, "provider: static\n", "root: debian-13\n    stage_deadline: {transport: 2s}\n");
    AUTO_FREE char *file = lab_read(lab, "triphase.yml");
    char *address = strstr(file, "    address: 127.0.0.1\n"), *keys = strstr(file, "    host_keys:");
    cr_assert(address && keys);
    *keys = '\0';
    memmove(address, address + strlen("    address: 127.0.0.1\n"),
            strlen(address + strlen("    address: 127.0.0.1\n")) + 1);
    *strstr(file, "    key: ") = '\0';
    lab_write(lab, "triphase.yml", "%s", file);
    hold(lab_run(lab, "create", "host", NULL), 78, "root was made as debian-12, triphase.yml:");
    struct lab_result run = lab_run(lab, "run", "host", NULL);
    cr_expect(strstr(run.err, "warning: root was made as debian-12") != NULL, "%s", run.err);
    cr_expect(ne(int, run.code, 78), "%s", run.err);
    hold(lab_run(lab, "inventory", "host", NULL), 0, "host: warning: root was made as debian-12");
    struct lab_result ssh = lab_run(lab, "ssh", "host", "--", "true", NULL);
    cr_expect(strstr(ssh.err, "host: warning: root was made as debian-12") != NULL, "%s", ssh.err);
    hold(lab_run(lab, "plan", "host", NULL), 0, "that counts only for a machine that is made anew");
    write_row(lab, "UPDATE machine SET removed_ns = 1");
}

Test(made, a_row_of_an_older_version_without_what_was_said_acts_as_before)
{
    struct lab *lab = made_lab("");
    write_row(lab, "UPDATE machine SET record = json_remove(record, '$.said', '$.ssh_options', '$.root')");
    say(lab, "    address: ", "    ssh_options: [Compression=no]\n    address: ");
    struct lab_result run = lab_run(lab, "run", "host", NULL);
    cr_assert(eq(int, run.code, 0), "%s", run.err);
    cr_expect(strstr(run.err, "was made as") == NULL, "%s", run.err);
    hold(lab_run(lab, "create", "host", NULL), 0, "");
}

Test(made, a_peer_that_the_files_have_elsewhere_by_now_stops_the_target_too)
{
    struct lab *lab = damage_lab("", "play; task t1; finish\n");
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    const char *settings = strstr(project, "  host:\n") + strlen("  host:\n");
    lab_write(lab, "triphase.yml", "%s    peers: [other]\n  other:\n%s", project, settings);
    hold(lab_run(lab, "create", "other", NULL), 0, "");
    hold(lab_run(lab, "create", "host", NULL), 0, "");
    lab_environment(lab, "TRIPHASE_TARGETS_OTHER_ADDRESS", ELSEWHERE);
    hold(lab_run(lab, "run", "host", NULL), 78, "peer other: what was made is not what is said of it now");
    hold(lab_run(lab, "plan", "host", NULL), 78, "peer other: what was made is not what is said of it now");
    hold(lab_run(lab, "inventory", "host", NULL), 78, "peer other");
    lab_environment(lab, "TRIPHASE_TARGETS_OTHER_ADDRESS", NULL);
    hold(lab_run(lab, "run", "host", NULL), 0, "");
}

/* ------------------------------------------------------------ what inventories say */

/* Key and port stand in the host's variables alone, below `folder` (group_vars/web, host_vars/host). */
static struct lab *by_variables(const char *folder, char **right)
{
    struct lab *lab = lab_new();
    lab_static_project(
        lab, "    attempts: 1\n",
        "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - ansible.builtin.shell: echo "
        "{{ ansible_private_key_file }} >>{{ playbook_dir }}/../ran\n");
    AUTO_FREE char *port = xasprintf("    port: %d\n", lab_sshd(lab));
    say(lab, port, "");
    AUTO_FREE char *key = xasprintf("    key: %s/key\n", lab_folder(lab)), *text = lab_read(lab, "key");
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    say(lab, strstr(project, key) ? key : "    key: key\n", "");
    AUTO_FREE char *second = file_join(lab_folder(lab), "key2");
    lab_write(lab, "key2", "%s", text);
    cr_assert(eq(int, chmod(second, 0600), 0));
    lab_write(lab, "inventory/hosts", "[web]\nhost\n");
    *right = xasprintf("ansible_port: %d\n", lab_sshd(lab));
    lab_write(lab, folder, "%sansible_private_key_file: key\n", *right);
    hold(lab_run(lab, "create", "host", NULL), 0, "");
    return lab;
}

static struct lab *check_variables(const char *folder)
{
    AUTO_FREE char *right = NULL;
    struct lab *lab = by_variables(folder, &right);
    static const struct {
        const char *lines;
        bool own_port;
        int code;
        const char *says;
    } rows[] = {
        {"ansible_private_key_file: key2\n", false, 0, ""},
        {"ansible_private_key_file: key\nansible_host: 127.0.0.9\n", false, 78, "127.0.0.9"},
        {"ansible_ssh_private_key_file: nowhere\n", false, 78, "nowhere"},
        {"ansible_private_key_file: key\nansible_user: nobody-here\n", false, 4, "nobody-here"},
        {"ansible_private_key_file: key\nansible_port: 1\n", true, 4, "port 1"},
        {"ansible_private_key_file: key\n", false, 0, ""},
    };
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_STAGE_DEADLINE_TRANSPORT", "8s");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t before = damage_lines(lab, "ran", "key");
        lab_write(lab, folder, "%s%s", rows[i].own_port ? "" : right, rows[i].lines);
        struct lab_result run = lab_run(lab, "run", "host", NULL);
        cr_expect(eq(int, run.code, rows[i].code), "%s%s", rows[i].lines, run.err);
        cr_expect(strstr(run.err, rows[i].says) != NULL, "'%s' is not said: %s", rows[i].says, run.err);
        cr_expect(eq(i64, damage_lines(lab, "ran", "key") - before, rows[i].code == 0), "%s", rows[i].lines);
    }
    cr_expect(eq(int, damage_lines(lab, "ran", "key2"), 1), "the key that was named was not used");
    return lab;
}

Test(made, what_group_vars_say_afterwards_is_followed_or_stops_and_is_not_kept_unless_the_host_answered,
     .timeout = 240)
{
    struct lab *lab = check_variables("inventory/group_vars/web.yml");
    /* What they no longer say counts no longer: it is ssh's own port then. */
    AUTO_FREE char *right = lab_read(lab, "inventory/group_vars/web.yml");
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_STAGE_DEADLINE_TRANSPORT", "2s");
    lab_write(lab, "inventory/group_vars/web.yml", "ansible_private_key_file: key\n");
    hold(lab_run(lab, "run", "host", NULL), 4, "warning: port was made as");
    lab_write(lab, "inventory/group_vars/web.yml", "%s", right);
    struct lab_result again = lab_run(lab, "plan", "host", NULL);
    cr_expect(strstr(again.out, "was made as") == NULL,
              "it was taken over from a host that did not answer: %s", again.out);
}

Test(made, what_host_vars_say_afterwards_is_followed_or_stops_and_is_not_kept_unless_the_host_answered,
     .timeout = 240)
{
    check_variables("inventory/host_vars/host.yml");
}
