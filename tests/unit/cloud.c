#include "cloud.h"

#include "base/memory.h"
#include "base/moment.h"

#include <criterion/criterion.h>
#include <string.h>

static void hear(void *context, const char *line)
{
    text_addf(context, "%s\n", line);
}

struct cloud_api *cloud_client(const struct web *web, int seconds, struct text *said)
{
    AUTO_ERROR err = ERROR_INIT;
    struct cloud_api *api = NULL;
    AUTO_FREE char *endpoint = xasprintf("%s/v1", web_base(web));
    struct cloud_settings settings = {.endpoint = endpoint};
    setenv("HCLOUD_TOKEN", CLOUD_TOKEN, 1);
    cloud_clock_skip_pauses();
    cr_assert(cloud_api_open(&settings, "/", deadline_in(seconds * NS_PER_S), &api, &err) == 0, "%s",
              error_text(&err));
    cloud_api_tell(api, hear, said);
    return api;
}

char *cloud_asked(struct web *web)
{
    AUTO_TEXT out = TEXT_INIT;
    for (size_t i = 0; i < web_count(web); i++) {
        const char *request = web_request(web, i);
        text_add_bytes(&out, request, strcspn(request, "\r\n") - strlen(" HTTP/1.1"));
        text_add_char(&out, '\n');
    }
    return text_take(&out);
}

const char *cloud_sent(struct web *web, size_t index)
{
    const char *body = strstr(web_request(web, index), "\r\n\r\n");
    return body ? body + 4 : "";
}
