#include "bundle/parts.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "bundle/host.h"
#include "bundle/tool_versions.h"
#include "config/layout.h"
#include "control/reach.h"
#include "provider/made_look.h"
#include "report/format.h"
#include "report/text.h"
#include "report/timings.h"
#include "store/dump.h"
#include "transport/choose.h"
#include "transport/known_hosts.h"
#include "view/config_view.h"
#include "view/events.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const struct table_look plain = {.utf8 = true};

/* ---- from the store ---- */

static int put_line(void *context, const char *line, size_t length, struct error *err)
{
    return bundle_put(context, line, length, err);
}

static bool has_step(const struct account *account, const char *name)
{
    for (size_t i = 0; i < account->step_count; i++)
        if (text_is(account->steps[i].kind, "phase") && text_is(account->steps[i].name, name))
            return true;
    return false;
}

/* Phases that the recipe names and this run never began. */
static void find_never(const struct bundle_subject *subject, struct words *out)
{
    const struct history_run *run = subject->account->run;
    if (!subject->target || !text_is(subject->target->recipe, run->recipe))
        return;
    const struct recipe *recipe = project_recipe(subject->project, run->recipe);
    bool removes = text_is(run->kind, "destroy");
    size_t count = removes ? recipe->teardown_count : recipe->phase_count;
    for (size_t i = 0; i < count; i++) {
        const struct phase *phase = removes ? &recipe->teardown[i] : &recipe->phases[i];
        if (!has_step(subject->account, phase->name))
            words_add(out, phase->name);
    }
}

static int add_reports(struct bundle *bundle, const struct bundle_subject *subject, struct error *err)
{
    const struct report_runs run = {subject->account, 1, false, subject->state};
    const struct report_format *format;
    for (size_t i = 0; (format = report_format_at(i)); i++) {
        AUTO_TEXT report = TEXT_INIT;
        format->runs(&run, &plain, &report);
        if (bundle_add(bundle, format->file, &report, NULL, err) < 0)
            return -1;
    }
    AUTO_WORDS never = WORDS_INIT;
    AUTO_TEXT timings = TEXT_INIT;
    find_never(subject, &never);
    const char *const runs[] = {subject->account->run->id, NULL};
    struct history_sums roles;
    if (history_sums(subject->db, runs, HISTORY_BY_ROLE, 0, &roles, err) < 0)
        return -1;
    timings_add(subject->account, &never, roles.rows, roles.count, &timings);
    history_sums_clear(&roles);
    return bundle_add(bundle, "provisioning-timings.txt", &timings, NULL, err);
}

static int add_sums(struct bundle *bundle, const struct bundle_subject *subject, enum history_by by,
                    const char *name, struct error *err)
{
    const char *const runs[] = {subject->account->run->id, NULL};
    const struct report_format *format = report_format_at(0);
    struct history_sums sums;
    AUTO_TEXT table = TEXT_INIT;
    if (history_sums(subject->db, runs, by, format->sums_most, &sums, err) < 0)
        return -1;
    format->sums(&sums, by, &plain, &table);
    history_sums_clear(&sums);
    return bundle_add(bundle, name, &table, NULL, err);
}

static int add_events(struct bundle *bundle, const struct bundle_subject *subject, struct error *err)
{
    struct history_event *events;
    size_t count;
    AUTO_TEXT lines = TEXT_INIT;
    if (history_events(subject->db, subject->account->run->id, 0, &events, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        events_add_line(&events[i], &plain, &lines);
    history_events_free(events, count);
    return bundle_add(bundle, "events.txt", &lines, NULL, err);
}

int bundle_parts_add_stored(struct bundle *bundle, const struct bundle_subject *subject, struct error *err)
{
    if (add_reports(bundle, subject, err) < 0 ||
        add_sums(bundle, subject, HISTORY_BY_ROLE, "report-by-role.txt", err) < 0 ||
        add_sums(bundle, subject, HISTORY_BY_TASK, "report-by-task.txt", err) < 0 ||
        add_events(bundle, subject, err) < 0 || bundle_open(bundle, "store.ndjson", err) < 0 ||
        store_dump(subject->db, subject->account->run->id, put_line, bundle, err) < 0)
        return -1;
    return bundle_close(bundle, NULL, err);
}

/* ---- files of this side ---- */

/* What a step's row names, and the folder has no more. */
static void find_lost_file(struct bundle *bundle, const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (!slash)
        return;
    AUTO_FREE char *safe = bundle_safe_name(slash + 1);
    AUTO_FREE char *name = xasprintf("run/%s", safe);
    if (!bundle_has(bundle, name))
        bundle_missing(bundle, name, "a step names it, and it is not there");
}

static int add_run_folder(struct bundle *bundle, const struct bundle_subject *subject, struct error *err)
{
    const struct account *account = subject->account;
    AUTO_FREE char *folder = layout_run(subject->state, account->run->id);
    if (bundle_add_folder(bundle, folder, "run", err) < 0)
        return -1;
    for (size_t i = 0; file_is_dir(folder) && i < account->step_count; i++) {
        find_lost_file(bundle, account->steps[i].log);
        find_lost_file(bundle, account->steps[i].events);
    }
    return 0;
}

static int add_console(struct bundle *bundle, const struct bundle_subject *subject, struct error *err)
{
    if (!subject->machine)
        return 0;
    AUTO_FREE char *path = layout_machine(subject->state, subject->machine->id);
    AUTO_CLOSE int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0 || faccessat(folder, "console.log", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return 0; /* most providers have none */
    return bundle_add_file(bundle, folder, "console.log", "machine/console.log", err);
}

static int add_config(struct bundle *bundle, const struct bundle_subject *subject, struct error *err)
{
    AUTO_TEXT table = TEXT_INIT;
    if (!subject->project || !subject->target) {
        bundle_missing(bundle, "config.txt", "%s",
                       subject->project ? "the project's files do not name the target any more"
                                        : subject->project_problem);
        return 0;
    }
    config_view_add(subject->project, subject->target, &plain, &table);
    return bundle_add(bundle, "config.txt", &table, NULL, err);
}

int bundle_parts_add_files(struct bundle *bundle, const struct bundle_subject *subject, struct error *err)
{
    AUTO_TEXT versions = TEXT_INIT;
    if (add_run_folder(bundle, subject, err) < 0 || add_console(bundle, subject, err) < 0 ||
        add_config(bundle, subject, err) < 0)
        return -1;
    tool_versions_add(subject->project && subject->project->ansible_found ? subject->project->ansible : NULL,
                      &versions);
    return bundle_add(bundle, "versions.txt", &versions, NULL, err);
}

/* ---- the host ---- */

/* Which one carries a connection now; where the project's files cannot be read, the
 * one that the run used last. */
static int choose_transport(const struct bundle_subject *subject, enum transport_kind *out, struct error *err)
{
    if (subject->target)
        return transport_choose_for(subject->target, subject->machine, NULL, out, err);
    *out = TRANSPORT_DIRECT;
    for (size_t i = 0; i < subject->account->step_count; i++)
        if (subject->account->steps[i].transport)
            (void)transport_from(subject->account->steps[i].transport, out);
    return 0;
}

int bundle_parts_add_host(struct bundle *bundle, const struct bundle_subject *subject, struct json **facts,
                          struct error *err)
{
    const struct machine *machine = subject->machine;
    AUTO_ERROR why = ERROR_INIT;
    enum transport_kind kind;
    if (!machine) {
        bundle_missing(bundle, "host", "no machine is known of this run");
        return 0;
    }
    if (machine->removed_ns) {
        AUTO_FREE char *when = moment_rfc3339(machine->removed_ns);
        bundle_missing(bundle, "host", "the machine was removed at %s", when);
        return 0;
    }
    if (subject->project && !subject->target) {
        bundle_missing(bundle, "host", "the files name no target %s any more", subject->account->run->target);
        return 0;
    }
    struct target bare = {.name = subject->account->run->target, .provider = machine->provider};
    const struct target *target = subject->target ? subject->target : &bare;
    AUTO_MADE made = MADE_INIT;
    AUTO_MACHINE *now = NULL;
    if (subject->target)
        made_look(subject->project, target, machine, &made, &now);
    if (made_refuse(&made, target, machine, false, &why) < 0) {
        bundle_missing(bundle, "host", "%s", error_text(&why));
        return 0;
    }
    machine = now ? now : machine;
    if (choose_transport(subject, &kind, &why) < 0 ||
        (subject->target && known_hosts_write(machine, target, subject->project->directory, &why) < 0)) {
        bundle_missing(bundle, "host", "%s", error_text(&why));
        return 0;
    }
    AUTO_FREE char *agent = NULL;
    struct reach reach = {.project = subject->project,
                          .target = target,
                          .machine = (struct machine *)(uintptr_t)machine,
                          .made = true,
                          .kind = kind};
    if (subject->target && ssh_needs_agent(machine, target) && reach_open_agent(&reach, &agent, &why) < 0) {
        bundle_missing(bundle, "host", "%s", error_text(&why));
        return 0;
    }
    return bundle_host_add(bundle, machine, target, kind, agent,
                           subject->project ? subject->project->directory : NULL, facts, err);
}
