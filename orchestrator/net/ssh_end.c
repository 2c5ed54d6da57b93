#include "net/ssh_end.h"

#include <string.h>

const char *ssh_end_name(enum ssh_end end)
{
    static const char *const names[] = {"", "silent", "closed", "reset", "host-key", "auth", "protocol"};
    return names[end];
}

const char *ssh_rung_name(enum ssh_rung rung)
{
    static const char *const names[] = {"banner", "key-exchange", "host-key", "auth", "channel"};
    return names[rung];
}

enum ssh_end ssh_end_of_words(const char *words, enum ssh_rung rung)
{
    if (strcasestr(words, "reset") || strcasestr(words, "broken pipe"))
        return SSH_END_RESET;
    if (!*words || strcasestr(words, "disconnect") || strcasestr(words, "closed") || strcasestr(words, "eof"))
        return SSH_END_CLOSED;
    return rung == SSH_RUNG_DONE ? SSH_END_CLOSED : SSH_END_PROTOCOL;
}
