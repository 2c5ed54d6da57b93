/* Which files of this machine a phase could have read, and what becomes known when one of them changes. */
#include "folder.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "playbook/used_files.h"

#include <criterion/criterion.h>
#include <string.h>

static void fill(void)
{
    folder_write("triphase.yml",
                 "project: demo\ninventory: [hosts.yml]\ntargets:\n  vault:\n    recipe: vault\n");
    folder_write("hosts.yml", "all: {}\n");
    folder_write("phases/vault.yml", "phases:\n  - name: install\n    playbook: playbooks/install.yml\n"
                                     "    args: ['-e', '@more.yml']\n"
                                     "  - name: converge\n    playbook: playbooks/converge.yml\n");
    folder_write("playbooks/install.yml",
                 "- import_playbook: imported.yml\n"
                 "- hosts: all\n  vars_files: [named.yml]\n  roles: [some]\n  tasks:\n"
                 "    - ansible.builtin.copy: {src: literal.txt, dest: /etc/hosts}\n"
                 "    - ansible.builtin.include_tasks: part.yml\n");
    folder_write("playbooks/converge.yml",
                 "- hosts: all\n  tasks:\n"
                 "    - ansible.builtin.template: {src: \"{{ which }}.j2\", dest: /x}\n");
    folder_write("playbooks/imported.yml", "- hosts: all\n  tasks: []\n");
    folder_write("playbooks/named.yml", "a: 1\n");
    folder_write("playbooks/part.yml", "- ansible.builtin.ping:\n");
    folder_write("playbooks/files/literal.txt", "1\n");
    folder_write("playbooks/files/of-nobody.txt", "1\n");
    folder_write("playbooks/templates/one.j2", "1\n");
    folder_write("playbooks/roles/some/tasks/main.yml", "- ansible.builtin.ping:\n");
    folder_write("playbooks/roles/some/meta/main.yml", "dependencies: [base]\n");
    folder_write("playbooks/roles/base/defaults/main.yml", "b: 1\n");
    folder_write("playbooks/roles/other/tasks/main.yml", "- ansible.builtin.ping:\n");
    folder_write("group_vars/all.yml", "c: 1\n");
    folder_write("playbooks/library/own.py", "1\n");
    folder_write("inventory-templates/direct.yml", "all: {}\n");
    folder_write("inventory-templates/tailnet.yml", "all: {}\n");
    folder_write("more.yml", "d: 1\n");
}

TestSuite(used_files, .timeout = 60, .init = fill, .fini = folder_clean);

static struct json *look(const struct project *project, size_t phase, const struct words *ran)
{
    struct used_files_request request = {
        .project = project, .phase = &project->recipes[0].phases[phase], .transport = "direct", .ran = ran};
    return used_files_look(&request);
}

static char *differences(const struct project *project, const struct json *before)
{
    AUTO_WORDS lines = WORDS_INIT, untold = WORDS_INIT;
    struct text out = TEXT_INIT;
    used_files_compare(project, before, &lines, &lines, &untold);
    for (size_t i = 0; i < lines.count; i++)
        text_addf(&out, "%s%s", i ? "; " : "", lines.items[i]);
    return text_take(&out);
}

static void hold_counts(const char *path, bool counts)
{
    AUTO_PROJECT *project = folder_load();
    AUTO_JSON *before = look(project, 0, NULL);
    AUTO_FREE char *same = differences(project, before), *line = xasprintf("%s changed", path);
    cr_assert_str_eq(same, "");
    folder_write(path, "- another: 1\n");
    AUTO_FREE char *said = differences(project, before);
    cr_expect_str_eq(said, counts ? line : "");
}

Test(used_files, whatever_the_playbook_names_or_ansible_reads_beside_it_counts)
{
    static const char *const files[] = {"playbooks/install.yml",
                                        "playbooks/imported.yml",
                                        "playbooks/named.yml",
                                        "playbooks/part.yml",
                                        "playbooks/files/literal.txt",
                                        "playbooks/roles/some/tasks/main.yml",
                                        "playbooks/roles/base/defaults/main.yml",
                                        "group_vars/all.yml",
                                        "hosts.yml",
                                        "playbooks/library/own.py",
                                        "inventory-templates/direct.yml",
                                        "more.yml"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        fill();
        hold_counts(files[i], true);
    }
}

Test(used_files, what_other_phases_read_does_not)
{
    static const char *const files[] = {"playbooks/converge.yml", "playbooks/files/of-nobody.txt",
                                        "playbooks/templates/one.j2", "playbooks/roles/other/tasks/main.yml",
                                        "inventory-templates/tailnet.yml"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        fill();
        hold_counts(files[i], false);
    }
}

Test(used_files, where_a_template_decides_all_that_it_could_mean_counts)
{
    AUTO_PROJECT *project = folder_load();
    AUTO_JSON *before = look(project, 1, NULL);
    folder_write("playbooks/templates/one.j2", "2\n");
    AUTO_FREE char *said = differences(project, before);
    cr_assert_str_eq(said, "playbooks/templates/one.j2 changed");
}

Test(used_files, a_task_that_ran_brings_its_role_and_one_of_no_role_its_file)
{
    AUTO_PROJECT *project = folder_load();
    AUTO_WORDS ran = WORDS_INIT;
    words_own(&ran, folder_path("playbooks/roles/other/tasks/main.yml"));
    words_own(&ran, folder_path("playbooks/files/of-nobody.txt"));
    words_add(&ran, "x.yml");
    AUTO_JSON *before = look(project, 0, &ran);
    folder_write("playbooks/roles/other/files/new", "1\n");
    folder_write("playbooks/files/of-nobody.txt", "2\n");
    AUTO_FREE char *said = differences(project, before);
    cr_assert(strstr(said, "playbooks/roles/other/files/new is new") && strstr(said, "of-nobody.txt changed"),
              "%s", said);
    cr_assert_null(strstr(said, "converge"), "%s", said);
}

Test(used_files, what_changed_between_two_looks_never_counts_as_unchanged)
{
    AUTO_PROJECT *project = folder_load();
    AUTO_JSON *begin = look(project, 0, NULL);
    folder_write("playbooks/named.yml", "a: 2\n");
    AUTO_JSON *end = look(project, 0, NULL);
    used_files_mark_changed(end, begin);
    AUTO_FREE char *said = differences(project, end);
    cr_assert_str_eq(said, "playbooks/named.yml: changed while the phase ran");
}

Test(used_files, what_changed_since_the_phase_began_does_not_though_the_first_look_came_later)
{
    AUTO_PROJECT *project = folder_load();
    const int64_t began = moment_wall();
    moment_sleep(20 * NS_PER_MS); /* times of files go by ticks */
    folder_write("playbooks/named.yml", "a: 2\n");
    struct used_files_request late = {.project = project,
                                      .phase = &project->recipes[0].phases[0],
                                      .transport = "direct",
                                      .since_ns = began};
    AUTO_JSON *begin = used_files_look(&late), *end = look(project, 0, NULL);
    used_files_mark_changed(end, begin);
    AUTO_FREE char *said = differences(project, end);
    cr_assert_str_eq(said, "playbooks/named.yml: changed while the phase ran");
}

/* A phase `install` whose only task (after a file beside it) is this. */
static void fill_task(const char *play, const char *task)
{
    AUTO_FREE char *text = xasprintf("- hosts: all\n%s  tasks:\n    - %s\n", play, task);
    folder_write("playbooks/install.yml", text);
    folder_write("cfg/app.conf", "1\n");
    folder_write("cfg/other.conf", "1\n");
    folder_write("playbooks/cfg/app.conf", "1\n");
}

static char *said_after(const char *path, const char *text)
{
    AUTO_PROJECT *project = folder_load();
    AUTO_JSON *begin = look(project, 0, NULL), *end = look(project, 0, NULL);
    used_files_mark_changed(end, begin);
    folder_write(path, text);
    return differences(project, end);
}

Test(used_files, a_file_named_by_folders_variables_and_lookups_counts)
{
    static const struct {
        const char *play, *task, *path;
    } named[] = {
        {"", "copy: {src: \"{{ playbook_dir }}/cfg/app.conf\", dest: /o}", "playbooks/cfg/app.conf"},
        {"", "copy: src={{ playbook_dir }}/cfg/app.conf dest=/o", "playbooks/cfg/app.conf"},
        {"", "copy: {src: \"{{ playbook_dir }}/../cfg/app.conf\", dest: /o}", "cfg/app.conf"},
        {"", "copy: {src: \"{{ playbook_dir | dirname }}/cfg/app.conf\", dest: /o}", "cfg/app.conf"},
        {"", "copy: {src: \"{{ inventory_dir }}/cfg/app.conf\", dest: /o}", "cfg/app.conf"},
        {"  vars: {base: \"{{ playbook_dir }}/..\"}\n", "copy: {src: \"{{ base }}/cfg/app.conf\", dest: /o}",
         "cfg/app.conf"},
        {"  vars: {c: {base: ../cfg}}\n", "copy: {src: \"{{ c.base }}/app.conf\", dest: /o}", "cfg/app.conf"},
        {"", "copy: {content: \"{{ lookup('file', '../cfg/app.conf') }}\", dest: /o}", "cfg/app.conf"},
        {"", "debug: {msg: \"{{ lookup('file', playbook_dir ~ '/../cfg/app.conf') }}\"}", "cfg/app.conf"},
        {"", "debug: {msg: \"{{ lookup('ini', 'a', section='b', file='../cfg/app.conf') }}\"}",
         "cfg/app.conf"},
        {"", "{copy: {src: \"../cfg/{{ item }}.conf\", dest: /o}, loop: [app]}", "cfg/app.conf"},
        {"", "{copy: {src: \"{{ item.a }}\", dest: /o}, loop: [{a: ../cfg/app.conf, b: x}]}", "cfg/app.conf"},
        {"", "{copy: {src: \"{{ item }}\", dest: /o}, with_fileglob: \"../cfg/*.conf\"}", "cfg/app.conf"},
        {"", "script: \"{{ playbook_dir }}/../cfg/app.conf with arguments\"", "cfg/app.conf"},
        {"", "copy: {src: \"{{ playbook_dir }}/../cfg/{{ unknown }}.conf\", dest: /o}", "cfg/app.conf"},
        {"", "copy: {src: \"{{ unknown }}/app.conf\", dest: /o}", "cfg/app.conf"},
        {"", "copy: {src: \"{{ unknown }}\", dest: /o}", "cfg/app.conf"},
    };
    for (size_t i = 0; i < COUNT_OF(named); i++) {
        fill_task(named[i].play, named[i].task);
        AUTO_FREE char *line = xasprintf("%s changed", named[i].path);
        AUTO_FREE char *said = said_after(named[i].path, "2\n");
        cr_expect_str_eq(said, line, "%s: '%s'", named[i].task, said);
    }
}

Test(used_files, what_no_word_can_mean_does_not_count)
{
    static const struct {
        const char *play, *task, *path;
    } others[] = {
        {"  vars: {base: \"{{ playbook_dir }}/..\"}\n", "copy: {src: \"{{ base }}/cfg/app.conf\", dest: /o}",
         "playbooks/cfg/app.conf"},
        {"", "copy: {src: \"{{ playbook_dir }}/../cfg/app.conf\", dest: /o}", "cfg/other.conf"},
        {"", "{copy: {src: \"../cfg/{{ item }}.conf\", dest: /o}, loop: [app]}", "cfg/other.conf"},
        {"", "copy: {src: \"{{ unknown }}/app.conf\", dest: /o}", "cfg/other.conf"},
        {"", "fetch: {src: \"{{ unknown }}\", dest: /o}", "cfg/other.conf"},
        {"", "debug: {msg: \"{{ lookup('env', 'HOME') }}\"}", "cfg/other.conf"},
        {"", "copy: {src: \"{{ unknown }}\", dest: /o}", "playbooks/converge.yml"},
        {"", "copy: {src: \"{{ unknown }}\", dest: /o}", "phases/vault.yml"},
        {"", "copy: {src: \"{{ unknown }}\", dest: /o}", "README.md"},
        {"", "copy: {src: \"{{ unknown }}\", dest: /o}", ".triphase/store"},
        {"", "copy: {src: \"{{ unknown }}\", dest: /o}", "fetched/of-a-later-phase"},
    };
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        fill_task(others[i].play, others[i].task);
        if (text_is(others[i].path, "README.md"))
            folder_write("README.md", "1\n");
        AUTO_PROJECT *project = folder_load();
        AUTO_JSON *end = look(project, 0, NULL);
        folder_write(others[i].path, "# 2\n");
        AUTO_FREE char *said = differences(project, end);
        cr_expect_str_eq(said, "", "%s: '%s'", others[i].task, said);
        folder_clean();
        fill();
    }
}

Test(used_files, what_a_phase_writes_into_the_project_itself_does_not_refuse_its_resume)
{
    fill_task("", "copy: {content: x, dest: \"{{ playbook_dir }}/../cfg/app.conf\"}\n"
                  "    - copy: {src: \"{{ playbook_dir }}/../cfg/app.conf\", dest: /o}\n"
                  "    - copy: {src: \"{{ unknown }}\", dest: /o}");
    AUTO_PROJECT *project = folder_load();
    AUTO_JSON *begin = look(project, 0, NULL);
    folder_write("cfg/app.conf", "written\n");
    AUTO_JSON *end = look(project, 0, NULL);
    used_files_mark_changed(end, begin);
    AUTO_FREE char *same = differences(project, end);
    cr_expect_str_eq(same, "");
    folder_write("cfg/app.conf", "edited\n");
    AUTO_FREE char *said = differences(project, end);
    cr_expect_str_eq(said, "cfg/app.conf changed");
}

static char *untold_of(const struct project *project, const struct json *before, size_t *changed)
{
    AUTO_WORDS lines = WORDS_INIT, untold = WORDS_INIT;
    used_files_compare(project, before, &lines, &lines, &untold);
    *changed = lines.count;
    return untold.count ? xstrdup(untold.items[0]) : xstrdup("");
}

Test(used_files, what_cannot_be_told_is_said_and_refuses_nothing)
{
    size_t changed = 0;
    fill_task("", "copy: {src: \"{{ unknown }}\", dest: /o}");
    AUTO_PROJECT *project = folder_load();
    AUTO_JSON *begin = look(project, 0, NULL);
    folder_write("cfg/app.conf", "2\n");
    AUTO_JSON *end = look(project, 0, NULL);
    used_files_mark_changed(end, begin);
    AUTO_FREE char *meanwhile = untold_of(project, end, &changed);
    cr_expect(strstr(meanwhile, "cfg/app.conf changed while the phase ran") && !changed, "%s", meanwhile);
    for (int i = 0; i < 2100; i++) {
        AUTO_FREE char *path = xasprintf("many/%d", i);
        folder_write(path, "");
    }
    AUTO_JSON *many = look(project, 0, NULL);
    AUTO_FREE char *bound = untold_of(project, many, &changed);
    cr_expect(strstr(bound, "more files than can be looked at") && !changed, "%s", bound);
}
