#include "transport/route.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/number.h"
#include "base/text.h"
#include "process/program.h"
#include "tailnet/tun.h"
#include "transport/transport.h"

#include <stdint.h>
#include <string.h>

static const int64_t resolve_bound =
    10 * NS_PER_S; /* a Match exec of the user's ssh configuration may run in it */

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
    tun_free(&tun);
    if (!found)
        return error_set(err, ERROR_MISSING, "target %s: no transport can be used: %s", target->name,
                         lacks.length ? text_string(&lacks) : "none is named");
    *out = chosen;
    return 0;
}

/* "name value" lines of `ssh -G`: the value, malloc'ed; NULL when absent, empty or none. */
static char *value_of(const char *lines, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = lines; *line;) {
        size_t end = strcspn(line, "\n");
        if (end > length && !strncmp(line, name, length) && line[length] == ' ') {
            AUTO_FREE char *value = xstrndup(line + length + 1, end - length - 1);
            return *value && !text_is(value, "none") ? TAKE(value) : NULL;
        }
        line += end + (line[end] == '\n');
    }
    return NULL;
}

int transport_resolve(const struct ssh_arguments *ssh, struct transport_route *out, struct error *err)
{
    AUTO_WORDS argv = WORDS_INIT;
    words_add_all(&argv, "ssh", "-G", NULL);
    words_add_list(&argv, words_argv(&ssh->options));
    words_add_all(&argv, "--", ssh->host, NULL);
    AUTO_TEXT answer = TEXT_INIT, said = TEXT_INIT;
    struct child_end end = {0};
    struct program program = {.argv = words_argv(&argv), .bound_ns = resolve_bound};
    if (program_run(&program, &answer, &said, &end, err) < 0)
        return error_prefix(err, "asking ssh how it would reach %s", ssh->host);
    if (end.code != 0) {
        AUTO_TEXT shown = TEXT_INIT;
        text_add_printable(&shown, text_string(&said), said.length);
        return error_set(err, ERROR_PROJECT, "ssh does not accept how %s is to be reached: %s", ssh->host,
                         text_string(&shown));
    }
    AUTO_FREE char *port = value_of(text_string(&answer), "port");
    AUTO_FREE char *jump = value_of(text_string(&answer), "proxyjump");
    *out = (struct transport_route){
        .hostname = value_of(text_string(&answer), "hostname"),
        .user = value_of(text_string(&answer), "user"),
        .control_path = value_of(text_string(&answer), "controlpath"),
        .host_key_alias = value_of(text_string(&answer), "hostkeyalias"),
        .proxy = jump ? TAKE(jump) : value_of(text_string(&answer), "proxycommand"),
        .port = 22,
    };
    (void)number_parse_int(port, 1, UINT16_MAX, &out->port, NULL);
    return 0;
}

void transport_route_free(struct transport_route *route)
{
    free(route->hostname);
    free(route->user);
    free(route->control_path);
    free(route->host_key_alias);
    free(route->proxy);
    *route = (struct transport_route){0};
}
