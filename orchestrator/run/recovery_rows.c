#include "run/recovery_rows.h"

#include "base/memory.h"
#include "store/history.h"

void recovery_rows_read_owed(struct recovery *recovery, const char *store, const struct machine *machine)
{
    AUTO_SQL *db = NULL;
    struct history_unlooked *list = NULL;
    size_t count = 0;
    if (history_open(store, &db, NULL) < 0 ||
        history_unlooked(db, machine, RECOVERY_LOOKS_MOST, &list, &count, NULL) < 0)
        return;
    for (size_t i = 0; i < count; i++)
        recovery_owe(recovery, list[i].run, list[i].seq, list[i].evidence, list[i].started_monotonic_ns);
    history_unlooked_free(list, count);
}

static void put(struct sink *sink, const char *run, int step, int left, const char *evidence)
{
    struct event event = {.kind = EVENT_HOST_LOOK,
                          .run = run,
                          .step = step,
                          .of_step = {.seq = step, .survivors_host = left, .host_evidence = evidence}};
    sink_put(sink, &event);
}

void recovery_rows_write_skipped(struct recovery *recovery, struct sink *sink, const char *why)
{
    AUTO_FREE char *evidence =
        xasprintf("nobody could look: %s; the next contact with the host makes up for it", why);
    for (int i = 0; i < recovery->look_count; i++)
        put(sink, recovery->looks[i].run, recovery->looks[i].step, -1, evidence);
}

void recovery_rows_write(struct recovery *recovery, struct sink *sink, const struct json *result,
                         const char *why)
{
    const struct json *looks = json_get(result, "looks");
    for (size_t i = 0; i < json_count(looks); i++) {
        const struct json *look = json_at(looks, i);
        const char *run = json_get_string(look, "run", ""),
                   *evidence = json_get_string(look, "evidence", NULL);
        int step = (int)json_get_integer(look, "step", 0), left = (int)json_get_integer(look, "left", -1);
        if (!evidence || left < 0)
            continue;
        put(sink, run, step, left, evidence);
        recovery_looked(recovery, run, step);
    }
    recovery_rows_write_skipped(recovery, sink, why ? why : "the look ended without an answer");
}

void recovery_rows_write_reboot(struct sink *sink, const char *run, int step, const struct phase *phase,
                                const char *from, const char *to)
{
    AUTO_JSON *detail = json_new_object();
    json_set_string(detail, "phase", phase ? phase->name : NULL);
    json_set_string(detail, "message",
                    phase && phase->reboots ? "the host rebooted, as the phase said it would"
                                            : "the host rebooted, though the phase has no 'reboots: true'");
    json_set_bool(detail, "expected", phase && phase->reboots);
    json_set_string(detail, "from", from);
    json_set_string(detail, "to", to);
    sink_note(sink, run, step, "rebooted", detail);
}
