#include "view/status_view.h"

#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "event/outcome.h"
#include "format/json.h"
#include "view/estate_view.h"
#include "view/estimate_view.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool open_run(const struct status_row *row)
{
    return row->run && !row->run->outcome;
}

/* Its destroy could not see all of it gone. */
static bool is_leftover(const struct status_row *row)
{
    return row->run && row->machine && text_is(row->run->outcome, outcome_name(OUTCOME_LEFTOVER)) &&
           text_is(row->run->machine_id, row->machine->id);
}

/* "running", "crashed", "leftover", "idle" (made, nothing runs), "half made", "absent". */
static const char *status_view_word(const struct status_row *row)
{
    if (open_run(row))
        return row->look.alive ? "running" : "crashed";
    if (!row->machine)
        return "absent";
    if (is_leftover(row))
        return "leftover";
    return row->machine->made_ns ? "idle" : "half made";
}

static void add_run(struct text *out, const struct status_row *row)
{
    const struct history_run *run = row->run;
    AUTO_FREE char *started = moment_rfc3339(run->started_ns);
    text_addf(out, "  last run %s (%s), %.19sZ, ", id_shown(run->id), run->kind, started);
    if (run->outcome) {
        AUTO_FREE char *took = duration_show(run->duration_ns);
        text_addf(out, "%s in %s", run->outcome, took);
    } else if (row->look.alive) {
        text_addf(out, "runs as pid %lld", (long long)run->pid);
    } else if (row->look.elsewhere) {
        text_addf(out, "crashed: it began on another machine or boot (%s)",
                  run->node ? run->node : "unknown");
    } else {
        text_addf(out,
                  "crashed: %d process(es) of it still run; the next create, run, resume, cancel or destroy "
                  "ends them first",
                  row->look.processes);
    }
    text_add_char(out, '\n');
}

/* One line, also on a narrow terminal; elsewhere all of it. */
static void add_estimate(struct text *out, const struct earlier_now *now)
{
    struct winsize size;
    bool bounded = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    AUTO_TEXT line = TEXT_INIT;
    for (enum estimate_detail detail = ESTIMATE_RANGE;; detail--) {
        AUTO_FREE char *words = estimate_view_words(&now->figures, detail);
        if (!words)
            return;
        text_truncate(&line, 0);
        text_addf(&line, "  %s %s", now->name, words);
        if (!bounded || line.length < size.ws_col || detail == ESTIMATE_SHORT)
            break;
    }
    if (bounded && line.length >= size.ws_col)
        text_truncate(&line, size.ws_col - 1);
    text_addf(out, "%s\n", text_string(&line));
}

static void add_differences(struct text *out, const struct status_row *row)
{
    if (row->unnamed && row->machine)
        text_addf(out, "  the files name no target %s: 'triphase destroy %s' removes what was made\n",
                  row->target, row->target);
    for (size_t i = 0; row->made && i < row->made->count; i++) {
        AUTO_FREE char *text = made_text(&row->made->items[i]);
        text_addf(out, "  %s\n", text);
    }
}

/* How old it is, and how long it may stay. */
static void add_life(struct text *out, const struct machine *machine)
{
    int64_t now = moment_wall();
    if (machine_was_there(machine))
        return;
    if (machine->made_ns) {
        AUTO_FREE char *age = duration_rough(now - machine->made_ns);
        text_addf(out, ", made %s ago", age);
    }
    if (machine->expires_ns) {
        AUTO_FREE char *expiry = due_expiry(machine->expires_ns, now);
        text_addf(out, ", %s", expiry);
    }
}

int status_view_print(const struct status_row *rows, size_t count, const struct estate *beyond)
{
    AUTO_TEXT out = TEXT_INIT;
    for (size_t i = 0; i < count; i++) {
        const struct status_row *row = &rows[i];
        text_addf(&out, "%-16s %-10s", row->target, status_view_word(row));
        if (row->machine) {
            text_addf(&out, " %s", row->machine->provider);
            /* A row of an older triphase may hold whatever a cloud said. */
            AUTO_FREE char *address = row->machine->address ? text_shown(row->machine->address) : NULL;
            if (address)
                text_addf(&out, " at %s:%d", address, row->machine->port);
            const char *in_tailnet = json_get_string(row->machine->tailnet, "address", NULL);
            if (in_tailnet)
                text_addf(&out, ", %s in its tailnet", in_tailnet);
            if (row->machine->reference)
                text_addf(&out, " (%s)", row->machine->reference);
            const char *known_by = json_get_string(row->machine->resources, MACHINE_HOST_KEYS_BY, NULL);
            if (known_by)
                text_addf(&out, ", host keys by %s", known_by);
            add_life(&out, row->machine);
        }
        text_add_char(&out, '\n');
        if (is_leftover(row))
            text_addf(&out, "  not all of it was seen to be gone: 'triphase destroy %s' goes on\n",
                      row->target);
        add_differences(&out, row);
        if (row->run)
            add_run(&out, row);
        if (row->now && row->now->name)
            add_estimate(&out, row->now);
    }
    if (!count)
        text_add(&out, "no target and no run yet\n");
    fputs(text_string(&out), stdout);
    if (beyond && putchar('\n') != EOF && fflush(stdout) == 0)
        return estate_view_print(beyond, ESTATE_UNKNOWN);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : -1;
}

static struct json *step_json(const struct earlier_now *now)
{
    if (!now || !now->name)
        return json_new_null();
    struct json *entry = json_new_object(), *estimate = json_new_null();
    json_set_string(entry, "name", now->name);
    json_set_integer(entry, "attempt", now->attempt);
    json_set_integer(entry, "elapsed_ms", now->elapsed_ns / NS_PER_MS);
    if (now->figures.n) {
        json_free(estimate);
        estimate = json_new_object();
        estimate_view_put(&now->figures, estimate);
    }
    json_set(entry, "estimate", estimate);
    return entry;
}

int status_view_print_json(const struct status_row *rows, size_t count, const struct estate *beyond)
{
    AUTO_JSON *document = json_new_object();
    struct json *list = json_new_array();
    json_set_integer(document, "version", 1);
    for (size_t i = 0; i < count; i++) {
        const struct status_row *row = &rows[i];
        struct json *entry = json_new_object();
        json_set_string(entry, "target", row->target);
        json_set_string(entry, "state", status_view_word(row));
        struct json *machine = json_new_null();
        if (row->machine) {
            json_free(machine);
            machine = json_new_object();
            json_set_string(machine, "id", row->machine->id);
            json_set_string(machine, "provider", row->machine->provider);
            json_set_string(machine, "reference", row->machine->reference);
            json_set_string(machine, "address", row->machine->address);
            json_set_integer(machine, "port", row->machine->port);
            json_set_string(machine, "user", row->machine->user);
            json_set_string(machine, MACHINE_HOST_KEYS_BY,
                            json_get_string(row->machine->resources, MACHINE_HOST_KEYS_BY, NULL));
            json_set_moment(machine, "made", row->machine->made_ns);
            json_set_moment(machine, "expires", row->machine->expires_ns);
            json_set(machine, "tailnet",
                     row->machine->tailnet ? json_keep(row->machine->tailnet) : json_new_null());
        }
        json_set(entry, "machine", machine);
        json_set_bool(entry, "named", !row->unnamed);
        json_set(entry, "differs", row->made ? made_json(row->made) : json_new_array());
        struct json *run = json_new_null();
        if (row->run) {
            json_free(run);
            run = json_new_object();
            json_set_string(run, "id", row->run->id);
            json_set_string(run, "kind", row->run->kind);
            json_set_string(run, "outcome", row->run->outcome);
            json_set_integer(run, "pid", row->run->pid);
            json_set_bool(run, "alive", row->look.alive);
            json_set_integer(run, "processes", row->look.processes);
            json_set(run, "step", step_json(row->now));
        }
        json_set(entry, "run", run);
        json_append(list, entry);
    }
    json_set(document, "targets", list);
    if (beyond)
        estate_view_put(beyond, ESTATE_UNKNOWN, document);
    AUTO_FREE char *text = json_pretty(document);
    puts(text);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : -1;
}
