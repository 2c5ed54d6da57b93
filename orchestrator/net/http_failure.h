/* Why a request got no answer, in words. Pure: libcurl's own codes are http.c's. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

enum http_step { HTTP_STEP_RESOLVE, HTTP_STEP_CONNECT, HTTP_STEP_TLS, HTTP_STEP_ANSWER };
enum http_fault {
    HTTP_FAULT_URL,         /* no URL that may be asked */
    HTTP_FAULT_UNKNOWN,     /* the host's name has no address */
    HTTP_FAULT_CONNECT,     /* `number`: why not */
    HTTP_FAULT_TIME,        /* in `step` */
    HTTP_FAULT_SLOW,        /* less than a byte a second */
    HTTP_FAULT_TLS,         /* `detail` */
    HTTP_FAULT_CERTIFICATE, /* `detail` */
    HTTP_FAULT_EXPIRED,     /* the certificate, or this machine's clock */
    HTTP_FAULT_NOT_YET,     /* the same, the other way round */
    HTTP_FAULT_EMPTY,       /* closed without an answer */
    HTTP_FAULT_CUT,         /* the answer ends too early; `number` */
    HTTP_FAULT_NO_HTTP,     /* what comes is something else */
    HTTP_FAULT_TOO_MUCH,    /* more than `size` bytes */
    HTTP_FAULT_OTHER,       /* `detail` */
};

struct http_failure {
    enum http_fault fault;
    enum http_step step; /* how far it came */
    int number;          /* errno, 0: none */
    int64_t after_ns;    /* how long it took */
    uint64_t size;       /* bytes of the answer that came */
    const char *detail;  /* libcurl's own words; may be NULL */
};

/* Sets the error, of the kind that net/http.h says. `where`: host and port, or the path of the socket. */
int http_failure_error(const struct http_failure *failure, const char *where, bool is_unix,
                       struct error *err);
