#include "base/id.h"

#include "base/moment.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void id_make(char out[ID_SIZE])
{
    static uint64_t last;
    uint8_t random[10];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        abort();
    /* 48 bits of milliseconds, 12 bits of their fraction (RFC 9562, 6.2 method 3); never twice the same. */
    int64_t now = moment_wall();
    uint64_t stamp =
        (uint64_t)(now / NS_PER_MS) << 12 | (uint64_t)(now % NS_PER_MS) * 4096 / (uint64_t)NS_PER_MS;
    if (stamp <= last)
        stamp = last + 1;
    last = stamp;
    uint64_t ms = stamp >> 12;
    snprintf(out, ID_SIZE, "%08x-%04x-7%03x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             (unsigned)(ms >> 16 & 0xffffffff), (unsigned)(ms & 0xffff), (unsigned)(stamp & 0xfff),
             (random[0] & 0x3f) | 0x80, random[1], random[2], random[3], random[4], random[5], random[6],
             random[7]);
}

bool id_is(const char *text)
{
    if (strnlen(text, ID_SIZE) != ID_SIZE - 1)
        return false;
    for (int i = 0; i < ID_SIZE - 1; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !(isdigit((unsigned char)text[i]) || (text[i] >= 'a' && text[i] <= 'f')))
            return false;
    }
    return true;
}

const char *id_tail(const char *id, int digits)
{
    return id + (ID_SIZE - 1 - digits);
}

const char *id_shown(const char *id)
{
    return id_is(id) ? id_tail(id, 8) : id;
}
