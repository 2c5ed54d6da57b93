/* A host key that changed: it is told in two lines, and `trust` takes the new one after both fingerprints were shown. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/words.h"
#include "lab/damage.h"
#include "mechanism/program.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <string.h>
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

Test(trust, takes_a_changed_key_only_after_both_were_shown_and_somebody_agreed)
{
    struct lab *lab = made_lab("accept-new");
    AUTO_FREE char *before = fingerprint(lab);
    hold(lab_run(lab, "trust", "host", NULL), 0, "the key is known already");
    change_key(lab);
    AUTO_FREE char *after = fingerprint(lab), *key = public_key(lab);

    struct lab_result run = lab_run(lab, "run", "host", NULL);
    cr_expect(eq(int, run.code, 4), "%s", run.err);
    cr_expect(strstr(run.err, after) && strstr(run.err, "\n    'triphase trust host'"), "%s", run.err);
    cr_expect(strstr(run.err, "@@@") == NULL && strstr(run.err, "NASTY") == NULL, "ssh's own paragraph: %s",
              run.err);
    cr_expect(eq(int, damage_lines(lab, "ran", ""), 1));

    struct lab_result untold = lab_run(lab, "trust", "host", NULL);
    hold(untold, 64, "--yes");
    cr_expect(strstr(untold.out, before) && strstr(untold.out, after), "%s", untold.out);
    int code;
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
    kill(lab_sshd_pid(lab), SIGTERM);
    cr_assert(damage_gone(lab_sshd_pid(lab), 10));
    hold(lab_run(lab, "trust", "host", "--yes", NULL), 4, "showed no key");
}
