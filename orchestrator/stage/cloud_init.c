#include "stage/cloud_init.h"

#include "base/memory.h"
#include "base/moment.h"

#include <stdlib.h>
#include <string.h>

enum { STAGES_MOST = 16, ERRORS_MOST = 8, ERROR_MOST = 400 };

struct stage {
    const char *name;
    const struct json *about;
    double started; /* seconds by the host's clock */
};

static int by_start(const void *a, const void *b)
{
    double one = ((const struct stage *)a)->started, other = ((const struct stage *)b)->started;
    return (one > other) - (one < other);
}

/* Those of the record that began, in order. */
static size_t stages_of(const struct ready_answer *answer, struct stage *out)
{
    size_t count = 0;
    void *at = NULL;
    const char *name;
    struct json *about;
    while (json_each(json_get(answer->record, "v1"), &at, &name, &about)) {
        double started = json_real(json_get(about, "start"), 0);
        if (count < STAGES_MOST && started > 0)
            out[count++] = (struct stage){name, about, started};
    }
    qsort(out, count, sizeof *out, by_start);
    return count;
}

static void add_printable(struct text *text, const char *words)
{
    AUTO_TEXT shown = TEXT_INIT;
    text_add_printable_lines(&shown, words, "; ");
    if (shown.length > ERROR_MOST)
        text_truncate(&shown, ERROR_MOST);
    text_add(text, text_string(&shown));
}

static void add_errors(const char *stage, const struct json *errors, struct words *out)
{
    for (size_t i = 0; i < json_count(errors) && out->count < ERRORS_MOST; i++) {
        AUTO_TEXT line = TEXT_INIT;
        add_printable(&line, stage);
        text_add(&line, ": ");
        add_printable(&line, json_string(json_at(errors, i), "an error without words"));
        words_add(out, text_string(&line));
    }
}

/* Its clock may be wrong, and is the only one that was there. */
static int64_t here(const struct ready_answer *answer, int64_t now_ns, double seconds)
{
    double ago = answer->now_s - seconds;
    return now_ns - (int64_t)(ago * (double)NS_PER_S);
}

static void add_stage(struct json *list, const char *name, int64_t started, int64_t finished, int errors)
{
    struct json *stage = json_new_object();
    AUTO_TEXT shown = TEXT_INIT;
    add_printable(&shown, name);
    json_set_string(stage, "stage", text_string(&shown));
    json_set_integer(stage, "started_ns", started);
    json_set(stage, "finished_ns", finished ? json_new_integer(finished) : json_new_null());
    json_set_integer(stage, "errors", errors);
    json_append(list, stage);
}

struct json *cloud_init_stages(const struct ready_answer *answer, int64_t now_ns)
{
    struct stage stages[STAGES_MOST];
    size_t count = stages_of(answer, stages);
    struct json *list = json_new_array();
    for (size_t i = 0; i < count; i++) {
        double finished = json_real(json_get(stages[i].about, "finished"), 0);
        add_stage(list, stages[i].name, here(answer, now_ns, stages[i].started),
                  finished > 0 ? here(answer, now_ns, finished) : 0,
                  (int)json_count(json_get(stages[i].about, "errors")));
    }
    if (count && answer->finished_s) {
        int64_t at = here(answer, now_ns, answer->finished_s);
        add_stage(list, "boot-finished", at, at, 0);
    }
    return list;
}

bool cloud_init_failed(const struct ready_answer *answer, struct words *why)
{
    struct stage stages[STAGES_MOST];
    size_t count = stages_of(answer, stages), before = why->count;
    for (size_t i = 0; i < count; i++)
        add_errors(stages[i].name, json_get(stages[i].about, "errors"), why);
    if (why->count > before)
        return true;
    if (!text_is(json_get_string(answer->status, "status", NULL), "error"))
        return false;
    add_errors("cloud-init", json_get(answer->status, "errors"), why);
    if (why->count == before)
        words_add(why, "it says 'error' and names none; 'cloud-init status --long' on the host may say more");
    return true;
}

bool cloud_init_degraded(const struct ready_answer *answer, struct words *why)
{
    size_t before = why->count;
    void *at = NULL;
    const char *level;
    struct json *errors;
    while (json_each(json_get(answer->status, "recoverable_errors"), &at, &level, &errors))
        add_errors(level, errors, why);
    return why->count > before ||
           strstr(json_get_string(answer->status, "extended_status", ""), "degraded") != NULL;
}

char *cloud_init_busy(const struct ready_answer *answer)
{
    const struct json *v1 = json_get(answer->record, "v1");
    const char *stage = json_get_string(v1, "stage", NULL);
    double started = json_real(json_get(json_get(v1, stage ? stage : ""), "start"), 0);
    if (!stage || started <= 0)
        return NULL;
    AUTO_TEXT shown = TEXT_INIT;
    add_printable(&shown, stage);
    return xstrdup(text_string(&shown));
}
