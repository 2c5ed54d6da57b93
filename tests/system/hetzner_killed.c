/* Whatever dies or fails while the provider `hetzner` makes or removes a server, the next command finds what
 * is there: nothing is made twice, and nothing stays. */
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "lab/fsynced.h"
#include "lab/hetzner_project.h"
#include "provider/provider.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

/* The fault that was added last. */
static bool was_played(void *cloud)
{
    AUTO_JSON *state = hetzner_state(cloud);
    const struct json *faults = json_get(state, "faults");
    return json_get_integer(json_at(faults, json_count(faults) - 1), "played", 0) > 0;
}

/* The worker dies while the cloud has done what it was asked for and has not told so yet. */
static void kill_at(struct lab *lab, struct hetzner *cloud, const char *method, const char *path,
                    const char *command)
{
    AUTO_FREE char *fault =
        xasprintf("{\"fault\": \"unanswered\", \"method\": \"%s\", \"path\": \"%s\"}", method, path);
    hetzner_fault(cloud, fault);
    pid_t started = text_is(command, "destroy") ? lab_start(lab, "it", "destroy", "host", "--yes", NULL)
                                                : lab_start(lab, "it", command, "host", NULL);
    cr_assert(lab_until(20, was_played, cloud), "%s %s was never asked", method, path);
    cr_assert_eq(kill(lab_worker(lab), SIGKILL), 0);
    lab_wait(lab, started, 30);
    hetzner_forgive(cloud);
}

Test(hetzner, a_worker_killed_at_any_instant_of_making_leaves_what_destroy_finds)
{
    static const char *const posts[] = {"/ssh_keys$", "/firewalls$", "/servers$"};
    struct hetzner *cloud = hetzner_of_nobody();
    struct lab *lab = hetzner_project(cloud, HETZNER_NOBODY);
    for (size_t i = 0; i < COUNT_OF(posts); i++) {
        kill_at(lab, cloud, "POST", posts[i], "create");
        cr_assert_eq(hetzner_count(cloud, "servers"), i == 2, "%s", posts[i]);
        hetzner_expect_destroyed(lab, cloud);
    }
    /* And while it is only looked at. */
    kill_at(lab, cloud, "GET", "/servers/", "create");
    hetzner_expect_destroyed(lab, cloud);
}

Test(hetzner, a_worker_killed_at_any_instant_of_removing_is_followed_by_one_that_finds_the_rest)
{
    static const char *const deletes[] = {"/servers/", "/firewalls/", "/ssh_keys/"};
    struct hetzner *cloud = hetzner_of_nobody();
    struct lab *lab = hetzner_project(cloud, HETZNER_NOBODY);
    for (size_t i = 0; i < COUNT_OF(deletes); i++) {
        cr_assert_eq(lab_run(lab, "create", "host", NULL).code, 4);
        kill_at(lab, cloud, "DELETE", deletes[i], "destroy");
        hetzner_expect_destroyed(lab, cloud);
    }
}

/* Not at a request but at any millisecond: soak.txt. */
Test(hetzner, a_worker_killed_at_any_millisecond_of_making_leaves_what_destroy_finds, .timeout = 400)
{
    struct hetzner *cloud = hetzner_of_nobody();
    struct lab *lab = hetzner_project(cloud, HETZNER_NOBODY);
    for (int64_t ms = 0; ms < 400; ms += 10) {
        pid_t create = lab_start(lab, "it", "create", "host", NULL);
        cr_assert(lab_until_sql(lab, 20, "SELECT count(*) FROM run WHERE outcome IS NULL"));
        moment_sleep(ms * NS_PER_MS);
        pid_t worker = lab_worker(lab);
        if (worker)
            kill(worker, SIGKILL);
        lab_wait(lab, create, 30);
        hetzner_expect_destroyed(lab, cloud);
    }
}

Test(hetzner, a_create_after_a_killed_one_has_one_server_and_not_two)
{
    struct hetzner *cloud = hetzner_of_nobody();
    struct lab *lab = hetzner_project(cloud, HETZNER_NOBODY);
    kill_at(lab, cloud, "POST", "/servers$", "create");
    cr_assert_eq(lab_run(lab, "create", "host", NULL).code, 4);
    hetzner_expect_each(cloud, 1);
    hetzner_expect_destroyed(lab, cloud);
}

Test(hetzner, what_was_made_though_its_answer_never_came_is_taken_and_not_made_twice)
{
    static const char *const posts[] = {"/ssh_keys$", "/firewalls$", "/servers$"};
    struct hetzner *cloud = hetzner_of_nobody();
    struct lab *lab = hetzner_project(cloud, HETZNER_NOBODY);
    for (size_t i = 0; i < COUNT_OF(posts); i++) {
        AUTO_FREE char *fault =
            xasprintf("{\"fault\": \"dropped\", \"method\": \"POST\", \"path\": \"%s\"}", posts[i]);
        hetzner_fault(cloud, fault);
    }
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(made.code, 4, "%s", made.err);
    hetzner_expect_each(cloud, 1);
    hetzner_expect_destroyed(lab, cloud);
}

Test(hetzner, a_server_that_went_away_by_itself_is_told_and_the_rest_of_it_removed)
{
    struct hetzner *cloud = hetzner_of_nobody();
    struct lab *lab = hetzner_project(cloud, HETZNER_NOBODY);
    cr_assert_eq(lab_run(lab, "create", "host", NULL).code, 4);
    AUTO_FREE char *name = lab_sql(lab, "SELECT reference FROM machine");
    hetzner_vanish(cloud, name);
    struct lab_result again = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(again.code, 3, "%s", again.err);
    cr_expect(strstr(again.err, "of target host is gone: destroy it"), "%s", again.err);
    hetzner_expect_destroyed(lab, cloud);
}

/* A target at that cloud and a machine of it, as a stage has them; target_clear. */
static struct target target_of(struct hetzner *cloud, char *token)
{
    struct target target = {.name = (char *)"host",
                            .provider = (char *)"hetzner",
                            .provision_ns = 20 * NS_PER_S,
                            .host_key_kind = HOST_KEYS_ACCEPT_NEW,
                            .cloud = {.token = {.kind = SECRET_FILE, .fd = -1, .where = token},
                                      .endpoint = (char *)hetzner_endpoint(cloud),
                                      .server_type = (char *)"cx23",
                                      .image = (char *)"docker-ce",
                                      .ipv4 = true}};
    words_add(&target.cloud.firewall_in, "tcp/22");
    words_add(&target.cloud.firewall_from, "0.0.0.0/0");
    return target;
}

static void target_clear(struct target *target)
{
    words_clear(&target->cloud.firewall_in);
    words_clear(&target->cloud.firewall_from);
}

static struct machine *machine_of(struct lab *lab)
{
    struct machine *machine = machine_new();
    machine->id = xstrdup("01a22c34-3d2e-72b3-9cd8-60fb911ece47");
    machine->target = xstrdup("host");
    machine->directory = xasprintf("%s/.triphase/machines/%s", lab_folder(lab), machine->id);
    return machine;
}

/* As a call does that finds what one before it made. */
Test(hetzner, what_bears_the_machines_label_is_taken_by_a_second_making)
{
    struct hetzner *cloud = hetzner_of_nobody();
    struct lab *lab = hetzner_project(cloud, "");
    AUTO_FREE char *token = xasprintf("%s/token", lab_folder(lab));
    struct target target = target_of(cloud, token);
    AUTO_MACHINE *machine = machine_of(lab);
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(provider_hetzner.plan(&target, machine, &err), 0, "%s", error_text(&err));

    for (int i = 0; i < 2; i++)
        cr_assert_eq(provider_hetzner.make(&target, machine, &err), 0, "%s", error_text(&err));

    hetzner_expect_each(cloud, 1);
    cr_expect_eq(provider_hetzner.remove(&target, machine, 20 * NS_PER_S, &err), 0, "%s", error_text(&err));
    hetzner_expect_each(cloud, 0);
    target_clear(&target);
}

/* Its mark, and the folders that it lies in, would outlast a power cut that comes next. */
Test(hetzner, that_something_is_being_made_is_on_disk_before_the_first_thing_is_asked_for)
{
    struct hetzner *cloud = hetzner_of_nobody();
    struct lab *lab = hetzner_project(cloud, "");
    AUTO_FREE char *token = xasprintf("%s/token", lab_folder(lab));
    struct target target = target_of(cloud, token);
    AUTO_MACHINE *machine = machine_of(lab);
    AUTO_ERROR err = ERROR_INIT;
    hetzner_fault(cloud, "{\"fault\": 403, \"method\": \"POST\", \"path\": \"/ssh_keys$\"}");
    cr_assert_eq(provider_hetzner.plan(&target, machine, &err), 0, "%s", error_text(&err));
    fsynced_watch();

    cr_assert_eq(provider_hetzner.make(&target, machine, &err), -1);

    AUTO_FREE char *machines = xasprintf("%s/.triphase/machines", lab_folder(lab)),
                   *state = xasprintf("%s/.triphase", lab_folder(lab));
    cr_expect(fsynced(machine->directory));
    cr_expect(fsynced(machines));
    cr_expect(fsynced(state));
    target_clear(&target);
}

/* Nothing was begun, so nothing has to be looked for. */
Test(hetzner, an_api_that_is_gone_before_anything_is_made_leaves_nothing_to_destroy)
{
    struct hetzner *cloud = hetzner_of_nobody();
    struct lab *lab = hetzner_project(cloud, "    stage_deadline: {provision: 2s, destroy: 2s}\n");
    hetzner_stop(cloud);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(made.code, 3, "%s", made.err);
    struct lab_result gone = lab_run(lab, "destroy", "host", "--yes", NULL);
    cr_expect_eq(gone.code, 0, "%s", gone.err);
}

Test(hetzner, an_api_that_is_gone_once_something_is_made_loses_nothing)
{
    static const struct {
        const char *word, *option;
    } commands[] = {{"create", NULL}, {"destroy", "--yes"}};
    struct hetzner *cloud = hetzner_of_nobody();
    struct lab *lab = hetzner_project(cloud, HETZNER_NOBODY);
    cr_assert_eq(lab_run(lab, "create", "host", NULL).code, 4);
    hetzner_fault(cloud, "{\"fault\": 503, \"times\": 0}");
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_STAGE_DEADLINE_DESTROY", "2s");
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_STAGE_DEADLINE_READY", "2s");
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        struct lab_result gone = lab_run(lab, commands[i].word, "host", commands[i].option, NULL);
        cr_expect_eq(gone.code, 3, "%s: %s", commands[i].word, gone.err);
        cr_expect(gone.seconds < 10, "%s", commands[i].word);
    }
    cr_expect_eq(hetzner_count(cloud, "servers"), 1);
    hetzner_forgive(cloud);
    hetzner_expect_destroyed(lab, cloud);
}
