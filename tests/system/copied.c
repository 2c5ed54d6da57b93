/* One sandbox, seen from its project, from a copy of it, from where the project was moved to, and by
 * somebody who cannot see the project: only what is proven dead is offered for removal, and nobody
 * touches what is another's. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"
#include "format/json.h"
#include "lab/lab.h"
#include "lab/sandbox.h"
#include "process/marked.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(copied, .timeout = 240);

static char *name; /* of the sandbox */

/* The program with the project in a folder below the lab's. */
static struct lab_result in(struct lab *lab, const char *folder, const char *a, const char *b, const char *c)
{
    AUTO_FREE char *before =
        xasprintf("p=$1; shift 3; set -- \"$p\" -C '%s/%s' \"$@\"", lab_folder(lab), folder);
    return lab_run_after(lab, before, a, b, c, NULL);
}

static void hold(struct lab_result got, int code, const char *says)
{
    cr_expect_eq(got.code, code, "%d instead of %d: %s%s", got.code, code, got.out, got.err);
    cr_expect(strstr(got.out, says) || strstr(got.err, says), "'%s' is not said: %s%s", says, got.out,
              got.err);
}

/* What doctor says of the sandbox: state and what; `mend` where it offers a command. malloc'ed,
 * "" where it says nothing. */
static char *doctor_of(struct lab *lab, const char *before)
{
    struct lab_result said = lab_run_after(lab, before, "doctor", "--json", NULL);
    AUTO_JSON *document = json_parse(said.out, strlen(said.out), NULL);
    const struct json *facts = json_get(document, "facts");
    for (size_t i = 0; i < json_count(facts); i++) {
        const struct json *fact = json_at(facts, i);
        const char *mend = json_get_string(fact, "mend", NULL);
        if (text_is(json_get_string(fact, "name", ""), name))
            return xasprintf("%s: %s%s%s", json_get_string(fact, "state", ""),
                             json_get_string(fact, "what", ""), mend ? " MEND " : "", mend ? mend : "");
    }
    return xasprintf("nothing: %s%s", said.out, said.err);
}

static void expect_said(struct lab *lab, const char *before, const char *part)
{
    AUTO_FREE char *said = doctor_of(lab, before);
    cr_expect(strstr(said, part), "'%s' is not in '%s' (%s)", part, said, before);
    cr_expect_null(strstr(said, "MEND"), "%s (%s)", said, before);
}

static bool runs(const char *machine)
{
    AUTO_FREE char *marker = xasprintf("TRIPHASE_MACHINE=%s", machine);
    return marked_find(marker, NULL, NULL) > 0;
}

Test(copied, nobody_touches_what_is_anothers_and_only_the_dead_is_offered_for_removal)
{
    rig_needed();
    struct lab *lab = lab_new();
    lab_write(lab, "triphase.yml",
              "project: lab\ntargets:\n  box:\n    provider: sandbox\n    recipe: work\n");
    lab_write(lab, "phases/work.yml", "phases:\n  - name: work\n    playbook: playbooks/work.yml\n");
    lab_write(lab, "playbooks/work.yml",
              "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n");
    struct lab_result made = lab_run(lab, "create", "box", NULL);
    cr_assert_eq(made.code, 0, "%s", made.err);
    AUTO_FREE char *machine = lab_sql(lab, "SELECT id FROM machine");
    name = lab_keep(xasprintf("tp%s", machine + strlen(machine) - 10));
    const char *folder = lab_folder(lab);

    /* A copy beside it. */
    rig_shell("mkdir %s/copy && cp -a %s/triphase.yml %s/phases %s/playbooks %s/.triphase %s/copy", folder,
              folder, folder, folder, folder, folder);
    static const char *const acting[][3] = {{"destroy", "box", "--yes"}, {"run", "box", NULL},
                                            {"create", "box", NULL},     {"ssh", "box", NULL},
                                            {"trust", "box", "--yes"},   {"destroy", "--all", "--yes"}};
    for (size_t i = 0; i < COUNT_OF(acting); i++)
        hold(in(lab, "copy", acting[i][0], acting[i][1], acting[i][2]), 78, "is a copy of the project in");
    hold(in(lab, "copy", "plan", "box", "--contact"), 78, "is a copy of the project in");
    cr_expect(runs(machine));
    hold(lab_run(lab, "run", "box", NULL), 0, "work");
    hold(in(lab, "copy", "forget", "box", "--yes"), 0, "was not touched");
    hold(in(lab, "copy", "status", NULL, NULL), 0, "absent");
    hold(in(lab, "copy", "destroy", "box", "--yes"), 0, "");
    cr_expect(runs(machine));
    hold(lab_run(lab, "run", "box", NULL), 0, "work");

    /* The sandbox is alive: nobody is told how to remove it, wherever he looks from. */
    expect_said(lab, ":", "of target box of project lab");
    AUTO_FREE char *elsewhere =
        xasprintf("p=$1; shift 3; set -- unshare -m sh -c 'mount -t tmpfs none %s; cd /; exec "
                  "\"$@\"' sh \"$p\" \"$@\"",
                  folder);
    expect_said(lab, elsewhere, "it runs");
    AUTO_FREE char *no_owner =
        xasprintf("p=$1; shift 3; set -- unshare -m sh -c 'mount -t tmpfs none /var/lib/triphase; "
                  "cd /; exec \"$@\"' sh \"$p\" \"$@\"");
    expect_said(lab, no_owner, "of another container or mount namespace");
    AUTO_FREE char *as_nobody =
        xasprintf("cp \"$1\" %s/program; shift 3; set -- setpriv --reuid 65534 --regid 65534 "
                  "--clear-groups %s/program \"$@\"; cd /",
                  folder, folder);
    rig_shell("chmod 755 %s", folder);
    expect_said(lab, as_nobody, "owner cannot be read");

    hold(lab_run(lab, "forget", "--everything", "--yes", NULL), 3, "box of this project is still there");
    hold(lab_run(lab, "forget", "--everything", "--this-machine", "--yes", NULL), 3,
         "a sandbox of target box of project lab");
    cr_expect(lab_exists(lab, ".triphase/store.db"));

    /* A clone that says the same id and was moved takes nothing of it along. */
    AUTO_FREE char *own_path = xasprintf("\"path\": \"%s\"", folder);
    rig_shell("mkdir -p %s/clone/.triphase && cp -a %s/triphase.yml %s/phases %s/playbooks %s/clone && "
              "sed 's|%s|/nowhere|' %s/.triphase/project.json >%s/clone/.triphase/project.json",
              folder, folder, folder, folder, folder, folder, folder, folder);
    hold(in(lab, "clone", "sweep", "--yes", NULL), 0, "was moved here");
    AUTO_FREE char *still = rig_output("cat /var/lib/triphase/%s/owner.json", name);
    cr_expect(strstr(still, own_path), "%s", still);

    /* It was moved: the next command follows, and the note of its owner with it. */
    rig_shell("mkdir %s/moved && cd %s && mv triphase.yml phases playbooks .triphase moved", folder, folder);
    hold(in(lab, "moved", "run", "box", NULL), 0, "was moved here");
    AUTO_FREE char *note = rig_output("cat /var/lib/triphase/%s/owner.json", name);
    AUTO_FREE char *path = xasprintf("\"path\": \"%s/moved\"", folder);
    cr_expect(strstr(note, path), "%s", note);
    rig_shell("cd %s/moved && mv triphase.yml phases playbooks .triphase ..", folder);
    hold(lab_run(lab, "ssh", "box", "--", "true", NULL), 0, "was moved here");

    /* Nothing of it runs: it is its project's still, and cannot be judged where that is not to be seen. */
    AUTO_FREE char *kill = xasprintf("for c in $(find /sys/fs/cgroup -maxdepth 4 -type d -name machine-%s); "
                                     "do [ -e $c/cgroup.kill ] || continue; "
                                     "echo 1 >$c/cgroup.kill; timeout 20 sh -c \"until grep -q 'populated 0' "
                                     "$c/cgroup.events; do :; done\"; done",
                                     machine);
    rig_shell("%s", kill);
    cr_expect_not(runs(machine));
    expect_said(lab, ":", "it does not run");
    expect_said(lab, elsewhere, "cannot be seen from here");
    rig_shell("mv %s/.triphase %s/away", folder, folder);
    AUTO_FREE char *dead = doctor_of(lab, ":");
    cr_expect(strstr(dead, "nothing of it runs") && strstr(dead, "MEND") && strstr(dead, "--one-file-system"),
              "%s", dead);
    rig_shell("mv %s/away %s/.triphase", folder, folder);
    hold(lab_run(lab, "destroy", "box", "--yes", NULL), 0, "");
    AUTO_FREE char *left = rig_output("ls -d /var/lib/triphase/%s /sys/class/net/%s 2>/dev/null", name, name);
    cr_expect_str_eq(left, "");
}
