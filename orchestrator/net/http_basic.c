#include "net/http_basic.h"

#include "base/memory.h"
#include "base/text.h"

#include <string.h>

static void add_base64(struct text *out, const unsigned char *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        unsigned word = (unsigned)bytes[i] << 16 | (left > 1 ? (unsigned)bytes[i + 1] << 8 : 0) |
                        (left > 2 ? (unsigned)bytes[i + 2] : 0);
        text_add_char(out, digits[word >> 18]);
        text_add_char(out, digits[word >> 12 & 63]);
        text_add_char(out, left > 1 ? digits[word >> 6 & 63] : '=');
        text_add_char(out, left > 2 ? digits[word & 63] : '=');
    }
}

char *http_basic(const char *user, const char *password)
{
    /* Room for all of it at once: a text that grows leaves pieces of itself behind. */
    size_t length = strlen(user) + 1 + (password ? strlen(password) : 0);
    char *plain = xasprintf("%s:%s", user, password ? password : "");
    struct text out = {.bytes = xmalloc(length * 2 + 64), .room = length * 2 + 64};
    text_add(&out, "Authorization: Basic ");
    add_base64(&out, (const unsigned char *)plain, length);
    memory_free_secret(plain, length);
    return text_take(&out);
}
