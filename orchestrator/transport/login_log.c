#include "transport/login_log.h"

#include "base/memory.h"

#include <string.h>

const char *login_rung_name(enum login_rung rung)
{
    static const char *const names[] = {
        [LOGIN_TCP] = "tcp",           [LOGIN_BANNER] = "banner", [LOGIN_KEY_EXCHANGE] = "key-exchange",
        [LOGIN_HOST_KEY] = "host-key", [LOGIN_AUTH] = "auth",     [LOGIN_DONE] = "channel"};
    return names[rung];
}

/* What each line says was reached by it; a word in its middle where `begins` is false. */
static const struct {
    const char *text;
    bool begins;
    enum login_rung rung;
} signs[] = {
    {"Connection established", true, LOGIN_BANNER}, {"Remote protocol version", true, LOGIN_KEY_EXCHANGE},
    {"Server host key:", true, LOGIN_HOST_KEY},     {"Server host certificate:", true, LOGIN_HOST_KEY},
    {" is known and matches", false, LOGIN_AUTH},   {"Permanently added", false, LOGIN_AUTH},
    {"Offering public key: ", true, LOGIN_AUTH},    {"Trying private key: ", true, LOGIN_AUTH},
    {"Authenticated to ", true, LOGIN_DONE},
};

/* Takes "debug1: " and "file.c:function():123 (pid=1): " away; true where the line is a trace. */
static bool strip(const char **line, size_t *length)
{
    const char *at = *line, *end = at + *length;
    bool trace = *length > 8 && text_starts(at, "debug") && at[6] == ':' && at[7] == ' ';
    if (trace)
        at += 8;
    const char *tag = memmem(at, (size_t)(end - at), "():", 3);
    const char *space = memchr(at, ' ', (size_t)(end - at));
    const char *close = tag && space && tag < space ? memmem(tag, (size_t)(end - tag), "): ", 3) : NULL;
    if (close)
        at = close + 3;
    *line = at;
    *length = (size_t)(end - at);
    return trace;
}

static void add_line(struct text *text, const char *line, size_t length)
{
    text_add(text, text->length ? "; " : "");
    text_add_printable(text, line, length);
}

static char *printable(const char *words)
{
    struct text text = TEXT_INIT;
    text_add_printable(&text, words, strlen(words));
    return text_take(&text);
}

static void take_trace(const char *line, struct login_log *out)
{
    static const char instead[] = "banner line ", version[] = "Remote protocol version ",
                      software[] = ", remote software version ",
                      offer[] = "Offering public key: ", host_key[] = "Server host key: ";
    if (text_starts(line, instead) && strstr(line, ": "))
        add_line(&out->instead, strstr(line, ": ") + 2, strlen(strstr(line, ": ") + 2));
    const char *product = text_starts(line, version) ? strstr(line, software) : NULL;
    if (product && !out->version) {
        const char *protocol = line + strlen(version);
        AUTO_FREE char *whole =
            xasprintf("SSH-%.*s-%s", (int)(product - protocol), protocol, product + strlen(software));
        out->version = printable(whole);
    }
    if (text_starts(line, host_key)) {
        free(out->host_key);
        out->host_key = printable(line + strlen(host_key));
    }
    if (text_starts(line, offer)) {
        static const char named[] = " explicit";
        char *key = printable(line + strlen(offer));
        if (text_ends(key, named))
            key[strlen(key) - strlen(named)] = '\0';
        words_own(&out->keys, key);
    }
}

void login_log_read(const char *bytes, size_t length, struct login_log *out)
{
    for (const char *at = bytes, *end = bytes + length; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((newline ? newline : end) - at);
        const char *line = at, *next = at + size + 1;
        while (size && line[size - 1] == '\r')
            size--;
        AUTO_FREE char *whole = xstrndup(line, size);
        const char *words = whole;
        size = strlen(whole);
        bool trace = strip(&words, &size), progress = false;
        for (size_t i = 0; i < COUNT_OF(signs); i++)
            if (signs[i].begins ? text_starts(words, signs[i].text) : strstr(words, signs[i].text) != NULL) {
                progress = true;
                if (signs[i].rung > out->rung)
                    out->rung = signs[i].rung;
            }
        if (trace)
            take_trace(words, out);
        else if (!progress && size)
            add_line(&out->said, words, size);
        at = next;
    }
}

bool login_log_is_tailscale(const struct login_log *log)
{
    return log->version && text_starts(log->version, "SSH-2.0-Tailscale");
}

void login_log_clear(struct login_log *log)
{
    free(log->version);
    free(log->host_key);
    words_clear(&log->keys);
    text_clear(&log->said);
    text_clear(&log->instead);
    *log = (struct login_log)LOGIN_LOG_INIT;
}
