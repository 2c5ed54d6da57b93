#include "view/estimate_view.h"

#include "base/memory.h"
#include "base/moment.h"

/* As exact as anybody goes by, and never nothing. */
static int64_t rounded(int64_t ns)
{
    const int64_t s = NS_PER_S;
    int64_t unit = ns < 20 * s ? s : ns < 120 * s ? 5 * s : ns < 600 * s ? 10 * s : 60 * s;
    int64_t near = (ns + unit / 2) / unit * unit;
    return near ? near : s;
}

static void add_duration(struct text *out, const char *before, int64_t ns)
{
    AUTO_FREE char *text = duration_text(rounded(ns));
    text_addf(out, "%s%s", before, text);
}

static bool is_wide(const struct estimate_figures *figures)
{
    int64_t width = rounded(figures->high_ns) - rounded(figures->low_ns);
    return width >= 5 * NS_PER_S && width >= figures->remaining_ns / 2;
}

char *estimate_view_words(const struct estimate_figures *figures, enum estimate_detail detail)
{
    AUTO_TEXT out = TEXT_INIT;
    if (!figures->n)
        return NULL;
    text_addf(&out, "%d %%", figures->percent);
    if (figures->slower) {
        text_add(&out, ", slower than ever seen");
    } else {
        add_duration(&out, ", about ", figures->remaining_ns);
        if (detail >= ESTIMATE_RANGE && is_wide(figures)) {
            add_duration(&out, " (", figures->low_ns);
            add_duration(&out, " to ", figures->high_ns);
            text_add_char(&out, ')');
        }
    }
    if (detail >= ESTIMATE_USUAL)
        add_duration(&out, ", usually ", figures->usual_ns);
    if (detail >= ESTIMATE_BEHIND && !figures->slower && figures->behind_ns >= 5 * NS_PER_S) {
        add_duration(&out, ", then ", figures->behind_ns);
        text_add(&out, " more");
    }
    return text_take(&out);
}

static void put_ms(struct json *into, const char *key, int64_t ns)
{
    json_set_integer(into, key, ns / NS_PER_MS);
}

void estimate_view_put(const struct estimate_figures *figures, struct json *into)
{
    json_set_integer(into, "runs", (int64_t)figures->n);
    json_set_integer(into, "percent", figures->percent);
    put_ms(into, "remaining_ms", figures->remaining_ns);
    put_ms(into, "remaining_least_ms", figures->low_ns);
    put_ms(into, "remaining_most_ms", figures->high_ns);
    put_ms(into, "usual_ms", figures->usual_ns);
    if (figures->behind_ns >= 0)
        put_ms(into, "behind_ms", figures->behind_ns);
    else
        json_set(into, "behind_ms", json_new_null());
    json_set_string(into, "slower",
                    figures->slower == ESTIMATE_SLOWER_TASK   ? "task"
                    : figures->slower == ESTIMATE_SLOWER_STEP ? "step"
                                                              : NULL);
}
