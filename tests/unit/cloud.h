/* A cloud's API that answers as it is told (web.h), and who asks it. */
#pragma once
#include "base/text.h"
#include "cloud/api.h"
#include "web.h"

#define CLOUD_TOKEN "hcTestToken0123456789"
#define CLOUD_JSON(status) \
    "HTTP/1.1 " status "\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
#define CLOUD_ERROR(status, code, message) \
    CLOUD_JSON(status) "{\"error\":{\"code\":\"" code "\",\"message\":\"" message "\"}}"
/* One page that is all there is. */
#define CLOUD_PAGE(member, items, total) \
    CLOUD_JSON("200 OK")                 \
    "{\"" member "\":[" items            \
    "],\"meta\":{\"pagination\":{\"page\":1,\"next_page\":null,\"total_entries\":" total "}}}"

/* Asks with CLOUD_TOKEN; its pauses are over at once and count. What it says of waits is added to `said`, a
 * line each. */
struct cloud_api *cloud_client(const struct web *web, int seconds, struct text *said);
/* The request line of each request that came, with '\n' behind each; malloc'ed. */
char *cloud_asked(struct web *web);
/* The body of the request. */
const char *cloud_sent(struct web *web, size_t index);
