#include "transport/choose.h"
#include "base/memory.h"
#include "base/text.h"
#include "tailnet/tun.h"
#include "transport/transport.h"

int transport_choose(const struct words *names, const struct target *target, bool for_contact,
                     enum transport_kind *out, struct json **evidence, struct error *err)
{
    struct tun_evidence tun = {0};
    bool looked = false, found = false;
    enum transport_kind chosen = TRANSPORT_DIRECT;
    AUTO_JSON *list = json_new_array();
    AUTO_TEXT lacks = TEXT_INIT;
    for (size_t i = 0; i < names->count; i++) {
        enum transport_kind kind = TRANSPORT_DIRECT;
        bool known = transport_from(names->items[i], &kind) == 0;
        const struct transport *calls = transport_calls(kind);
        struct json *entry = json_new_object();
        json_set_string(entry, "name", names->items[i]);
        if (calls->of_tailnet && !looked)
            tun_look(target->tailscale_socket, &tun);
        looked = looked || calls->of_tailnet;
        AUTO_FREE char *lack = !known        ? xstrdup("there is no transport of that name")
                               : calls->lack ? calls->lack(&tun, for_contact)
                                             : NULL;
        AUTO_FREE char *why = lack ? xstrdup(lack) : calls->why(&tun);
        json_set_bool(entry, "usable", !lack);
        json_set_string(entry, "why", why);
        json_append(list, entry);
        if (lack)
            text_addf(&lacks, "%s%s: %s", lacks.length ? "; " : "", names->items[i], lack);
        else if (!found)
            chosen = kind, found = true;
    }
    if (evidence) {
        struct json *object = json_new_object();
        json_set_string(object, "chosen", found ? transport_name(chosen) : NULL);
        json_set(object, "transports", TAKE(list));
        if (looked)
            json_set(object, "tun", tun_json(&tun));
        *evidence = object;
    }
    tun_clear(&tun);
    if (!found)
        return error_set(err, ERROR_MISSING, "target %s: no transport can be used: %s", target->name,
                         lacks.length ? text_string(&lacks) : "none is named");
    *out = chosen;
    return 0;
}
