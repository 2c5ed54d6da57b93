#include "net/http_word.h"

#include "base/memory.h"
#include "base/text.h"

#include <string.h>

char *http_word(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";
    /* Room for all of it at once: a text that grows leaves pieces of itself behind. */
    struct text out = {.bytes = xmalloc(strlen(text) * 3 + 1), .room = strlen(text) * 3 + 1};
    *out.bytes = '\0';
    for (; *text; text++)
        if (strchr(plain, *text))
            text_add_char(&out, *text);
        else
            text_addf(&out, "%%%02X", (unsigned char)*text);
    return text_take(&out);
}
