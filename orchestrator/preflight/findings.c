#include "preflight/findings.h"

#include "base/memory.h"
#include "base/text.h"

void plan_find(struct plan_report *report, enum error_kind kind, const char *where, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = xvasprintf(format, args);
    va_end(args);
    report->findings = xreallocarray(report->findings, report->count + 1, sizeof(*report->findings));
    report->findings[report->count++] =
        (struct plan_finding){kind != ERROR_NONE, kind, xstrdup_or_null(where), text};
}

void plan_find_once(struct plan_report *report, enum error_kind kind, const char *where, char *text)
{
    bool known = false;
    for (size_t i = 0; i < report->count; i++)
        known =
            known || (text_is(report->findings[i].where, where) && text_is(report->findings[i].text, text));
    if (!known)
        plan_find(report, kind, where, "%s", text);
    free(text);
}

void plan_find_error(struct plan_report *report, const char *where, const struct error *err)
{
    /* No watchdog of a run ended: something that the project names does not answer. */
    plan_find(report, err->kind == ERROR_DEADLINE ? ERROR_PROJECT : err->kind, where, "%s", error_text(err));
}

bool plan_refuses(const struct plan_report *report, size_t from)
{
    for (size_t i = from; i < report->count; i++)
        if (report->findings[i].refuses)
            return true;
    return false;
}

void plan_report_clear(struct plan_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        free(report->findings[i].where);
        free(report->findings[i].text);
    }
    free(report->findings);
    free(report->target);
    free(report->ansible_version);
    json_free(report->evidence);
    json_free(report->contact);
    json_free(report->differs);
    *report = (struct plan_report){0};
}

int plan_error(const struct plan_report *report, struct error *err)
{
    static const enum error_kind order[] = {ERROR_SYSTEM,      ERROR_STORE,    ERROR_PROJECT,
                                            ERROR_MISSING,     ERROR_BUSY,     ERROR_PROVIDER,
                                            ERROR_UNREACHABLE, ERROR_DEADLINE, ERROR_USAGE};
    AUTO_TEXT lines = TEXT_INIT;
    size_t worst = COUNT_OF(order);
    for (size_t i = 0; i < report->count; i++) {
        const struct plan_finding *finding = &report->findings[i];
        if (!finding->refuses)
            continue;
        for (size_t k = 0; k < worst; k++)
            if (order[k] == finding->kind)
                worst = k;
        text_addf(&lines, "%s%s%s%s", lines.length ? "\n" : "", finding->where ? finding->where : "",
                  finding->where ? ": " : "", finding->text);
    }
    if (!lines.length)
        return 0;
    return error_set(err, worst < COUNT_OF(order) ? order[worst] : ERROR_PROJECT, "%s", text_string(&lines));
}

size_t plan_contact_failures(const struct plan_report *report)
{
    const struct json *checks = json_get(report->contact, "checks");
    size_t failures = 0;
    for (size_t i = 0; i < json_count(checks); i++)
        failures += text_is(json_get_string(json_at(checks, i), "state", NULL), "failed");
    return failures;
}

struct json *plan_json(const struct plan_report *report)
{
    struct json *object = json_new_object(), *findings = json_new_array();
    json_set_integer(object, "version", 1);
    json_set_string(object, "target", report->target);
    json_set_bool(object, "ok", !plan_refuses(report, 0) && !plan_contact_failures(report));
    json_set_string(object, "ansible", report->ansible_version);
    json_set_bool(object, "remembered", report->remembered);
    json_set(object, "evidence", report->evidence ? json_keep(report->evidence) : json_new_null());
    if (report->contact)
        json_set(object, "contact", json_keep(report->contact));
    json_set(object, "differs", report->differs ? json_keep(report->differs) : json_new_array());
    for (size_t i = 0; i < report->count; i++) {
        const struct plan_finding *finding = &report->findings[i];
        struct json *entry = json_new_object();
        json_set_string(entry, "level", finding->refuses ? "error" : "warning");
        json_set_string(entry, "kind",
                        !finding->refuses                ? NULL
                        : finding->kind == ERROR_MISSING ? "missing"
                        : finding->kind == ERROR_USAGE   ? "usage"
                        : finding->kind == ERROR_PROJECT ? "project"
                                                         : "system");
        json_set_string(entry, "where", finding->where);
        json_set_string(entry, "text", finding->text);
        json_append(findings, entry);
    }
    json_set(object, "findings", findings);
    return object;
}
