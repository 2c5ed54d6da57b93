/* What a server answered, and how its head is read. Pure. */
#pragma once
#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_answer {
    int status; /* any: that a server refuses is an answer */
    struct text body;
    int64_t retry_after_ns; /* from now; -1: not said */
    int64_t date_ns;        /* the server's clock when it answered, wall, whole seconds; 0: not said */
};

/* Wipes the body too. */
void http_answer_clear(struct http_answer *answer);
#define AUTO_HTTP_ANSWER __attribute__((cleanup(http_answer_clear))) struct http_answer

/* How long to wait before it is asked again: as long as the server asks for, else so long. "At once" is never
 * meant: who refuses so is not to be asked as fast as it can refuse. */
int64_t http_answer_pause(int64_t retry_after_ns, int64_t otherwise_ns);

/* One line of an answer's head, with or without its end. A status line forgets what was said before it
 * (100 Continue has a head of its own). */
void http_answer_read_head(struct http_answer *answer, const char *line, size_t length);
/* The next bytes of its body; false, and nothing is taken, where it would have more than `most`. */
bool http_answer_read_body(struct http_answer *answer, const char *bytes, size_t length, size_t most);
/* "Sun, 06 Nov 1994 08:49:37 GMT", the one form that servers may send (RFC 9110, 5.6.7), as wall time;
 * 0 for anything else. */
int64_t http_answer_date(const char *text);
