#include "net/http_answer.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/number.h"

#include <string.h>
#include <time.h>

enum { RETRY_MOST_S = 86400 };

void http_answer_clear(struct http_answer *answer)
{
    if (answer->body.bytes)
        explicit_bzero(answer->body.bytes, answer->body.room);
    text_clear(&answer->body);
    *answer = (struct http_answer){.retry_after_ns = -1};
}

int64_t http_answer_date(const char *text)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    char month[4];
    int end = 0;
    struct tm tm = {0};
    if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &tm.tm_mday, month, &tm.tm_year,
               &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end) < 6 ||
        !end || text[end])
        return 0;
    while (tm.tm_mon < 12 && !text_is(month, months[tm.tm_mon]))
        tm.tm_mon++;
    tm.tm_year -= 1900;
    time_t seconds = tm.tm_mon < 12 && tm.tm_year >= 70 && tm.tm_year < 300 ? timegm(&tm) : 0;
    return seconds > 0 ? (int64_t)seconds * NS_PER_S : 0;
}

/* What stands behind "name:" without the spaces around it; NULL where it is another header. */
static char *value_of(const char *line, const char *name)
{
    size_t length = strlen(name);
    if (strncasecmp(line, name, length) != 0 || line[length] != ':')
        return NULL;
    const char *value = line + length + 1;
    value += strspn(value, " \t");
    size_t size = strlen(value);
    while (size && strchr(" \t\r\n", value[size - 1]))
        size--;
    return xstrndup(value, size);
}

/* A date counts from the server's own, where it came before it: this machine's clock may be another. */
static int64_t retry_after(const struct http_answer *answer, const char *value)
{
    int64_t seconds, date, now = answer->date_ns ? answer->date_ns : moment_wall();
    if (number_parse(value, 0, RETRY_MOST_S, &seconds, NULL) == 0)
        return seconds * NS_PER_S;
    if (!(date = http_answer_date(value)))
        return -1;
    return date > now ? date - now : 0;
}

int64_t http_answer_pause(int64_t retry_after_ns, int64_t otherwise_ns)
{
    return retry_after_ns >= NS_PER_S ? retry_after_ns : otherwise_ns;
}

void http_answer_read_head(struct http_answer *answer, const char *bytes, size_t length)
{
    AUTO_FREE char *line = xstrndup(bytes, length);
    AUTO_FREE char *date = value_of(line, "date");
    AUTO_FREE char *again = value_of(line, "retry-after");
    if (text_starts(line, "HTTP/")) {
        answer->retry_after_ns = -1;
        answer->date_ns = 0;
    } else if (date) {
        answer->date_ns = http_answer_date(date);
    } else if (again) {
        answer->retry_after_ns = retry_after(answer, again);
    }
}

bool http_answer_read_body(struct http_answer *answer, const char *bytes, size_t length, size_t most)
{
    if (length > most - answer->body.length)
        return false;
    text_add_bytes(&answer->body, bytes, length);
    return true;
}
