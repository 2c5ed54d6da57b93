#include "figures/side.h"

#include "base/id.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/fault.h"
#include "store/history.h"

enum { HISTORY_MOST = 60 };

/* What counts, and what it belongs to: the cycle, else the run itself. */
#define COUNTS "partial = 0 AND outcome IS NOT NULL AND kind NOT IN ('destroy', 'resume')"
#define UNIT   "coalesce(group_id, id)"

/* The name of the unit that is the `nth` newest (from 0); *out NULL where there are not so many. */
static int nth_unit(struct sql *db, const char *target, int nth, char **out, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    if (sql_prepare(db,
                    "SELECT " UNIT " AS unit FROM run WHERE " COUNTS " AND (?1 IS NULL OR target = ?1)"
                    " GROUP BY unit ORDER BY min(merged), max(number) DESC LIMIT 1 OFFSET ?2",
                    &query, err) < 0)
        return -1;
    sql_bind_text(query, 1, target);
    sql_bind_integer(query, 2, nth);
    int row = sql_step(query, err);
    if (row < 0)
        return -1;
    *out = row ? xstrdup_or_null(sql_text(query, 0)) : NULL;
    return 0;
}

static int say_none(struct sql *db, const char *which, const char *target, struct error *err)
{
    AUTO_WORDS targets = WORDS_INIT;
    if (target && history_targets(db, &targets, err) < 0)
        return -1;
    AUTO_FREE char *instead =
        target && !words_have(&targets, target) ? fault_instead(target, words_argv(&targets)) : xstrdup("");
    return error_set(err, ERROR_USAGE, "there is no %s run or cycle%s%s to compare%s", which,
                     target ? " of " : "", target ? target : "",
                     *instead ? instead : ": whole runs count, partial ones and destroys do not");
}

/* 1: it is the name of a target, which was said. */
static int refuse_target(struct sql *db, const char *name, struct error *err)
{
    AUTO_WORDS targets = WORDS_INIT;
    if (history_targets(db, &targets, err) < 0)
        return -1;
    if (!words_have(&targets, name))
        return 0;
    error_set(err, ERROR_USAGE,
              "'%s' is a target, and runs or cycles are compared: 'triphase report --compare previous last "
              "--target %s' takes its last two",
              name, name);
    return 1;
}

/* A run's or a cycle's whole id from what the user gave. */
int comparison_side_find(struct sql *db, const char *name, const char *target, char **out, struct error *err)
{
    bool previous = text_is(name, "previous");
    if (previous || text_is(name, "last")) {
        if (nth_unit(db, target, previous, out, err) < 0)
            return -1;
        return *out ? 0 : say_none(db, previous ? "previous" : "finished", target, err);
    }
    AUTO_ERROR none = ERROR_INIT;
    if (history_group(db, name, NULL, out, &none) == 0)
        return 0;
    struct history_run *run;
    if (refuse_target(db, name, err) != 0 || history_run(db, name, NULL, &run, err) < 0)
        return -1;
    *out = xstrdup(run->id);
    history_run_free(run);
    return 0;
}

/* Of a run that counts before one that does not: of a cycle what the creates say, of a partial
 * run or a destroy its own. */
static int read_evidence(struct sql *db, const char *unit, struct comparison_side *side, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    if (sql_prepare(db,
                    "SELECT step.evidence FROM step JOIN (SELECT number, merged, " COUNTS " AS counts"
                    "  FROM run WHERE group_id = ?1 OR id = ?1) AS run ON run.number = step.run"
                    " WHERE step.evidence IS NOT NULL"
                    " ORDER BY run.counts DESC, " HISTORY_NEWEST_FIRST ", step.seq DESC LIMIT 1",
                    &query, err) < 0)
        return -1;
    sql_bind_text(query, 1, unit);
    int row = sql_step(query, err);
    if (row > 0)
        side->evidence = xstrdup_or_null(sql_text(query, 0));
    return row < 0 ? -1 : 0;
}

int comparison_side_load(struct sql *db, const char *unit, struct comparison_side *side, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    if (sql_prepare(db,
                    "SELECT id, target, group_id, " COUNTS " FROM run WHERE group_id = ?1 OR id = ?1"
                    " ORDER BY " HISTORY_NEWEST_FIRST,
                    &query, err) < 0)
        return -1;
    sql_bind_text(query, 1, unit);
    int row;
    while ((row = sql_step(query, err)) > 0) {
        const char *group = sql_text(query, 2);
        if (!side->name)
            side->name = xasprintf("%s %s", group && text_is(group, unit) ? "cycle" : "run", id_shown(unit));
        if (!side->target)
            side->target = xstrdup_or_null(sql_text(query, 1));
        if (sql_integer(query, 3))
            words_add(&side->runs, sql_text(query, 0));
        else
            side->skipped++;
    }
    return row < 0 ? -1 : read_evidence(db, unit, side, err);
}

void comparison_side_clear(struct comparison_side *side)
{
    free(side->name);
    free(side->target);
    free(side->evidence);
    words_clear(&side->runs);
    *side = (struct comparison_side){0};
}

/* Earlier runs of the target of the newest run of the unit: alike ones (?2 = 1), or the others. `grouped`:
 * of cycles only. */
#define EARLIER                                                                                       \
    " FROM run, (SELECT * FROM run WHERE (group_id = ?1 OR id = ?1) AND " COUNTS                      \
    "  ORDER BY " HISTORY_NEWEST_FIRST " LIMIT 1) AS this"                                            \
    " WHERE run.target = this.target AND (run.merged > this.merged OR (run.merged = this.merged AND " \
    "run.number <"                                                                                    \
    "  (SELECT min(number) FROM run WHERE group_id = ?1 OR id = ?1)))"                                \
    " AND coalesce(run.group_id, run.id) <> ?1 AND run.partial = 0 AND run.outcome IS NOT NULL"       \
    " AND run.kind NOT IN ('destroy', 'resume')"                                                      \
    " AND (NOT ?3 OR run.group_id IS NOT NULL)"                                                       \
    " AND (run.recipe IS this.recipe AND run.fresh = this.fresh AND run.ansible IS this.ansible"      \
    "  AND run.extra_digest IS this.extra_digest) = ?2"

int comparison_side_earlier(struct sql *db, const char *unit, bool grouped, struct comparison_side *out,
                            size_t *others, struct error *err)
{
    AUTO_STATEMENT *query = NULL, *rest = NULL;
    if (sql_prepare(db, "SELECT run.id" EARLIER " ORDER BY " HISTORY_NEWEST_FIRST " LIMIT ?4", &query, err) <
            0 ||
        sql_prepare(db, "SELECT count(*)" EARLIER, &rest, err) < 0)
        return -1;
    sql_bind_text(query, 1, unit);
    sql_bind_integer(query, 2, 1);
    sql_bind_integer(query, 3, grouped);
    sql_bind_integer(query, 4, HISTORY_MOST);
    int row;
    while ((row = sql_step(query, err)) > 0)
        words_add(&out->runs, sql_text(query, 0));
    if (row < 0)
        return -1;
    sql_bind_text(rest, 1, unit);
    sql_bind_integer(rest, 2, 0);
    sql_bind_integer(rest, 3, grouped);
    if (sql_step(rest, err) < 0)
        return -1;
    *others = (size_t)sql_integer(rest, 0);
    out->name = xasprintf("%zu earlier %s", out->runs.count, out->runs.count == 1 ? "run" : "runs");
    return 0;
}
