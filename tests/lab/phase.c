#include "phase.h"
#include "sandbox.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"
#include "format/json.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char idle[] =
    "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - ansible.builtin.meta: noop\n";
static const char playbook[] = "- ansible.builtin.import_playbook: ../cases/now.yml\n";

/* Quick retries, and none unless the test asks for them. */
static void lay_down(struct lab *lab, const char *phase_keys)
{
    AUTO_FREE char *keys = xasprintf("    retry_pause: 0s\n%s%s",
                                     strstr(phase_keys, "attempts:") ? "" : "    attempts: 1\n", phase_keys);
    lab_static_project(lab, keys, playbook);
    lab_play(lab, idle);
}

static void create(struct lab *lab)
{
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(made.code == 0, "create: %d\n%s", made.code, made.err);
    free(made.out);
    free(made.err);
}

struct lab *lab_phase_project(const char *ansible, const char *phase_keys)
{
    struct lab *lab = lab_new();
    if (ansible)
        lab_ansible(lab, ansible);
    lay_down(lab, phase_keys);
    create(lab);
    return lab;
}

struct lab *lab_hostile_project(const char *phase_keys, const char *environment)
{
    struct lab *lab = lab_new();
    if (environment) {
        AUTO_FREE char *name = xstrndup(environment, strcspn(environment, "="));
        lab_environment(lab, name, environment + strlen(name) + 1);
    }
    lab_hostile_ansible(lab, ". \"$PWD/hostile.sh\"");
    lab_hostility(lab, "begin; finish");
    lay_down(lab, phase_keys);
    create(lab);
    return lab;
}

void lab_hostility(struct lab *lab, const char *body)
{
    static const char words[] =
        "n=0\n"
        "say() { n=$((n+1)); printf '{\"v\":1,\"seq\":%d,\"t\":1000000000000000000,\"m\":5,\"kind\":%s}\\n' "
        "$n \"$1\" >> \"$EVENTS\"; }\n"
        "begin() { say "
        "'\"play_start\",\"play\":\"p\",\"uuid\":\"u\",\"pattern\":\"all\",\"hosts_count\":1,\"hosts\":["
        "\"host\"]'; }\n"
        "finish() { say '\"stats\",\"hosts\":{\"host\":{\"ok\":1,\"failures\":0,\"unreachable\":0}}'; say "
        "\"\\\"end\\\",\\\"count\\\":$n\"; }\n";
    lab_write(lab, "hostile.sh", "%s%s\n", words, body);
}

struct lab *lab_two_phases(const char *ansible)
{
    struct lab *lab = lab_new();
    if (ansible)
        lab_ansible(lab, ansible);
    lab_static_project(lab, "", "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    lab_write(lab, "phases/work.yml", "%s",
              "phases:\n  - {name: first, playbook: playbooks/first.yml}\n  - {name: second, playbook: "
              "playbooks/second.yml}\n");
    return lab;
}

void lab_play(struct lab *lab, const char *text)
{
    lab_write(lab, "cases/now.yml", "%s", text);
}

void lab_play_case(struct lab *lab, const char *folder, const char *name)
{
    AUTO_FREE char *path = xasprintf("cases/%s.yml", name);
    lab_case(lab, folder, "cases");
    AUTO_FREE char *text = lab_read(lab, path);
    lab_play(lab, text);
}

const char *lab_old_ansible(void)
{
    const char *old = getenv("OLD_ANSIBLE");
    if (!old || !file_is_program(old))
        cr_skip_test("this machine has no Ansible 2.14");
    return old;
}

const char *lab_newest_ansible(void)
{
    const char *newest = getenv("NEWEST_ANSIBLE");
    if (!newest || !file_is_program(newest))
        cr_skip_test("the newest Ansible is not there: setup/newest-ansible.sh");
    return newest;
}

const char *lab_mitogen(void)
{
    const char *strategies = getenv("MITOGEN_STRATEGIES");
    if (!strategies || !file_exists(strategies))
        cr_skip_test("mitogen is not there: setup/install.sh check");
    return strategies;
}

void lab_use_mitogen(struct lab *lab)
{
    AUTO_FREE char *packages = xstrdup(lab_mitogen());
    char *end = strstr(packages, "/ansible_mitogen/");
    cr_assert(end, "%s", packages);
    *end = '\0';
    lab_environment(lab, "TRIPHASE_MITOGEN", packages);
    lab_environment(lab, "TRIPHASE_ACCELERATE", "mitogen");
}

struct lab *lab_mitogen_sandbox(void)
{
    (void)lab_mitogen();
    rig_needed();
    struct lab *lab = lab_new();
    lab_use_mitogen(lab);
    lab_write(lab, "triphase.yml",
              "project: lab\ntargets:\n  box:\n    provider: sandbox\n    recipe: work\n");
    return lab;
}

char *lab_phase(struct lab *lab, const char *column)
{
    AUTO_FREE char *query =
        xasprintf("SELECT %s FROM step WHERE kind = 'phase' ORDER BY number DESC LIMIT 1", column);
    return lab_sql(lab, query);
}

int64_t lab_phase_number(struct lab *lab, const char *column)
{
    AUTO_FREE char *text = lab_phase(lab, column);
    return strtoll(text, NULL, 10);
}

char *lab_last_run(struct lab *lab, const char *column)
{
    AUTO_FREE char *query = xasprintf("SELECT %s FROM run ORDER BY number DESC LIMIT 1", column);
    return lab_sql(lab, query);
}

int64_t lab_last_run_number(struct lab *lab, const char *column)
{
    AUTO_FREE char *text = lab_last_run(lab, column);
    return strtoll(text, NULL, 10);
}

void lab_expect(struct lab *lab, const struct lab_result *result, const char *what, const char *outcome,
                const char *cause, int code)
{
    AUTO_FREE char *was = lab_phase(lab, "outcome"), *why = lab_phase(lab, "cause"),
                   *message = lab_phase(lab, "message");
    bool right = strcmp(was, outcome) == 0 && result->code == code &&
                 (!*cause || strcmp(why, strcmp(cause, "-") == 0 ? "" : cause) == 0);
    size_t length = strlen(result->err);
    cr_expect(right, "%s: it is '%s' (%s: %s) with exit %d, and should be '%s' (%s) with exit %d\n%s", what,
              was, why, message, result->code, outcome, cause, code,
              result->err + (length > 3000 ? length - 3000 : 0));
}

struct mark {
    const char *run, *host;
    int found;
};

static bool mentions(const char *pid, const char *file, const char *needle)
{
    AUTO_FREE char *path = xasprintf("/proc/%s/%s", pid, file);
    AUTO_TEXT bytes = TEXT_INIT;
    return file_read(path, 4 << 20, &bytes, NULL) == 0 && bytes.length &&
           memmem(bytes.bytes, bytes.length, needle, strlen(needle)) != NULL;
}

/* What runs at the host is not this machine's, though the lab's host is this machine: its sshd marks it. */
static bool nothing_found(void *context)
{
    struct mark *mark = context;
    AUTO_WORDS names = WORDS_INIT;
    file_list("/proc", &names, NULL);
    mark->found = 0;
    for (size_t i = 0; i < names.count; i++) {
        const char *pid = names.items[i];
        if (*pid >= '1' && *pid <= '9' && strtol(pid, NULL, 10) != getpid())
            mark->found += (mentions(pid, "environ", mark->run) || mentions(pid, "cmdline", mark->run)) &&
                           !mentions(pid, "environ", mark->host);
    }
    return mark->found == 0;
}

void lab_expect_rows(struct lab *lab, const char *what, const char *id, const char *of_phase,
                     const char *of_run)
{
    struct lab_result text = lab_run(lab, "report", id ? id : "host", "--explain", NULL),
                      result = lab_run(lab, "report", id ? id : "host", "--explain", "--json", NULL);
    AUTO_JSON *json = json_parse(result.out, strlen(result.out), NULL);
    const struct json *steps = json_get(json, "steps"), *run = json_get(json, "run");
    const char *phase = NULL;
    for (size_t i = 0; i < json_count(steps); i++)
        if (text_is(json_get_string(json_at(steps, i), "kind", NULL), "phase"))
            phase = json_get_string(json_at(steps, i), "verdict", "(none)");
    AUTO_FREE char *line = xasprintf("     row   %s, ", of_phase);
    cr_expect(text_is(phase, of_phase), "%s: the phase was judged by %s, and not by %s", what, phase,
              of_phase);
    cr_expect_str_eq(json_get_string(run, "verdict", "(none)"), of_run, "%s: the run by %s", what,
                     json_get_string(run, "verdict", "(none)"));
    cr_expect(strstr(text.out, line), "%s: nothing says '%s' in\n%s", what, line, text.out);
    free(text.out);
    free(text.err);
    free(result.out);
    free(result.err);
}

void lab_expect_nothing_left(struct lab *lab, const char *what)
{
    AUTO_FREE char *run = lab_last_run(lab, "id"), *host = xasprintf("LAB=%s", lab_folder(lab));
    struct mark mark = {run, host, 0};
    cr_expect(lab_until(1, nothing_found, &mark), "%s: %d process(es) of the run are left", what, mark.found);
    cr_expect(lab_phase_number(lab, "survivors_here") == 0, "%s: the row tells of survivors", what);
}
