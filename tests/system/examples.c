/* What examples/ shows, as it is shipped. Of the provider `command` a whole create, a run and a destroy over
 * each, and nothing left; of a project its plan. */
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/words.h"
#include "lab/lab.h"
#include "lab/provider_schema.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(examples, .timeout = 120);

/* Between triphase and a program: what each call was told and answered goes into told.ndjson. */
static const char told[] =
    "#!/usr/bin/python3\n"
    "import json, subprocess, sys\n"
    "asked = sys.stdin.read()\n"
    "done = subprocess.run(sys.argv[1:], input=asked.encode(), stdout=subprocess.PIPE)\n"
    "if done.returncode == 0:\n"
    "    with open('told.ndjson', 'a') as out:\n"
    "        print(json.dumps({'request': json.loads(asked), 'answer': json.loads(done.stdout)}), file=out)\n"
    "sys.stdout.buffer.write(done.stdout)\n"
    "sys.exit(done.returncode)\n";

static void are_of_the_schema(const struct lab *lab)
{
    AUTO_FREE char *path = xasprintf("%s/told.ndjson", lab_folder(lab));
    cr_expect_geq(provider_schema_look("calls", path), 3);
}

/* The example's files in a project of the test's own, whose recipe leaves a file. */
static struct lab *project(const char *example)
{
    struct lab *lab = lab_new();
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *from = xasprintf("examples/providers/%s/.", example);
    cr_assert(program_do(20 * NS_PER_S, NULL, &err, "cp", "-r", from, lab_folder(lab), NULL) == 0, "%s",
              error_text(&err));
    lab_write(lab, "told", "%s", told);
    static const char *const calls[] = {"TRIPHASE_TARGETS_WEB_MAKE", "TRIPHASE_TARGETS_WEB_VERIFY",
                                        "TRIPHASE_TARGETS_WEB_REMOVE"};
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        lab_environment(lab, calls[i], "[./told, ./host.sh]");
    lab_write(lab, "phases/web.yml", "phases:\n  - name: hello\n    playbook: playbooks/hello.yml\n");
    lab_write(lab, "playbooks/hello.yml",
              "- hosts: recipe_web\n  gather_facts: false\n  tasks:\n    - ansible.builtin.shell: echo hello "
              ">\"$HOME/hello\"\n");
    return lab;
}

static void has(const char *text, const char *part)
{
    cr_expect(strstr(text, part) != NULL, "no '%s' in: %s", part, text);
}

static struct lab *borrowing(void)
{
    struct lab *lab = project("existing-host");
    int port = lab_sshd(lab);
    AUTO_FREE char *host_key = lab_read_line(lab, "sshd/host_key.pub");
    const char *user = getenv("LOGNAME");
    AUTO_FREE char *vars = xasprintf("{address: 127.0.0.1, user: %s, ssh_port: %d, host_keys: ['%s']}",
                                     user ? user : "root", port, host_key),
                   *key = xasprintf("%s/key", lab_folder(lab));
    lab_environment(lab, "TRIPHASE_TARGETS_WEB_VARS", vars);
    lab_environment(lab, "TRIPHASE_TARGETS_WEB_KEY", key);
    return lab;
}

Test(examples, a_host_that_is_there_is_borrowed_used_and_given_back)
{
    struct lab *lab = borrowing();

    struct lab_result made = lab_run(lab, "create", "web", NULL);

    cr_assert_eq(made.code, 0, "%s", made.err);
    AUTO_FREE char *marker = lab_read(lab, "home/.borrowed"),
                   *name =
                       lab_sql(lab,
                               "SELECT 'tp' || substr(replace(id, '-', ''), -10) || char(10) FROM machine");
    cr_expect_str_eq(marker, name);
    struct lab_result again = lab_run(lab, "run", "web", NULL);
    cr_expect_eq(again.code, 0, "%s", again.err);
    struct lab_result gone = lab_run(lab, "destroy", "web", "--yes", NULL);
    cr_expect_eq(gone.code, 0, "%s", gone.err);
    cr_expect(!lab_exists(lab, "home/.borrowed"));
    cr_expect(lab_exists(lab, "home/hello"));
    are_of_the_schema(lab);
}

Test(examples, a_host_that_another_borrowed_is_refused_and_its_marker_stays)
{
    struct lab *lab = borrowing();
    lab_write(lab, "home/.borrowed", "tp0123456789\n");
    struct lab_result made = lab_run(lab, "create", "web", NULL);
    cr_expect_eq(made.code, 3, "%s", made.err);
    has(made.err, "is borrowed by another");
    has(made.err, "what it may have made was removed");
    AUTO_FREE char *marker = lab_read(lab, "home/.borrowed");
    cr_expect_str_eq(marker, "tp0123456789\n");
}

/* The tree that the sandboxes of other tests are made from: nothing is written into it. */
static void nspawn_tree(struct lab *lab)
{
    glob_t found = {0};
    cr_assert_eq(glob("/var/cache/triphase/debian-12-*[!k]", 0, NULL, &found), 0,
                 "setup/root-tree.sh makes the tree");
    AUTO_FREE char *vars = xasprintf("{tree: %s}", found.gl_pathv[0]);
    lab_environment(lab, "TRIPHASE_TARGETS_WEB_VARS", vars);
    globfree(&found);
}

/* Whatever bears its name, by other means than the program's own. */
static char *left_of(const char *name)
{
    AUTO_TEXT left = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    static const char script[] =
        "ip netns list | grep -w \"$1\"; ip -o link | grep -w \"$1\"; ip -4 route | grep -w \"$1\"\n"
        "find /sys/fs/cgroup /run/systemd/nspawn /var/cache/triphase -maxdepth 2 -name \"*$1*\"\n"
        "grep -w \"$1\" /proc/self/mountinfo\n"
        "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -e \"machine=$1\"; done; :";
    cr_assert(program_do(20 * NS_PER_S, &left, &err, "sh", "-c", script, "sh", name, NULL) == 0, "%s",
              error_text(&err));
    return text_take(&left);
}

Test(examples, a_host_of_nspawn_is_made_used_and_removed_and_nothing_is_left)
{
    struct lab *lab = project("nspawn");
    nspawn_tree(lab);

    struct lab_result made = lab_run(lab, "create", "web", NULL);

    cr_assert_eq(made.code, 0, "%s", made.err);
    AUTO_FREE char *name = lab_sql(lab, "SELECT 'tp' || substr(replace(id, '-', ''), -10) FROM machine");
    AUTO_FREE char *there = left_of(name);
    has(there, "machine=");
    struct lab_result seen =
        lab_run(lab, "ssh", "web", "--", "cat hello; hostname; systemctl is-system-running", NULL);
    AUTO_FREE char *said = xasprintf("hello\n%s\nrunning\n", name);
    cr_expect_str_eq(seen.out, said);
    struct lab_result again = lab_run(lab, "run", "web", NULL);
    cr_expect_eq(again.code, 0, "%s", again.err);
    struct lab_result gone = lab_run(lab, "destroy", "web", "--yes", NULL);
    cr_expect_eq(gone.code, 0, "%s", gone.err);
    AUTO_FREE char *left = left_of(name);
    cr_expect_str_eq(left, "");
    are_of_the_schema(lab);
}

/* What it takes is in make soak. */
Test(examples, the_project_of_a_vault_in_a_tailnet_is_planned_without_a_fault)
{
    struct lab *lab = lab_new();
    AUTO_ERROR err = ERROR_INIT;
    struct lab_result laid = lab_run(lab, "init", NULL);
    cr_assert_eq(laid.code, 0, "%s", laid.err);
    cr_assert(program_do(20 * NS_PER_S, NULL, &err, "cp", "-r", "examples/projects/vault-tailnet/.",
                         lab_folder(lab), NULL) == 0,
              "%s", error_text(&err));
    static const char *const secrets[] = {"operator.key", "tailscale.id", "tailscale.secret"};
    for (size_t i = 0; i < COUNT_OF(secrets); i++) {
        AUTO_FREE char *path = xasprintf("secrets/%s", secrets[i]);
        lab_write(lab, path, "a-secret-of-nobody\n");
    }
    lab_environment(lab, "HCLOUD_TOKEN", "a-token-of-nobody");
    /* Whether this machine is in a tailnet is its own affair. */
    lab_environment(lab, "TRIPHASE_TARGETS_VAULT_TRANSPORT", "direct");

    struct lab_result planned = lab_run(lab, "plan", "vault", NULL);

    cr_assert_eq(planned.code, 0, "%s%s", planned.out, planned.err);
    has(planned.out, "playbooks/vault/verify.yml");
    has(planned.out, "finalize");
}
