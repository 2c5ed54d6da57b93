/* A variable that a secret is read from goes to no program that has no use for it,
 * whichever command starts it. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "lab/lab.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

TestSuite(kept_back, .timeout = 240);

#define PLAY "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n"

/* In PATH before the real one, which it becomes: what it was started with is written down first. */
static void watch(struct lab *lab, const char *program)
{
    AUTO_FREE char *real = file_find_program(program, NULL), *path = xasprintf("watched/%s", program);
    if (real)
        lab_write(lab, path,
                  "#!/bin/sh\necho %s $*: $(env | grep -e '^DB=' -e '^OTHER=') >>'%s/seen'\nexec %s \"$@\"\n",
                  program, lab_folder(lab), real);
}

static struct lab *watched_lab(void)
{
    static const char *const programs[] = {"ssh", "ssh-keygen", "ssh-keyscan", "git", "systemctl", "sshpass"};
    struct lab *lab = lab_new();
    lab_static_project(lab, "", PLAY);
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    const char *host = strstr(project, "  host:\n") + strlen("  host:\n");
    lab_write(lab, "triphase.yml",
              "%s    secrets: {db: {env: DB}}\n    env: [DB]\n  other:\n%s    secrets: {x: {env: OTHER}}\n",
              project, host);
    for (size_t i = 0; i < COUNT_OF(programs); i++)
        watch(lab, programs[i]);
    AUTO_FREE char *path = xasprintf("%s/watched:%s", lab_folder(lab), getenv("PATH"));
    lab_environment(lab, "PATH", path);
    lab_environment(lab, "DB", "geheim-1");
    lab_environment(lab, "OTHER", "geheim-2");
    return lab;
}

Test(kept_back, no_program_beside_the_readers_of_secrets_is_given_one)
{
    struct lab *lab = watched_lab();
    AUTO_FREE char *output = file_join(lab_folder(lab), "x.tar.gz");
    const char *const commands[][5] = {{"plan", "host", "--contact"},
                                       {"create", "host"},
                                       {"run", "host"},
                                       {"trust", "host", "--yes"},
                                       {"ssh", "host", "--", "true"},
                                       {"inventory", "host"},
                                       {"doctor"},
                                       {"bundle", "host", "--output", output},
                                       {"destroy", "host", "--yes"}};
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        const char *const *words = commands[i];
        struct lab_result got = lab_run(lab, words[0], words[1], words[2], words[3], words[4], NULL);
        cr_expect(got.code == 0 || text_is(words[0], "doctor"), "%s: %s%s", words[0], got.out, got.err);
        AUTO_FREE char *seen = lab_read(lab, "seen");
        cr_expect(strstr(seen, "geheim-") == NULL, "%s: %s", words[0], seen);
    }
    AUTO_FREE char *seen = lab_read(lab, "seen");
    cr_expect(strstr(seen, "ssh ") && strstr(seen, "ssh-keygen "), "the test watches nothing: %s", seen);
}
