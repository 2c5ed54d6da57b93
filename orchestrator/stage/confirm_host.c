#include "stage/confirm_host.h"

#include "base/embedded.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/number.h"

#include <string.h>

#define PROGRAM "/var/lib/triphase-confirm/program"
/* Stands in no line of the script. */
#define END_OF_PROGRAM "TRIPHASE-CONFIRM-END"

enum { WORDS_MOST = 16, WORD_MOST = 500, DIFFERENCE_MOST = 32 * 1024 };

static const char *const actions[] = {[CONFIRM_ARM] = "arm",
                                      [CONFIRM_RENEW] = "renew",
                                      [CONFIRM_DISARM] = "disarm",
                                      [CONFIRM_SETTLE] = "settle"};

static const char *const states[] = {
    [CONFIRM_ARMED] = "armed",       [CONFIRM_RENEWED] = "renewed", [CONFIRM_DISARMED] = "disarmed",
    [CONFIRM_RESTORED] = "restored", [CONFIRM_BUSY] = "busy",       [CONFIRM_REFUSED] = "refused",
    [CONFIRM_ABSENT] = "absent",
};

/* A program that is there belongs to what is armed, and goes on being that until it is over. */
static int make_script(const struct confirm_question *question, const char *nonce, struct text *script,
                       struct error *err)
{
    const struct confirm_host *of = question->of;
    if (question->action == CONFIRM_ARM) {
        const struct embedded_file *file = embedded_find("host/confirm.sh");
        if (!file)
            return error_set(err, ERROR_SYSTEM,
                             "this program was built without host/confirm.sh; build it again");
        text_add(script,
                 "umask 077; [ ! -d /var/lib ] || [ \"$(id -u)\" -ne 0 ] || { mkdir -p "
                 "/var/lib/triphase-confirm && [ -d /var/lib/triphase-confirm/armed ] || { cat >" PROGRAM
                 ".new <<'" END_OF_PROGRAM "' && mv " PROGRAM ".new " PROGRAM " || { rm -f " PROGRAM
                 " " PROGRAM ".new; rmdir /var/lib/triphase-confirm; }\n");
        text_add_bytes(script, file->bytes, file->size);
        text_add(script, END_OF_PROGRAM "\n}\n}\n");
    }
    text_addf(script,
              "if [ -f " PROGRAM " ]; then exec /bin/sh " PROGRAM " %s %s %s %lld %d; fi\n"
              "printf '\\ntriphase-confirm %s\\n'\n",
              actions[question->action], nonce, of->id, (long long)((of->time_ns + NS_PER_S - 1) / NS_PER_S),
              of->reboots, nonce);
    text_add(script,
             question->action == CONFIRM_ARM
                 ? "echo 'state refused'; if [ \"$(id -u)\" -ne 0 ]; then echo 'word this login is not "
                   "root, and sudo asks for a password'; else echo 'word " PROGRAM " cannot be written'; fi\n"
                 : "if [ \"$(id -u)\" -ne 0 ]; then echo 'state refused'; echo 'word this login is not "
                   "root any more, and sudo asks for a password'; else echo 'state absent'; fi\n");
    text_addf(script, "echo 'end %s'\n", nonce);
    return 0;
}

enum confirm_state confirm_host_state(const struct json *answer)
{
    const char *state = json_get_string(answer, "state", NULL);
    for (size_t i = CONFIRM_ARMED; state && i < COUNT_OF(states); i++)
        if (text_is(state, states[i]))
            return (enum confirm_state)i;
    return CONFIRM_STATE_NONE;
}

char *confirm_host_id(const char *run, int step)
{
    return xasprintf("%s/%02d", run, step);
}

char *confirm_host_words(const struct json *answer)
{
    const struct json *words = json_get(answer, "words");
    AUTO_TEXT out = TEXT_INIT;
    for (size_t i = 0; i < json_count(words); i++)
        text_addf(&out, "%s%s", i ? "; " : "", json_string(json_at(words, i), ""));
    return text_take(&out);
}

struct json *confirm_host_detail(const char *state, const char *id, const char *message,
                                 const struct json *answer)
{
    struct json *detail = json_new_object();
    json_set_string(detail, "state", state);
    json_set_string(detail, "id", id);
    json_set_string(detail, "message", message);
    if (confirm_host_state(answer) != CONFIRM_RESTORED)
        return detail;
    json_set_string(detail, "why", json_get_string(answer, "why", NULL));
    json_set_moment(detail, "at", json_get_integer(answer, "at_ns", 0));
    json_set(detail, "cut_off_by", json_keep(json_get(answer, "words")));
    json_set_string(detail, "difference", json_get_string(answer, "difference", ""));
    return detail;
}

static bool take_moment(struct json *answer, const char *text)
{
    int64_t seconds;
    if (number_parse(text, 0, INT64_MAX / NS_PER_S, &seconds, NULL) < 0)
        return false;
    json_set_integer(answer, "at_ns", seconds * NS_PER_S);
    return true;
}

static void take_word(struct json *answer, const char *text, size_t length)
{
    struct json *words = json_get(answer, "words");
    AUTO_TEXT shown = TEXT_INIT;
    text_add_printable(&shown, text, length < WORD_MOST ? length : WORD_MOST);
    if (shown.length && json_count(words) < WORDS_MOST)
        json_append(words, json_new_string(text_string(&shown)));
}

/* A line without its end; false where no such answer has one. */
static bool take_line(const char *line, size_t length, struct json *answer, struct text *difference)
{
    const char *rest = strchr(line, ' ');
    rest = rest ? rest + 1 : line + length;
    size_t left = length - (size_t)(rest - line);
    if (text_starts(line, "state ")) {
        json_set_string(answer, "state", rest);
        return confirm_host_state(answer) != CONFIRM_STATE_NONE;
    }
    if (text_starts(line, "at "))
        return take_moment(answer, rest);
    if (text_starts(line, "why ")) {
        json_set_string(answer, "why", rest);
        return text_is(rest, "timer") || text_is(rest, "boot") || text_is(rest, "asked");
    }
    if (text_starts(line, "word ")) {
        take_word(answer, rest, left);
        return true;
    }
    if (!text_starts(line, "line "))
        return false;
    if (difference->length + left < DIFFERENCE_MOST) {
        for (const char *at = rest; *at;) { /* tabs are the packet filter's own */
            size_t plain = strcspn(at, "\t");
            text_add_printable(difference, at, plain);
            at += plain;
            for (; *at == '\t'; at++)
                text_add(difference, "    ");
        }
        text_add_char(difference, '\n');
    }
    return true;
}

int confirm_host_read(const char *bytes, size_t length, const char *nonce, struct json **out,
                      struct error *err)
{
    AUTO_FREE char *first = xasprintf("triphase-confirm %s\n", nonce), *last = xasprintf("end %s", nonce);
    AUTO_FREE char *copy = xstrndup(bytes, length);
    AUTO_JSON *answer = json_new_object();
    AUTO_TEXT difference = TEXT_INIT;
    char *at = strstr(copy, first), *next = NULL;
    if (!at)
        return error_set(err, ERROR_SYSTEM, "the host's shell answered, but not what it was asked");
    json_set(answer, "words", json_new_array());
    for (at += strlen(first); at && *at; at = next) {
        size_t line = strcspn(at, "\n");
        next = at[line] ? at + line + 1 : NULL;
        at[line] = '\0';
        if (text_is(at, last) && json_get(answer, "state")) {
            if (difference.length)
                json_set_string(answer, "difference", text_string(&difference));
            *out = json_keep(answer);
            return 0;
        }
        if (!take_line(at, line, answer, &difference))
            return error_set(err, ERROR_SYSTEM,
                             "the host said what no answer about its way back says (it may be broken)");
    }
    return error_set(err, ERROR_UNREACHABLE, "the connection to the host broke off");
}

int confirm_host_ask(const void *what, struct text *out, struct error *err)
{
    const struct confirm_question *question = what;
    const struct confirm_host *of = question->of;
    char nonce[ID_SIZE];
    AUTO_TEXT script = TEXT_INIT, said = TEXT_INIT;
    AUTO_JSON *answer = NULL;
    const struct host_script how = {.host = of->host,
                                    .kind = of->kind,
                                    .sockets = question->action == CONFIRM_ARM ? of->sockets : NULL,
                                    .connect_s = question->connect_s,
                                    .bound_ns = question->bound_ns};
    id_make(nonce);
    if (make_script(question, nonce, &script, err) < 0 ||
        host_script_run(&how, text_string(&script), &said, NULL, NULL, err) < 0 ||
        confirm_host_read(text_string(&said), said.length, nonce, &answer, err) < 0)
        return -1;
    AUTO_FREE char *compact = json_compact(answer);
    text_add(out, compact);
    return 0;
}
