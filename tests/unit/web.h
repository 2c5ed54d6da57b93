/* A server in a thread of the test, on loopback or on a unix socket, that answers as it is told: for what a
 * real one says or does only when it is ill. It ends with the test's process. */
#pragma once
#include <stddef.h>

enum web_end {
    WEB_CLOSE,
    WEB_HOLD,  /* keeps the connection and says no more */
    WEB_RESET, /* ends it with a reset */
    WEB_KEEP,  /* goes on to the next answer, to another request on it */
};
struct web_answer {
    const char *bytes; /* NULL: none */
    size_t filler;     /* so many bytes of 'x' behind them */
    int pause_ms;      /* before them, and between those of `slowly` */
    enum web_end end;
    int slowly; /* the bytes one by one, so many; then the rest at once */
};

struct web;
/* `unix_path` NULL: 127.0.0.1 and a port of its own. One answer for each connection (but for WEB_KEEP), the
 * last one again and again; what `answers` points to must outlive the server. */
struct web *web_start(const char *unix_path, const struct web_answer *answers, size_t count);
const char *web_base(const struct web *web); /* "http://127.0.0.1:PORT"; owned */
size_t web_connections(struct web *web);     /* so far */
/* Requests that came whole so far, and their bytes ("" where there was none such). */
size_t web_count(struct web *web);
const char *web_request(struct web *web, size_t index);
