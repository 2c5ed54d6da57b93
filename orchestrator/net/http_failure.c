#include "net/http_failure.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { CLOCK_DIFFERS_S = 90, CERTIFICATE_NOT_YET_VALID = 9, CERTIFICATE_EXPIRED = 10 };

/* ------------------------------------------------------------ what it was */
static enum http_step step_of(const struct http_signs *signs, const struct http_order *order)
{
    /* Over a connection that was there before, nothing but this is told. */
    if (signs->sent_us > 0)
        return HTTP_STEP_ANSWER;
    /* libcurl counts the connection when TCP has it, and some releases stop its time when TLS has. */
    if (signs->connects > 0 || signs->connected_us > 0)
        return strncasecmp(order->url, "https:", 6) == 0 ? HTTP_STEP_TLS : HTTP_STEP_ANSWER;
    return signs->named_us == 0 && !order->unix_socket ? HTTP_STEP_RESOLVE : HTTP_STEP_CONNECT;
}

static enum http_fault certificate_fault(long verified)
{
    if (verified == CERTIFICATE_EXPIRED)
        return HTTP_FAULT_EXPIRED;
    return verified == CERTIFICATE_NOT_YET_VALID ? HTTP_FAULT_NOT_YET : HTTP_FAULT_CERTIFICATE;
}

static enum http_fault fault_of(const struct http_signs *signs, const struct http_order *order)
{
    if (signs->too_much)
        return HTTP_FAULT_TOO_MUCH;
    /* It was asked: what came was no head, which libcurl takes for HTTP/0.9. */
    if (signs->fault == HTTP_FAULT_URL && signs->sent_us > 0)
        return HTTP_FAULT_NO_HTTP;
    if (signs->fault == HTTP_FAULT_TIME && signs->total_us / 1000 + 1 < order->bound_ms &&
        step_of(signs, order) == HTTP_STEP_ANSWER)
        return HTTP_FAULT_SLOW;
    return signs->fault == HTTP_FAULT_CERTIFICATE ? certificate_fault(signs->verified) : signs->fault;
}

struct http_failure http_failure_judge(const struct http_signs *signs, const struct http_order *order,
                                       uint64_t came)
{
    return (struct http_failure){
        .fault = fault_of(signs, order),
        .step = step_of(signs, order),
        .number = signs->number,
        .after_ns = signs->total_us * 1000,
        .size = came,
        .detail = signs->words,
    };
}

bool http_failure_is_of_time(const struct http_failure *failure)
{
    return failure->fault == HTTP_FAULT_EXPIRED || failure->fault == HTTP_FAULT_NOT_YET;
}

char *http_failure_clock(int64_t date_ns, int64_t now_ns)
{
    if (!date_ns)
        return NULL;
    int64_t ahead = now_ns - date_ns, size = ahead < 0 ? -ahead : ahead;
    if (size < CLOCK_DIFFERS_S * NS_PER_S)
        return xstrdup("the server's clock agrees with this machine's: renew the certificate");
    AUTO_FREE char *shown = duration_show(size);
    return xasprintf("by the server's clock this machine's is %s %s: set it", shown,
                     ahead < 0 ? "behind" : "ahead");
}

/* ------------------------------------------------------------ words */
static char *of_connect(const struct http_failure *failure)
{
    const char *why = failure->number ? strerror(failure->number) : failure->detail;
    const char *meaning = failure->number == ECONNREFUSED ? ": nothing listens there" : "";
    return xasprintf("cannot be connected to: %s%s", why ? why : "no reason is known", meaning);
}

static char *of_time(const struct http_failure *failure)
{
    static const char *const steps[] = {
        [HTTP_STEP_RESOLVE] = "its address was not found within %s: do the name servers answer?",
        [HTTP_STEP_CONNECT] = "does not take a connection within %s: the host is off, or a firewall drops it",
        [HTTP_STEP_TLS] = "takes the connection, but TLS is not agreed on within %s",
        [HTTP_STEP_ANSWER] = "takes the connection, but does not answer within %s",
    };
    AUTO_FREE char *after = duration_show(failure->after_ns);
    const char *words = steps[failure->step], *mark = strstr(words, "%s");
    if (failure->step == HTTP_STEP_ANSWER && failure->size)
        return xasprintf("does not end its answer within %s (%llu bytes came)", after,
                         (unsigned long long)failure->size);
    return xasprintf("%.*s%s%s", (int)(mark - words), words, after, mark + 2);
}

static char *of_slow(const struct http_failure *failure)
{
    return xasprintf("sends less than a byte a second (%llu bytes came)", (unsigned long long)failure->size);
}

static char *of_cut(const struct http_failure *failure)
{
    return xasprintf("%s%s%s (%llu bytes came)",
                     failure->number == ECONNRESET ? "resets the connection" : "ends its answer too early",
                     failure->number && failure->number != ECONNRESET ? ": " : "",
                     failure->number && failure->number != ECONNRESET ? strerror(failure->number) : "",
                     (unsigned long long)failure->size);
}

static char *of_too_much(const struct http_failure *failure)
{
    return xasprintf("sends more than it may: %llu bytes and no end", (unsigned long long)failure->size);
}

/* Words that need nothing but what the library says of it. */
static const struct {
    const char *words;
    bool detail;
    char *(*make)(const struct http_failure *failure);
    const char *word;
} table[] = {
    [HTTP_FAULT_NONE] = {.word = "none"},
    [HTTP_FAULT_URL] = {"is nothing that can be asked over http or https", true, NULL, "url"},
    [HTTP_FAULT_UNKNOWN] = {"its name has no address: is it right, and do the name servers answer?", false,
                            NULL, "dns"},
    [HTTP_FAULT_CONNECT] = {.make = of_connect, .word = "no-connection"},
    [HTTP_FAULT_PROXY] = {"the proxy does not lead there", true, NULL, "proxy"},
    [HTTP_FAULT_TIME] = {.make = of_time, .word = "timeout"},
    [HTTP_FAULT_SLOW] = {.make = of_slow, .word = "timeout"},
    [HTTP_FAULT_TLS] = {"TLS cannot be agreed on", true, NULL, "tls"},
    [HTTP_FAULT_CERTIFICATE] = {"its certificate is not trusted here", true, NULL, "certificate"},
    [HTTP_FAULT_EXPIRED] = {"its certificate has expired, or this machine's clock is ahead", true, NULL,
                            "certificate"},
    [HTTP_FAULT_NOT_YET] = {"its certificate is not valid yet, or this machine's clock is behind", true, NULL,
                            "certificate"},
    [HTTP_FAULT_EMPTY] = {"takes the connection and closes it without an answer", false, NULL, "closed"},
    [HTTP_FAULT_CUT] = {.make = of_cut, .word = "cut"},
    [HTTP_FAULT_NO_HTTP] = {"what answers there does not speak HTTP", false, NULL, "no-http"},
    [HTTP_FAULT_TOO_MUCH] = {.make = of_too_much, .word = "too-much"},
    [HTTP_FAULT_OTHER] = {"cannot be asked", true, NULL, "other"},
};

const char *http_failure_word(const struct http_failure *failure)
{
    if (failure->fault == HTTP_FAULT_CONNECT && failure->number == ECONNREFUSED)
        return "refused";
    if (failure->fault == HTTP_FAULT_CONNECT &&
        (failure->number == EHOSTUNREACH || failure->number == ENETUNREACH))
        return "no-route";
    if ((failure->fault == HTTP_FAULT_CUT || failure->fault == HTTP_FAULT_TLS) &&
        failure->number == ECONNRESET)
        return "reset";
    return table[failure->fault].word;
}

static enum error_kind kind_of(const struct http_failure *failure, bool is_unix)
{
    if (failure->fault == HTTP_FAULT_URL)
        return ERROR_PROJECT;
    if (!is_unix)
        return ERROR_UNREACHABLE;
    bool late = failure->fault == HTTP_FAULT_TIME || failure->fault == HTTP_FAULT_SLOW;
    return failure->fault == HTTP_FAULT_CONNECT ? ERROR_MISSING : late ? ERROR_DEADLINE : ERROR_SYSTEM;
}

int http_failure_error(const struct http_failure *failure, const char *where, bool is_unix, struct error *err)
{
    AUTO_FREE char *made = table[failure->fault].make ? table[failure->fault].make(failure) : NULL;
    bool detailed = table[failure->fault].detail && failure->detail && *failure->detail;
    return error_set(err, kind_of(failure, is_unix), "%s: %s%s%s%s", where,
                     made ? made : table[failure->fault].words, detailed ? " (" : "",
                     detailed ? failure->detail : "", detailed ? ")" : "");
}
