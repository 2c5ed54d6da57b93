/* Why a request got no answer, and that in words. Pure: libcurl's own codes are http_wire.c's. */
#pragma once
#include "base/error.h"
#include "net/http_request.h"
#include <stdbool.h>
#include <stdint.h>

enum http_step { HTTP_STEP_RESOLVE, HTTP_STEP_CONNECT, HTTP_STEP_TLS, HTTP_STEP_ANSWER };
enum http_fault {
    HTTP_FAULT_NONE,
    HTTP_FAULT_URL,         /* no URL that may be asked */
    HTTP_FAULT_UNKNOWN,     /* the host's name has no address */
    HTTP_FAULT_CONNECT,     /* `number`: why not */
    HTTP_FAULT_PROXY,       /* the proxy does not lead there; `detail` */
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

/* What the library says of a request that is over. */
struct http_signs {
    enum http_fault fault; /* by its code alone; HTTP_FAULT_NONE: it was answered */
    int status;
    bool too_much;                                     /* its body was cut off at the order's most */
    long connects;                                     /* connections that were made for it */
    int64_t named_us, connected_us, sent_us, total_us; /* since its begin; 0: it did not come so far */
    int number;                                        /* errno, 0: none */
    long verified;     /* of the certificate: X509_V_ERR_…, which GnuTLS builds hand on too */
    const char *words; /* its own */
};

struct http_failure {
    enum http_fault fault;
    enum http_step step; /* how far it came */
    int number;          /* errno, 0: none */
    int64_t after_ns;    /* how long it took */
    uint64_t size;       /* bytes of the answer that came */
    const char *detail;  /* libcurl's own words; may be NULL */
};

/* `came`: bytes of the body. The detail is the signs'. */
struct http_failure http_failure_judge(const struct http_signs *signs, const struct http_order *order,
                                       uint64_t came);
/* Whether it is the certificate's time, so that the server's clock is worth a question. */
bool http_failure_is_of_time(const struct http_failure *failure);
/* How far this machine's clock is from the one that answered; malloc'ed, NULL where nothing did (0). */
char *http_failure_clock(int64_t date_ns, int64_t now_ns);

/* The same in one word, for scripts and for whoever counts: "refused", "timeout", "certificate", … Static. */
const char *http_failure_word(const struct http_failure *failure);
/* Sets the error, of the kind that net/http.h says. `where`: host and port, or the path of the socket. */
int http_failure_error(const struct http_failure *failure, const char *where, bool is_unix,
                       struct error *err);
