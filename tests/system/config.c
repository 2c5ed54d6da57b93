/* `triphase config` and the words of the command line, from outside: codes, one line per
 * problem, which layer counts. */
#include "base/memory.h"
#include "base/text.h"
#include "lab/lab.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(config, .timeout = 60);

#define GOOD   "project: lab\ntargets:\n  web:\n    recipe: web\n"
#define RECIPE "phases:\n  - name: work\n    playbook: playbooks/work.yml\n"

static struct lab *project(void)
{
    struct lab *lab = lab_new();
    lab_write(lab, "triphase.yml", "%s", GOOD);
    lab_write(lab, "phases/web.yml", "%s", RECIPE);
    lab_write(lab, "playbooks/work.yml", "- hosts: recipe_web\n  tasks: []\n");
    return lab;
}

static size_t lines_of(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

/* Nothing on stdout, one line on stderr that begins with the program's name and holds the words. */
static void refused(struct lab_result result, int code, const char *what, const char *words)
{
    cr_expect(eq(int, result.code, code), "%s: %s", what, result.err);
    cr_expect(eq(str, result.out, ""), "%s", what);
    cr_expect(text_starts(result.err, "triphase") && strstr(result.err, words), "%s: no '%s' in: %s", what,
              words, result.err);
    cr_expect(eq(sz, lines_of(result.err), 1), "%s: %s", what, result.err);
}

static void says(struct lab_result result, const char *words)
{
    cr_assert(eq(int, result.code, 0), "%s", result.err);
    cr_assert(strstr(result.out, words) != NULL, "no '%s' in: %s", words, result.out);
}

static const struct fault {
    const char *file, *text, *words;
} faults[] = {
    {"triphase.yml", GOOD "    deadline: 90\n",
     "triphase.yml:5:15: 'deadline': '90' is no duration; write it like 90s, 5m or 1h30m"},
    {"triphase.yml", GOOD "    deadlin: 90s\n",
     "triphase.yml:5:5: unknown key 'deadlin'; did you mean 'deadline'?"},
    {"triphase.yml", GOOD "    host_name: caf\xe9\n",
     "triphase.yml:5:19: the byte 0xe9: the file is not UTF-8 text"},
    {"triphase.yml", GOOD "    recipe: web\n", "triphase.yml:5:5: 'recipe' stands here twice"},
    {"triphase.yml", GOOD "    health: {url: x}\n", "triphase.yml:5:19: 'health.url': 'x' is no URL"},
    {"triphase.yml", GOOD "    provider: hetzner\n", "has no 'server_type', which is required"},
    {"triphase.yml", "project: [lab\n", "triphase.yml:"},
    {"triphase.yml",
     "project: lab\nx:\n  - &a [1,1,1,1,1,1,1,1,1]\n  - &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n  - &c "
     "[*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
     "  - &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n  - &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n  - &f "
     "[*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
     "  - &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n  - &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n  - &i "
     "[*h,*h,*h,*h,*h,*h,*h,*h,*h]\n",
     "triphase.yml:"},
    {"phases/web.yml", "phases:\n  - name: work\n    playbook: playbooks/gone.yml\n",
     "phases/web.yml:3:5: there is no playbook playbooks/gone.yml"},
    {"phases/web.yml",
     "phases:\n  - name: work\n    playbok: playbooks/work.yml\n    playbook: playbooks/work.yml\n",
     "phases/web.yml:3:5: unknown key 'playbok'; did you mean 'playbook'?"},
    {"phases/web.yml", RECIPE "    silence: soon\n", "phases/web.yml:4:14: 'silence': 'soon' is no duration"},
};

Test(config, a_fault_in_a_project_file_is_78_and_one_line_with_its_place)
{
    struct lab *lab = project();
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        lab_write(lab, "triphase.yml", "%s", GOOD);
        lab_write(lab, "phases/web.yml", "%s", RECIPE);
        lab_write(lab, faults[i].file, "%s", faults[i].text);
        struct lab_result result = lab_run(lab, "config", NULL);
        refused(result, 78, faults[i].text, faults[i].words);
        cr_expect(lt(dbl, result.seconds, 5.0), "%s: %.1f s", faults[i].text, result.seconds);
    }
}

Test(config, every_command_that_reads_the_files_refuses_them_alike_and_makes_nothing)
{
    static const char *const words[][2] = {
        {"plan"}, {"create"}, {"run", "web"}, {"inventory", "web"}, {"config", "web"}};
    struct lab *lab = project();
    lab_write(lab, "phases/web.yml", "phases:\n  - name: work\n    playbook: playbooks/gone.yml\n");
    for (size_t i = 0; i < COUNT_OF(words); i++)
        refused(lab_run(lab, words[i][0], words[i][1], NULL), 78, words[i][0],
                "phases/web.yml:3:5: there is no playbook playbooks/gone.yml");
    cr_assert(not(lab_exists(lab, ".triphase")), "a refused command left something");
}

Test(config, all_faults_of_a_file_are_told_at_once)
{
    struct lab *lab = project();
    lab_write(lab, "triphase.yml", "%s", GOOD "    deadline: x\n    prot: 22\n    protected: 7\n");
    struct lab_result result = lab_run(lab, "config", NULL);
    cr_assert(eq(int, result.code, 78));
    cr_assert(eq(sz, lines_of(result.err), 3), "%s", result.err);
}

Test(config, an_unknown_target_and_wrong_words_are_64)
{
    struct lab *lab = project();
    refused(lab_run(lab, "config", "wbe", NULL), 64, "wbe", "wbe");
    refused(lab_run(lab, "config", "web", "web", NULL), 64, "two", "one target");
    refused(lab_run(lab, "--set", "nonsense", "config", NULL), 64, "--set", "PATH=YAML");
    refused(lab_run(lab, "--set", NULL), 64, "--set alone", "needs a value");
    refused(lab_run(lab, "--bogus", "config", NULL), 64, "--bogus", "--bogus");
    refused(lab_run(lab, "confgi", NULL), 64, "confgi", "did you mean 'config'");
    refused(lab_run(lab, "-C", "/", "config", NULL), 78, "/", "triphase init");
}

Test(config, the_environment_beats_the_file_and_set_beats_the_environment)
{
    struct lab *lab = project();
    lab_write(lab, "triphase.yml", "%s", GOOD "    deadline: 10m\n");
    says(lab_run(lab, "config", "web", NULL), "triphase.yml:5:5");
    lab_environment(lab, "TRIPHASE_TARGETS_WEB_DEADLINE", "20m");
    struct lab_result result = lab_run(lab, "config", "web", NULL);
    says(result, "environment TRIPHASE_TARGETS_WEB_DEADLINE\n");
    const char *own = strstr(result.out, "targets.web.deadline "),
               *hidden = own ? strstr(own, "hides 10m") : NULL;
    cr_assert(own && hidden && strstr(own, "20m") < hidden, "%s", result.out);

    result = lab_run(lab, "--set", "targets.web.deadline=30m", "config", "web", NULL);
    says(result, "--set targets.web.deadline\n");
    own = strstr(result.out, "targets.web.deadline ");
    const char *value = own ? strstr(own, "30m") : NULL;
    hidden = value ? strstr(value, "hides 20m") : NULL;
    cr_assert(hidden && strstr(hidden, "hides 10m"), "%s", result.out);

    /* set but empty means unset */
    lab_environment(lab, "TRIPHASE_TARGETS_WEB_DEADLINE", "");
    says(lab_run(lab, "config", "web", NULL), "triphase.yml:5:5");
    lab_environment(lab, "TRIPHASE_TARGETS_WEB_DEADLINE", NULL);
    lab_environment(lab, "TRIPHASE_TARGETS_WEB_DEADLIN", "1m");
    refused(lab_run(lab, "config", NULL), 78, "a name that fits nothing",
            "the nearest is TRIPHASE_TARGETS_WEB_DEADLINE");
    lab_environment(lab, "TRIPHASE_TARGETS_WEB_DEADLIN", NULL);
    lab_environment(lab, "TRIPHASE_PHASES_WEB_WORK_DEADLINE", "soon");
    refused(lab_run(lab, "config", NULL), 78, "a bad value", "TRIPHASE_PHASES_WEB_WORK_DEADLINE");
    lab_environment(lab, "TRIPHASE_PHASES_WEB_WORK_DEADLINE", NULL);
    refused(lab_run(lab, "--set", "targets.web.deadlin=1m", "config", NULL), 64, "--set",
            "the nearest is targets.web.deadline");
}

Test(config, the_users_own_file_only_warns)
{
    struct lab *lab = project();
    AUTO_FREE char *home = xasprintf("%s/user", lab_folder(lab));
    lab_write(lab, "user/triphase/config.yml", "keep: soon\ndefaults: {deadline: 7m}\nnonsense: 1\n");
    lab_environment(lab, "XDG_CONFIG_HOME", home);
    struct lab_result result = lab_run(lab, "config", "web", NULL);
    says(result, "7m");
    cr_assert(strstr(result.err, "warning: ") && strstr(result.err, "nonsense") &&
                  strstr(result.err, "'soon' is no duration"),
              "%s", result.err);
}

Test(config, a_secret_is_told_by_its_source_and_as_json_too)
{
    struct lab *lab = project();
    lab_write(lab, "triphase.yml", "%s", GOOD "    secrets: {token: {env: MY_TOKEN}}\n");
    lab_environment(lab, "MY_TOKEN", "so-very-secret");
    static const char *const forms[] = {NULL, "--json"};
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct lab_result result = lab_run(lab, "config", "web", forms[i], NULL);
        says(result, "MY_TOKEN");
        cr_assert(strstr(result.out, "so-very-secret") == NULL &&
                  strstr(result.err, "so-very-secret") == NULL);
    }
}

/* Names of the commands, as --help lists them. */
static void commands_of(struct lab *lab, char names[][32], size_t room, size_t *count)
{
    struct lab_result help = lab_run(lab, "--help", NULL);
    cr_assert(eq(int, help.code, 0));
    for (const char *at = help.out; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        if (text_starts(at, "  ") && at[2] >= 'a' && at[2] <= 'z' && *count < room)
            snprintf(names[(*count)++], 32, "%.*s", (int)strcspn(at + 2, " "), at + 2);
}

Test(config, every_command_has_help_and_refuses_an_unknown_option_with_64)
{
    static const char *const wanted[] = {"init",   "doctor", "plan",   "create",   "run",
                                         "resume", "attach", "cancel", "destroy",  "cycle",
                                         "status", "ssh",    "probe",  "diagnose", "inventory",
                                         "report", "events", "bundle", "config",   "trust",
                                         "forget", "sweep",  "store",  "up",       "drift"};
    struct lab *lab = project();
    char names[32][32];
    size_t count = 0;
    commands_of(lab, names, COUNT_OF(names), &count);
    cr_assert(eq(sz, count, COUNT_OF(wanted)));
    for (size_t i = 0; i < count; i++) {
        cr_expect(eq(str, names[i], (char *)(uintptr_t)wanted[i]));
        struct lab_result help = lab_run(lab, names[i], "--help", NULL);
        AUTO_FREE char *usage = xasprintf("usage: triphase %s ", names[i]);
        cr_expect(eq(int, help.code, 0), "%s", names[i]);
        cr_expect(text_starts(help.out, usage) && !*help.err, "%s: %s%s", names[i], help.out, help.err);
        AUTO_FREE char *problem = xasprintf("triphase: %s has no option '--frobnicate'", names[i]);
        refused(lab_run(lab, names[i], "--frobnicate", NULL), 64, names[i],
                text_is(names[i], "ssh") ? "triphase" : problem);
    }
    cr_assert(not(lab_exists(lab, ".triphase")), "asking for help left something");
}

Test(config, what_is_of_a_later_version_says_so)
{
    static const char *const words[][4] = {
        {"logs"},
        {"serve"},
        {"completion", "bash"},
        {"report", "--format", "html"},
        {"report", "--format", "junit"},
        {"report", "--format", "openmetrics"},
        {"report", "--format", "prometheus"},
        {"report", "--format", "trace"},
        {"report", "--format", "otlp"},
    };
    struct lab *lab = project();
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        AUTO_FREE char *what = xasprintf("%s %s", words[i][0], words[i][1] ? words[i][1] : "");
        refused(lab_run(lab, words[i][0], words[i][1], words[i][2], words[i][3], NULL), 64, what,
                "not in this version");
    }
}
