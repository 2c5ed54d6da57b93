#include "config/transport_kind.h"

#include "base/text.h"

extern const struct transport transport_direct, transport_tailnet, transport_userspace;

static const struct {
    const char *name;
    char letter;
    const struct transport *calls;
} rows[TRANSPORT_KINDS] = {
    [TRANSPORT_DIRECT] = {"direct", 'd', &transport_direct},
    [TRANSPORT_TAILNET] = {"tailnet", 't', &transport_tailnet},
    [TRANSPORT_TAILNET_USERSPACE] = {"tailnet-userspace", 'u', &transport_userspace},
};

const char *transport_name(enum transport_kind kind)
{
    return rows[kind].name;
}

int transport_from(const char *name, enum transport_kind *out)
{
    for (int i = 0; i < TRANSPORT_KINDS; i++)
        if (text_is(rows[i].name, name)) {
            *out = (enum transport_kind)i;
            return 0;
        }
    return -1;
}

const char *const *transport_words(void)
{
    static const char *words[TRANSPORT_KINDS + 2];
    for (int i = 0; i < TRANSPORT_KINDS; i++)
        words[i] = rows[i].name;
    words[TRANSPORT_KINDS] = "auto";
    return words;
}

char transport_letter(enum transport_kind kind)
{
    return rows[kind].letter;
}

const struct transport *transport_calls(enum transport_kind kind)
{
    return rows[kind].calls;
}
