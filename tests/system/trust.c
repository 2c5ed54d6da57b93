/* A host key that changed: it is told in two lines, and `trust` takes the new one after both
 * fingerprints were shown. What the user's own known_hosts revokes, and whom it trusts to certify,
 * holds at each connection. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/words.h"
#include "lab/damage.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <unistd.h>

static void hold(struct lab_result result, int code, const char *words)
{
    cr_assert(eq(int, result.code, code), "%s%s", result.out, result.err);
    cr_assert(strstr(result.err, words) || strstr(result.out, words), "'%s' is not in: %s%s", words,
              result.out, result.err);
}

/* The line `host_keys:` of the project's file with another value. */
static void pin(struct lab *lab, const char *value)
{
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    *strstr(project, "    host_keys:") = '\0';
    lab_write(lab, "triphase.yml", "%s    host_keys: %s\n", project, value);
}

/* "TYPE KEY" of the key that the lab's sshd has. malloc'ed. */
static char *public_key(struct lab *lab)
{
    char *key = lab_read(lab, "sshd/host_key.pub");
    char *second = strchr(strchr(key, ' ') + 1, ' ');
    *(second ? second : key + strcspn(key, "\n")) = '\0';
    return key;
}

static char *fingerprint(struct lab *lab)
{
    AUTO_FREE char *path = file_join(lab_folder(lab), "sshd/host_key.pub");
    AUTO_TEXT said = TEXT_INIT;
    cr_assert(program_do(10 * NS_PER_S, &said, NULL, "ssh-keygen", "-lf", path, NULL) == 0);
    const char *print = strstr(text_string(&said), "SHA256:");
    return xstrndup(print, strcspn(print, " "));
}

struct seen {
    const char *port, *key;
};

static bool shows(void *context)
{
    const struct seen *seen = context;
    AUTO_TEXT said = TEXT_INIT;
    return program_do(5 * NS_PER_S, &said, NULL, "ssh-keyscan", "-p", seen->port, "-t", "ed25519",
                      "127.0.0.1", NULL) == 0 &&
           strstr(text_string(&said), seen->key);
}

/* The sshd gets another host key. */
static void change_key(struct lab *lab)
{
    AUTO_FREE char *path = file_join(lab_folder(lab), "sshd/host_key"), *public = xasprintf("%s.pub", path);
    unlink(path);
    unlink(public);
    cr_assert(program_do(20 * NS_PER_S, NULL, NULL, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path,
                         NULL) == 0);
    AUTO_FREE char *key = public_key(lab), *port = xasprintf("%d", lab_sshd(lab));
    struct seen seen = {port, key};
    kill(lab_sshd_pid(lab), SIGHUP);
    cr_assert(lab_until(20, shows, &seen), "sshd does not show its new key");
}

static struct lab *made_lab(const char *host_keys)
{
    struct lab *lab = damage_lab("", "echo ran >>$FOLDER/ran\nplay; task t1; finish\n");
    hold(lab_run(lab, "trust", "host", NULL), 64, "nothing is made");
    if (host_keys)
        pin(lab, host_keys);
    hold(lab_run(lab, "create", "host", NULL), 0, "");
    return lab;
}

/* In place of ssh's own paragraph. */
static void hold_two_lines(const char *said, const char *shown)
{
    cr_expect(strstr(said, shown) && strstr(said, "'triphase trust host' shows both"), "%s", said);
    cr_expect(strstr(said, "@@@") == NULL && strstr(said, "NASTY") == NULL, "ssh's own paragraph: %s", said);
}

Test(trust, takes_a_changed_key_only_after_both_were_shown_and_somebody_agreed)
{
    struct lab *lab = made_lab("accept-new");
    AUTO_FREE char *before = fingerprint(lab);
    hold(lab_run(lab, "trust", "host", NULL), 0, "the key is known already");
    change_key(lab);
    AUTO_FREE char *after = fingerprint(lab), *key = public_key(lab);

    struct lab_result run = lab_run(lab, "run", "host", NULL);
    cr_expect(eq(int, run.code, 4), "%s", run.err);
    cr_expect(strstr(run.err, "\n    'triphase trust host'") != NULL, "%s", run.err);
    hold_two_lines(run.err, after);
    cr_expect(eq(int, damage_lines(lab, "ran", ""), 1));
    int code;
    struct lab_result shell = lab_run(lab, "ssh", "host", "--", "true", NULL);
    AUTO_FREE char *at_terminal = damage_terminal(lab, 100, NULL, &code, "ssh", "host", "--", "true", NULL);
    cr_expect(eq(int, shell.code, 4));
    hold_two_lines(shell.err, after);
    cr_expect(eq(int, code, 4));
    hold_two_lines(at_terminal, after);

    struct lab_result untold = lab_run(lab, "trust", "host", NULL);
    hold(untold, 64, "--yes");
    cr_expect(strstr(untold.out, before) && strstr(untold.out, after), "%s", untold.out);
    AUTO_FREE char *refused = damage_terminal(lab, 100, "n\n", &code, "trust", "host", NULL);
    cr_expect(eq(int, code, 130), "%s", refused);
    AUTO_FREE char *still = lab_sql(lab, "SELECT record ->> '$.host_keys[0]' FROM machine");
    cr_expect(strstr(still, key) == NULL, "it was taken without a yes");
    hold(lab_run(lab, "run", "host", NULL), 4, "trust host");

    struct lab_result taken = lab_run(lab, "trust", "host", "--yes", "--json", NULL);
    hold(taken, 0, "\"taken\": true");
    cr_expect(strstr(taken.out, before) && strstr(taken.out, after), "%s", taken.out);
    AUTO_FREE char *row = lab_sql(lab, "SELECT record ->> '$.host_keys[0]' FROM machine");
    cr_expect(eq(str, row, key));
    hold(lab_run(lab, "run", "host", NULL), 0, "");
    hold(lab_run(lab, "trust", "nobody", NULL), 64, "nobody");
}

Test(trust, goes_by_the_host_keys_that_the_files_pin)
{
    struct lab *lab = made_lab(NULL);
    change_key(lab);
    AUTO_FREE char *key = public_key(lab), *pinned = xasprintf("['%s']", key);
    struct lab_result other = lab_run(lab, "trust", "host", "--yes", NULL);
    hold(other, 78, "the files pin its host_keys");
    cr_expect(strstr(other.err, key) != NULL, "%s", other.err);
    pin(lab, pinned);
    hold(lab_run(lab, "run", "host", NULL), 78, "'triphase trust host'");
    hold(lab_run(lab, "trust", "host", "--yes", NULL), 0, "taken");
    hold(lab_run(lab, "run", "host", NULL), 0, "");
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_ADDRESS", "127.0.0.9");
    hold(lab_run(lab, "trust", "host", "--yes", NULL), 78, "address was made as 127.0.0.1");
}

Test(trust, a_host_that_is_not_there_and_a_target_that_is_busy_are_told_apart)
{
    struct lab *lab =
        damage_lab("", "play; touch $FOLDER/there; until [ -e $FOLDER/go ]; do sleep 0.05; done\n"
                       "task t1; finish\n");
    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_file(lab, 60, "there"));
    hold(lab_run(lab, "trust", "host", "--yes", NULL), 75, "host");
    lab_write(lab, "go", "yes\n");
    cr_assert(eq(int, lab_wait(lab, command, 60), 0));
    /* A command that has the target and no run of its own, as another 'triphase trust'. */
    AUTO_FREE char *path = xasprintf("%s/.triphase/locks/host", lab_folder(lab));
    int lock = open(path, O_RDWR | O_CLOEXEC);
    cr_assert(lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0, "%m");
    hold(lab_run(lab, "trust", "host", "--yes", NULL), 75, "host");
    close(lock);
    kill(lab_sshd_pid(lab), SIGTERM);
    cr_assert(damage_gone(lab_sshd_pid(lab), 10));
    hold(lab_run(lab, "trust", "host", "--yes", NULL), 4, "showed no key");
}

/* ssh finds a user's files by the user database: the folder is another one for this
 * process and what it starts. */
static void own_ssh_folder(void)
{
    cr_assert(file_make_dirs("/root/.ssh", 0700, NULL) == 0);
    cr_assert(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                  mount("tmpfs", "/root/.ssh", "tmpfs", 0, "mode=0700") == 0,
              "%m");
}

static void know(const char *lines)
{
    cr_assert(file_replace("/root/.ssh/known_hosts", lines, strlen(lines), 0600, NULL) == 0);
}

/* The words in known_hosts for the lab's sshd. malloc'ed. */
static char *name_of(struct lab *lab)
{
    return xasprintf("[127.0.0.1]:%d", lab_sshd(lab));
}

/* The line `host_keys:` goes: the user's known_hosts are asked. */
static struct lab *known_by_the_user(const char *lines)
{
    struct lab *lab = damage_lab("", "echo ran >>$FOLDER/ran\nplay; task t1; finish\n");
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    *strstr(project, "    host_keys:") = '\0';
    lab_write(lab, "triphase.yml", "%s", project);
    know(lines);
    return lab;
}

/* With what `inventory` gives, as a user would. */
static bool ansible_reaches(struct lab *lab)
{
    struct lab_result inventory = lab_run(lab, "inventory", "host", NULL);
    cr_assert(eq(int, inventory.code, 0), "%s", inventory.err);
    lab_write(lab, "hosts.yml", "%s", inventory.out);
    AUTO_FREE char *hosts = file_join(lab_folder(lab), "hosts.yml");
    return program_do(60 * NS_PER_S, NULL, NULL, "ansible", "-i", hosts, "-m", "ansible.builtin.raw", "-a",
                      "true", "host", NULL) == 0;
}

/* Whoever connects, in whatever way. */
static void hold_reached_by_nobody(struct lab *lab, const char *what, int contact_code)
{
    int ran = damage_lines(lab, "ran", "");
    struct lab_result run = lab_run(lab, "run", "host", NULL),
                      shell = lab_run(lab, "ssh", "host", "--", "true", NULL),
                      contact = lab_run(lab, "plan", "host", "--contact", "--json", NULL);
    cr_expect(eq(int, run.code, 4), "%s: run: %s", what, run.err);
    cr_expect(eq(int, shell.code, 4), "%s: ssh: %s%s", what, shell.out, shell.err);
    cr_expect(strstr(shell.err, "@@@") == NULL, "%s: ssh's own paragraph: %s", what, shell.err);
    cr_expect(eq(int, contact.code, contact_code), "%s: plan --contact: %s%s", what, contact.out,
              contact.err);
    cr_expect(not(ansible_reaches(lab)), "%s: Ansible's own ssh", what);
    cr_expect(eq(int, damage_lines(lab, "ran", ""), ran), "%s: something ran", what);
    AUTO_FREE char *cause = lab_sql(lab, "SELECT cause FROM step ORDER BY number DESC LIMIT 1");
    cr_expect(eq(str, cause, "host-key"), "%s: %s", what, cause);
}

static void hold_reached(struct lab *lab, const char *what)
{
    struct lab_result run = lab_run(lab, "run", "host", NULL);
    cr_expect(eq(int, run.code, 0), "%s: %s", what, run.err);
    hold(lab_run(lab, "ssh", "host", "--", "true", NULL), 0, "");
    cr_expect(ansible_reaches(lab), "%s: Ansible's own ssh", what);
}

Test(trust, a_key_that_is_revoked_after_the_host_was_made_holds_at_the_next_connection)
{
    own_ssh_folder();
    struct lab *lab = known_by_the_user("");
    AUTO_FREE char *key = public_key(lab), *name = name_of(lab), *pinned = xasprintf("['%s']", key),
                   *plain = xasprintf("%s %s\n", name, key),
                   *revoked = xasprintf("%s@revoked * %s\n", plain, key);
    know(plain);
    hold(lab_run(lab, "create", "host", NULL), 0, "");
    know(revoked);
    hold_reached_by_nobody(lab, "known by the user's file", 4);
    hold(lab_run(lab, "trust", "host", "--yes", NULL), 78, "revoked in your known_hosts");
    know(plain);
    hold_reached(lab, "revoked no more");

    const char *const kinds[] = {pinned, "accept-new"};
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        hold(lab_run(lab, "forget", "host", "--yes", NULL), 0, "");
        lab_write(lab, "triphase.yml", "%s    host_keys: %s\n", project, kinds[i]);
        know(plain);
        hold(lab_run(lab, "create", "host", NULL), 0, "");
        know(revoked);
        hold_reached_by_nobody(lab, kinds[i], 4);
        know(plain);
        hold(lab_run(lab, "run", "host", NULL), 0, "");
    }
}

/* The sshd shows this certificate of its key. */
static void certify(struct lab *lab)
{
    AUTO_FREE char *ca = file_join(lab_folder(lab), "ca"),
                   *key = file_join(lab_folder(lab), "sshd/host_key.pub"),
                   *config = lab_read(lab, "sshd/config");
    if (!lab_exists(lab, "ca"))
        cr_assert(program_do(20 * NS_PER_S, NULL, NULL, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                             ca, NULL) == 0);
    cr_assert(program_do(20 * NS_PER_S, NULL, NULL, "ssh-keygen", "-q", "-s", ca, "-I", "lab", "-h", "-n",
                         "127.0.0.1", key, NULL) == 0);
    if (!strstr(config, "HostCertificate"))
        lab_write(lab, "sshd/config", "%sHostCertificate %s/sshd/host_key-cert.pub\n", config,
                  lab_folder(lab));
}

Test(trust, an_authority_that_is_taken_away_or_added_counts_at_the_next_connection)
{
    own_ssh_folder();
    struct lab *lab = known_by_the_user("");
    certify(lab);
    change_key(lab);
    certify(lab);
    AUTO_FREE char *key = public_key(lab), *name = name_of(lab), *ca = lab_read(lab, "ca.pub"),
                   *plain = xasprintf("%s %s\n", name, key),
                   *authority = xasprintf("@cert-authority %s %s", name, ca);
    know(authority);
    hold(lab_run(lab, "create", "host", NULL), 0, "");
    know("");
    hold_reached_by_nobody(lab, "nobody vouches for it", 78);
    hold(lab_run(lab, "run", "host", NULL), 4, "of which none is known");
    know(authority);
    hold_reached(lab, "somebody does again");

    hold(lab_run(lab, "forget", "host", "--yes", NULL), 0, "");
    know(plain);
    hold(lab_run(lab, "create", "host", NULL), 0, "");
    change_key(lab);
    certify(lab);
    AUTO_FREE char *both = xasprintf("%s%s", plain, authority);
    know(both);
    hold_reached(lab, "the authority vouches for its new key");
}
