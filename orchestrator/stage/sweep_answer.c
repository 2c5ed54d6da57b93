#include "stage/sweep_answer.h"

#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"

#include <stdint.h>
#include <string.h>

enum { WORDS_MOST = 10, LINE_MOST = 256 };

struct line {
    const char *words[WORDS_MOST];
    size_t count;
    char bytes[LINE_MOST];
};

/* Words between single spaces, printable ASCII only. */
static bool split(const char *at, size_t length, struct line *out)
{
    out->count = 0;
    if (!length || length >= sizeof out->bytes)
        return false;
    for (size_t i = 0; i < length; i++)
        if (at[i] < 0x20 || at[i] > 0x7e)
            return false;
    memcpy(out->bytes, at, length);
    out->bytes[length] = '\0';
    char *rest = out->bytes;
    for (char *word; (word = strsep(&rest, " "));) {
        if (!*word || out->count == WORDS_MOST)
            return false;
        out->words[out->count++] = word;
    }
    return true;
}

static bool number(const char *word, int most, int *out)
{
    return number_parse_int(word, 0, most, out, NULL) == 0;
}

static bool keep(const char *word, char *into, size_t size)
{
    size_t length = strlen(word);
    if (length >= size)
        return false;
    memcpy(into, word, length + 1);
    return true;
}

static bool take_who(struct sweep_answer *answer, const struct line *line)
{
    return number(line->words[1], INT32_MAX, &answer->uid);
}

static bool take_boot(struct sweep_answer *answer, const struct line *line)
{
    return keep(line->words[1], answer->boot, sizeof answer->boot);
}

static bool take_unit(struct sweep_answer *answer, const struct line *line)
{
    return keep(line->words[1], answer->unit, sizeof answer->unit);
}

static bool take_look(struct sweep_answer *answer, const struct line *line)
{
    static const char *const sessions[] = {"seen", "gone", "shared", "rebooted", "unknown"};
    int index;
    if (!number(line->words[1], SWEEP_LOOKS_MOST - 1, &index) || (size_t)index >= answer->look_count)
        return false;
    struct sweep_look_answer *look = &answer->looks[index];
    if (look->answered || !number(line->words[2], SWEEP_COUNT_MOST, &look->found) ||
        !number(line->words[3], SWEEP_COUNT_MOST, &look->killed) ||
        !number(line->words[4], SWEEP_COUNT_MOST, &look->left) ||
        !number(line->words[5], SWEEP_COUNT_MOST, &look->jobs) ||
        !number(line->words[6], SWEEP_COUNT_MOST, &look->units) || look->left > look->found)
        return false;
    for (size_t i = 0; i < COUNT_OF(sessions); i++)
        if (text_is(line->words[7], sessions[i]))
            look->answered = keep(sessions[i], look->session, sizeof look->session);
    return look->answered;
}

static bool take_left(struct sweep_answer *answer, const struct line *line)
{
    int index, pid;
    if (!number(line->words[1], SWEEP_LOOKS_MOST - 1, &index) || (size_t)index >= answer->look_count ||
        !number(line->words[2], INT32_MAX, &pid))
        return false;
    struct sweep_look_answer *look = &answer->looks[index];
    if (look->named == SWEEP_NAMED_MOST)
        return true;
    AUTO_FREE char *text = xasprintf("%d %.20s", pid, line->words[3]);
    return keep(text, look->names[look->named++], SWEEP_NAME_SIZE);
}

static bool take_job(struct sweep_answer *answer, const struct line *line)
{
    if (answer->id_count == SWEEP_NAMED_MOST)
        return true;
    AUTO_FREE char *text = xasprintf("%.30s", line->words[1]);
    return keep(text, answer->ids[answer->id_count++], SWEEP_NAME_SIZE);
}

static bool take_jobs(struct sweep_answer *answer, const struct line *line)
{
    return number(line->words[1], SWEEP_COUNT_MOST, &answer->jobs);
}

static const struct {
    const char *name;
    size_t words;
    bool (*take)(struct sweep_answer *, const struct line *);
} forms[] = {
    {"who", 2, take_who},   {"boot", 2, take_boot}, {"unit", 2, take_unit}, {"look", 8, take_look},
    {"left", 4, take_left}, {"job", 2, take_job},   {"jobs", 2, take_jobs},
};

static bool take(struct sweep_answer *answer, const struct line *line)
{
    for (size_t i = 0; i < COUNT_OF(forms); i++)
        if (text_is(line->words[0], forms[i].name))
            return line->count == forms[i].words && forms[i].take(answer, line);
    return false;
}

int sweep_answer_read(const char *bytes, size_t length, const char *nonce, size_t look_count,
                      struct sweep_answer *out, struct error *err)
{
    *out = (struct sweep_answer){.look_count = look_count};
    AUTO_FREE char *first = xasprintf("triphase-sweep %s\n", nonce);
    AUTO_FREE char *last = xasprintf("end %s", nonce);
    const char *end = bytes + length, *at = length ? memmem(bytes, length, first, strlen(first)) : NULL;
    if (!at)
        return error_set(err, ERROR_SYSTEM, "the host's shell did not answer as it was asked to");
    at += strlen(first);
    for (const char *newline; at < end && (newline = memchr(at, '\n', (size_t)(end - at)));
         at = newline + 1) {
        size_t size = (size_t)(newline - at);
        struct line line;
        if (size == strlen(last) && !memcmp(at, last, size)) {
            for (size_t i = 0; i < look_count; i++)
                if (!out->looks[i].answered)
                    return error_set(err, ERROR_SYSTEM, "the host's answer leaves a step out");
            out->whole = true;
            return 0;
        }
        if (!split(at, size, &line) || !take(out, &line)) {
            AUTO_TEXT shown = TEXT_INIT;
            text_add_printable(&shown, at, size < 60 ? size : 60);
            return error_set(err, ERROR_SYSTEM, "the host answered what is no answer: '%s'",
                             text_string(&shown));
        }
    }
    return error_set(err, ERROR_SYSTEM, "the host's answer was cut off");
}

char *sweep_answer_evidence(const struct sweep_answer *answer, size_t look)
{
    static const struct {
        const char *session, *said;
    } sessions[] = {
        {"seen", "environment, argv and logind session"},
        {"gone", "environment, argv and logind session"},
        {"shared", "environment and argv (its logind session is not the connection's alone)"},
        {"rebooted", "environment and argv; the host rebooted since"},
        {"unknown", "environment and argv (no logind session: what cleared its environment was not seen)"},
    };
    const struct sweep_look_answer *seen = &answer->looks[look];
    struct text text = TEXT_INIT;
    for (size_t i = 0; i < COUNT_OF(sessions); i++)
        if (text_is(seen->session, sessions[i].session))
            text_addf(&text, "looked at %s", sessions[i].said);
    if (answer->uid != 0)
        text_addf(
            &text,
            "; as user %d without sudo: other users' environments were not seen, their processes not ended",
            answer->uid);
    text_addf(&text, "; %d found, %d ended", seen->found, seen->found - seen->left);
    if (seen->killed)
        text_addf(&text, " (KILL for %d)", seen->killed);
    for (int i = 0; i < seen->named; i++)
        text_addf(&text, "%s%s", i ? ", " : "; left: ", seen->names[i]);
    if (seen->jobs || seen->units)
        text_addf(&text, "; left alone: %d of async jobs, %d of services", seen->jobs, seen->units);
    return text_take(&text);
}
