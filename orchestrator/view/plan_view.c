#include "view/plan_view.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/ready_step.h"

#include <stdio.h>
#include <string.h>

static void add_finding(struct text *out, const char *mark, const struct plan_finding *finding)
{
    text_addf(out, "  %s ", mark);
    if (finding->where)
        text_addf(out, "%s: ", finding->where);
    text_addf(out, "%s\n", finding->text);
}

static bool was_contacted(const struct json *contact)
{
    const struct json *checks = json_get(contact, "checks");
    for (size_t i = 0; i < json_count(checks); i++)
        if (!text_is(json_get_string(json_at(checks, i), "state", NULL), "unknown"))
            return true;
    return false;
}

static void add_contact(struct text *out, const struct json *contact)
{
    const struct json *checks = json_get(contact, "checks");
    for (size_t i = 0; i < json_count(checks); i++) {
        const struct json *check = json_at(checks, i);
        text_addf(out, "  host %-9s %-8s %s\n", json_get_string(check, "name", ""),
                  json_get_string(check, "state", ""), json_get_string(check, "text", ""));
    }
}

/* What is waited for before the first phase, and how long at most. */
static void add_ready(struct text *out, const struct target *target)
{
    for (size_t i = 0; i < target->ready_count; i++) {
        AUTO_FREE char *shown = ready_step_shown(&target->ready[i]),
                       *within = duration_show(target->ready[i].within_ns);
        text_addf(out, "%s%s (%s)", i ? ", " : "  ready ", shown, within);
    }
    text_add(out, target->ready_count ? "\n" : "");
}

/* What is asked while a run goes on, and whether the run ends by it. */
static void add_health(struct text *out, const struct target *target)
{
    const struct health_settings *health = &target->health;
    if (!health->url.host)
        return;
    AUTO_FREE char *within = duration_show(health->within_ns);
    text_addf(out, "  health %s://%s:%d%s", health->url.tls ? "https" : "http", health->url.host,
              health->url.port, health->url.path);
    if (health->required)
        text_addf(out, " (required within %s)", within);
    text_add_char(out, '\n');
}

int plan_view_print(const struct project *project, const struct target *target,
                    const struct plan_report *report)
{
    AUTO_TEXT out = TEXT_INIT;
    const struct recipe *recipe = project_recipe(project, target->recipe);
    size_t errors = 0, warnings = 0;
    text_addf(&out, "%s: provider %s, recipe %s, transport %s, Ansible %s\n", target->name, target->provider,
              target->recipe, json_get_string(report->evidence, "chosen", "none"),
              report->ansible_version ? report->ansible_version : "not found");
    add_ready(&out, target);
    add_health(&out, target);
    for (size_t i = 0; i < recipe->phase_count; i++) {
        const struct phase *phase = &recipe->phases[i];
        AUTO_FREE char *deadline = duration_show(phase->limits.of[WATCHDOG_DEADLINE]);
        AUTO_FREE char *silence = duration_show(phase->limits.of[WATCHDOG_SILENCE]);
        AUTO_FREE char *confirm = phase->confirm_ns ? duration_show(phase->confirm_ns) : NULL;
        text_addf(&out, "  %zu %-20s %s (%sdeadline %s, silence %s, attempts %d%s%s)\n", i + 1, phase->name,
                  phase->playbook, phase->only_looks ? "only looks, " : "", deadline, silence,
                  phase->attempts, confirm ? ", confirm " : "", confirm ? confirm : "");
    }
    for (size_t i = 0; i < report->count; i++)
        if (report->findings[i].refuses) {
            add_finding(&out, "refused:", &report->findings[i]);
            errors++;
        }
    for (size_t i = 0; i < report->count; i++)
        if (!report->findings[i].refuses) {
            add_finding(&out, "warning:", &report->findings[i]);
            warnings++;
        }
    add_contact(&out, report->contact);
    errors += plan_contact_failures(report);
    text_addf(&out, "  %s%s", errors ? "cannot be run" : "can be run",
              !report->remembered              ? ""
              : was_contacted(report->contact) ? " (the host was asked now; the rest is unchanged since "
                                                 "Ansible was last asked)"
                                               : " (unchanged since Ansible was last asked)");
    if (errors || warnings)
        text_addf(&out, ": %zu to mend, %zu warning%s", errors, warnings, warnings == 1 ? "" : "s");
    text_add_char(&out, '\n');
    size_t written = fwrite(text_string(&out), 1, out.length, stdout);
    return fflush(stdout) == 0 && written == out.length ? 0 : -1;
}
