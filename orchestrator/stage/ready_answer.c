#include "stage/ready_answer.h"

#include "base/memory.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define SECONDS_MOST 1e10

enum { SAID_MOST = 16, WORDS_MOST = 2000, BOOT_MOST = 80 };

void ready_answer_clear(struct ready_answer *answer)
{
    free(answer->boot);
    words_clear(&answer->said);
    json_free(answer->record);
    json_free(answer->status);
    *answer = (struct ready_answer)READY_ANSWER_INIT;
}

/* Not every date knows fractions. */
static bool take_seconds(const char *text, double *out)
{
    double seconds = strtod(text, NULL);
    if (seconds > 0 && seconds < SECONDS_MOST)
        *out = seconds;
    return true;
}

static bool take_json(const char *text, size_t length, struct json **out)
{
    json_free(*out);
    *out = json_parse(text, length, NULL);
    return true;
}

static bool take_word(const char *text, size_t length, struct ready_answer *out)
{
    AUTO_TEXT shown = TEXT_INIT;
    text_add_printable(&shown, text, length < WORDS_MOST ? length : WORDS_MOST);
    while (shown.length && shown.bytes[shown.length - 1] == ' ')
        text_truncate(&shown, shown.length - 1);
    if (shown.length && out->said.count < SAID_MOST)
        words_add(&out->said, text_string(&shown));
    return true;
}

static bool take_state(const char *text, struct ready_answer *out)
{
    static const char *const names[] = {
        [READY_OK] = "ok",         [READY_WARNED] = "warned", [READY_ABSENT] = "absent", [READY_OFF] = "off",
        [READY_FAILED] = "failed", [READY_LATE] = "late",     [READY_GOING] = "going",
    };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (text_is(text, names[i])) {
            out->state = (enum ready_state)i;
            return true;
        }
    return false;
}

static bool take_boot(const char *text, size_t length, struct ready_answer *out)
{
    if (length > BOOT_MOST || strspn(text, "0123456789abcdefnkowu.-") != length)
        return false;
    free(out->boot);
    out->boot = xstrdup(text);
    return true;
}

/* A line without its end; false where no such answer has one. */
static bool take_line(const char *line, size_t length, struct ready_answer *out)
{
    const char *rest = strchr(line, ' ');
    rest = rest ? rest + 1 : line + length;
    size_t left = length - (size_t)(rest - line);
    if (text_starts(line, "boot "))
        return take_boot(rest, left, out);
    if (text_starts(line, "now "))
        return take_seconds(rest, &out->now_s);
    if (text_starts(line, "finished "))
        return take_seconds(rest, &out->finished_s);
    if (text_starts(line, "status "))
        return take_json(rest, left, &out->record);
    if (text_starts(line, "said "))
        return take_json(rest, left, &out->status);
    if (text_starts(line, "word "))
        return take_word(rest, left, out);
    return text_starts(line, "state ") && take_state(rest, out);
}

int ready_answer_read(const char *bytes, size_t length, const char *nonce, struct ready_answer *out,
                      struct error *err)
{
    AUTO_FREE char *first = xasprintf("triphase-ready %s\n", nonce), *last = xasprintf("end %s", nonce);
    AUTO_FREE char *copy = xstrndup(bytes, length);
    char *at = strstr(copy, first), *next = NULL;
    bool stated = false;
    if (!at)
        return error_set(err, ERROR_SYSTEM, "the host's shell answered, but not what it was asked");
    for (at += strlen(first); at && *at; at = next) {
        size_t line = strcspn(at, "\n");
        next = at[line] ? at + line + 1 : NULL;
        at[line] = '\0';
        if (text_is(at, last) && stated)
            return 0;
        if (!take_line(at, line, out))
            return error_set(err, ERROR_SYSTEM,
                             "the host said what no answer to whether it is ready says (it may be broken)");
        stated |= text_starts(at, "state ");
    }
    return error_set(err, ERROR_UNREACHABLE, "the connection to the host broke off");
}
