#include "view/forensics_view.h"

#include "base/memory.h"
#include "base/moment.h"

#include <string.h>

/* How many lines of each: with the line of the event itself 24. */
enum { PROCESSES = 8, LOG_LINES = 4, CONSOLE_LINES = 3, CONNECTIONS = 2, WIDTH = 100, LABEL = 11 };

struct screen {
    const struct table_look *look;
    struct text *out;
};

/* One line "  label      text", cut to the width. */
static void add_line(const struct screen *screen, const char *label, const struct text *text)
{
    AUTO_TEXT line = TEXT_INIT, printable = TEXT_INIT;
    size_t width =
        (size_t)(screen->look->width > 40 && screen->look->width < WIDTH ? screen->look->width : WIDTH);
    size_t most = WIDTH * 4; /* bytes of a line of the widest characters */
    text_add_printable(&printable, text_string(text), text->length < most ? text->length : most);
    text_addf(&line, "  %-*s", LABEL, label);
    text_add(&line, text_string(&printable));
    while (table_cells(text_string(&line)) > (int)width) {
        size_t end = line.length - 1;
        while (end && ((unsigned char)line.bytes[end] & 0xc0) == 0x80)
            end--;
        text_truncate(&line, end);
    }
    table_styled(screen->out, screen->look, TABLE_PLAIN, text_string(&line));
    text_add_char(screen->out, '\n');
}

static char *age(const struct json *object, const char *key)
{
    const struct json *value = json_get(object, key);
    double ms = json_real(value, -1);
    return ms < 0 ? xstrdup("never") : duration_show((int64_t)(ms * 1e6));
}

static const char *ago(const char *age)
{
    return text_is(age, "never") ? "" : " ago";
}

static void add_task(const struct screen *screen, const struct json *detail)
{
    AUTO_TEXT line = TEXT_INIT;
    const char *task = json_get_string(detail, "task", NULL), *path = json_get_string(detail, "path", NULL),
               *host = json_get_string(detail, "host", NULL);
    AUTO_FREE char *since = age(detail, task ? "task_ms" : "step_ms");
    if (task)
        text_addf(&line, "%s on %s for %s%s%s", task, host ? host : "?", since, path ? "  " : "",
                  path ? path : "");
    else
        text_addf(&line, "none, after %s", since);
    add_line(screen, "task", &line);
}

static void add_silence(const struct screen *screen, const struct json *detail)
{
    AUTO_TEXT line = TEXT_INIT;
    AUTO_FREE char *event = age(detail, "last_event_ms"), *output = age(detail, "last_output_ms");
    text_addf(&line, "last event %s%s, last output %s%s", event, ago(event), output, ago(output));
    add_line(screen, "silent for", &line);
}

static void add_string(const struct screen *screen, const char *label, const char *string)
{
    AUTO_TEXT line = TEXT_INIT;
    if (!string)
        return;
    text_add(&line, string);
    add_line(screen, label, &line);
}

/* Without what the compiler made of the kernel's function. */
static int wchan_length(const char *wchan)
{
    size_t length = strcspn(wchan, ".");
    return (int)(length < 18 ? length : 18);
}

/* Words that are paths by their last part: the rest would fill the line. */
static void add_words(struct text *line, const char *words)
{
    while (*words) {
        size_t length = strcspn(words, " ");
        const char *slash = *words == '/' ? memrchr(words, '/', length) : NULL;
        const char *from = slash && slash + 1 < words + length ? slash + 1 : words;
        text_add_bytes(line, from, (size_t)(words + length - from));
        words += length;
        if (*words) {
            text_add_char(line, ' ');
            words++;
        }
    }
}

/* What tells a dead path from a busy host comes first: a narrow terminal cuts the rest. */
static void add_connection(const struct screen *screen, const struct json *one)
{
    AUTO_TEXT path = TEXT_INIT, rest = TEXT_INIT, process = TEXT_INIT;
    const char *wchan = json_get_string(one, "wchan", "");
    text_addf(&process, "pid %lld %s %.*s", (long long)json_get_integer(one, "pid", 0),
              json_get_string(one, "process", "?"), wchan_length(wchan), wchan);
    if (!json_get(one, "state")) {
        text_add(&process, ", no TCP connection of its own");
        add_line(screen, "master", &process);
        return;
    }
    AUTO_FREE char *acked = age(one, "last_ack_ms"), *received = age(one, "last_received_ms"),
                   *due = age(one, "timer_ms");
    text_addf(&path, "%s  unacked %lld, backoff %lld, %s in %s", json_get_string(one, "remote", "?"),
              (long long)json_get_integer(one, "unacked", 0), (long long)json_get_integer(one, "backoff", 0),
              json_get_string(one, "timer", "?"), due);
    add_line(screen, "master", &path);
    text_addf(&rest, "%s, acked %s, heard %s ago; queues %lld/%lld B; %s; from %s",
              json_get_string(one, "state", "?"), acked, received,
              (long long)json_get_integer(one, "send_queue", 0),
              (long long)json_get_integer(one, "receive_queue", 0), text_string(&process),
              json_get_string(one, "local", "?"));
    add_line(screen, "", &rest);
}

static void add_connections(const struct screen *screen, const struct json *detail)
{
    const struct json *list = json_get(detail, "connections");
    for (size_t i = 0; i < json_count(list) && i < CONNECTIONS; i++)
        add_connection(screen, json_at(list, i));
}

static void add_check(const struct screen *screen, const struct json *detail)
{
    const struct json *mux = json_get(detail, "mux");
    if (!mux)
        return;
    AUTO_TEXT line = TEXT_INIT;
    AUTO_FREE char *took = age(mux, "ms");
    text_addf(&line, "%s (after %s)", json_get_string(mux, "answer", "?"), took);
    add_line(screen, "mux check", &line);
}

static void add_processes(const struct screen *screen, const struct json *detail)
{
    const struct json *list = json_get(detail, "processes"), *words = json_get(detail, "words");
    size_t count = json_count(list);
    size_t total = (size_t)json_get_integer(detail, "process_count", 0);
    size_t shown = total > PROCESSES ? PROCESSES - 1 : count;
    for (size_t i = 0; i < shown && i < count; i++) {
        const struct json *one = json_at(list, i);
        AUTO_TEXT line = TEXT_INIT;
        AUTO_FREE char *took = age(one, "age_ms");
        const char *argv = json_string(json_at(words, i), ""), *name = json_get_string(one, "name", "?");
        int depth = (int)json_get_integer(one, "depth", 0);
        const char *wchan = json_get_string(one, "wchan", "");
        text_addf(&line, "%6lld %s %-18.*s %6s %*s", (long long)json_get_integer(one, "pid", 0),
                  json_get_string(one, "state", "?"), wchan_length(wchan), wchan, took, depth < 8 ? depth : 8,
                  "");
        add_words(&line, *argv ? argv : name);
        add_line(screen, i ? "" : "processes", &line);
    }
    if (total > shown) {
        AUTO_TEXT line = TEXT_INIT;
        text_addf(&line, "%zu more", total - shown);
        add_line(screen, "", &line);
    }
}

/* The last of them. */
static void add_last(const struct screen *screen, const struct json *detail, const char *key, size_t most)
{
    const struct json *list = json_get(detail, key);
    size_t count = json_count(list), first = count > most ? count - most : 0;
    for (size_t i = first; i < count; i++)
        add_string(screen, i == first ? key : "", json_string(json_at(list, i), ""));
}

void forensics_view_add(const struct json *detail, const struct table_look *look, struct text *out)
{
    struct screen screen = {look, out};
    add_task(&screen, detail);
    add_silence(&screen, detail);
    add_string(&screen, "path", json_get_string(detail, "connection", NULL));
    add_connections(&screen, detail);
    add_check(&screen, detail);
    add_processes(&screen, detail);
    add_last(&screen, detail, "log", LOG_LINES);
    add_last(&screen, detail, "console", CONSOLE_LINES);
    if (json_get_bool(detail, "unfinished"))
        add_string(&screen, "", "the look was not finished within its bound: something it read hangs");
}
