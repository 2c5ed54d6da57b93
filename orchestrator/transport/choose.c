#include "transport/choose.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "tailnet/look_told.h"
#include "tailnet/ready.h"
#include "transport/transport.h"

/* What a connection has behind a wait for the daemon. */
#define CONTACT_BOUND (5 * NS_PER_S)

struct choice {
    bool found, renderable;
    enum transport_kind kind, rendered;
    struct json *list;
    struct text lacks;
};

static const char *device_address(const struct transport_question *question)
{
    return question->machine ? machine_address(question->machine, TRANSPORT_TAILNET) : NULL;
}

/* A daemon of another tailnet answers as well as the right one. What the project says of the control server
 * counts only where the host is not among the peers: a server may have two names. malloc'ed, NULL: right. */
static char *elsewhere(const struct tailnet_look *look, const struct transport_question *question)
{
    const char *wanted = question->target->control_server;
    const char *address = device_address(question);
    if (!wanted || !look->control_url || look->daemon != TAILNET_DAEMON_ANSWERS ||
        tailnet_look_same_server(wanted, look->control_url) ||
        (address && tailnet_status_peer(&look->status, address)))
        return NULL;
    return xasprintf("tailscaled at %s belongs to the control server %s, and %s is wanted; name the right "
                     "daemon's socket (operator.socket), or have one of triphase's own there with %s",
                     look->tun.daemon_socket, ready_server_shown(look->control_url),
                     ready_server_shown(wanted),
                     look->own ? "'triphase up' and that operator.login_server" : "'triphase up --own'");
}

static void weigh(const struct transport_question *question, const char *name,
                  const struct tailnet_look *look, struct choice *choice)
{
    enum transport_kind kind = TRANSPORT_DIRECT;
    bool known = transport_from(name, &kind) == 0;
    const struct transport *calls = transport_calls(kind);
    AUTO_FREE char *lack = !known        ? xstrdup("there is no transport of that name")
                           : calls->lack ? calls->lack(look, true)
                                         : NULL;
    if (!lack && calls->of_tailnet)
        lack = elsewhere(look, question);
    AUTO_FREE char *never = known && lack && calls->lack ? calls->lack(look, false) : NULL;
    AUTO_FREE char *why = lack ? xstrdup(lack) : calls->why(look);
    struct json *entry = json_new_object();
    json_set_string(entry, "name", name);
    json_set_bool(entry, "usable", !lack);
    json_set_string(entry, "why", why);
    json_append(choice->list, entry);
    if (lack)
        text_addf(&choice->lacks, "%s%s: %s", choice->lacks.length ? "; " : "", name, lack);
    else if (!choice->found)
        choice->kind = kind, choice->found = true;
    if (known && !never && !choice->renderable)
        choice->rendered = kind, choice->renderable = true;
}

static bool asks_a_tailnet(const struct words *names)
{
    bool any = false;
    for (size_t i = 0; i < names->count; i++) {
        enum transport_kind kind = TRANSPORT_DIRECT;
        any |= transport_from(names->items[i], &kind) == 0 && transport_calls(kind)->of_tailnet;
    }
    return any;
}

static void add_look(struct json *evidence, const struct tailnet_look *look,
                     const struct transport_question *question)
{
    json_set(evidence, "tun", tun_json(&look->tun));
    json_set(evidence, "looked", look_told(look, device_address(question), question->target->control_server));
}

static void weigh_all(const struct transport_question *question, const struct tailnet_look *look,
                      struct choice *choice)
{
    json_free(choice->list);
    text_clear(&choice->lacks);
    *choice = (struct choice){.list = json_new_array()};
    for (size_t i = 0; i < question->names->count; i++)
        weigh(question, question->names->items[i], look, choice);
}

bool transport_is_starting(enum transport_kind kind, const struct tailnet_look *look)
{
    return transport_calls(kind)->of_tailnet && tailnet_look_is_starting(look);
}

static bool lost_its_daemon(const struct transport_question *question, const struct tailnet_look *look)
{
    enum transport_kind kind;
    return question->carried && words_have(question->names, question->carried) &&
           transport_from(question->carried, &kind) == 0 && transport_calls(kind)->of_tailnet &&
           tailnet_look_is_away(look);
}

/* False: there is nothing to wait for. */
static bool await_daemon(const struct transport_question *question, const struct choice *choice,
                         struct tailnet_look *look)
{
    if (!question->contact ||
        !(choice->found ? transport_is_starting(choice->kind, look) : lost_its_daemon(question, look)))
        return false;
    int64_t left = deadline_left(*question->contact),
            count = choice->found ? (int64_t)question->names->count : 1;
    int64_t share = count > 1 ? left / count : left > 2 * CONTACT_BOUND ? left - CONTACT_BOUND : left / 2;
    if (question->waits)
        question->waits(look);
    tailnet_look_await(question->target->tailscale_socket, deadline_in(share), look);
    return true;
}

int transport_choose(const struct transport_question *question, enum transport_kind *out,
                     struct json **evidence, struct error *err)
{
    AUTO_TAILNET_LOOK own = {.taken = false};
    struct tailnet_look *look = question->look ? question->look : &own;
    struct choice choice = {.found = false};
    bool needed = asks_a_tailnet(question->names);
    if (needed && !look->taken)
        tailnet_look_take(question->target->tailscale_socket, deadline_in(TAILNET_LOOK_S * NS_PER_S), look);
    weigh_all(question, look, &choice);
    if (await_daemon(question, &choice, look))
        weigh_all(question, look, &choice);
    bool any = choice.found || (!question->for_contact && choice.renderable);
    if (any && !choice.found)
        choice.kind = choice.rendered;
    if (evidence) {
        struct json *object = json_new_object();
        json_set_string(object, "chosen", any ? transport_name(choice.kind) : NULL);
        json_set(object, "transports", TAKE(choice.list));
        if (needed)
            add_look(object, look, question);
        *evidence = object;
    }
    json_free(choice.list);
    int status =
        any ? 0
            : error_set(err, ERROR_MISSING, "target %s: no transport can be used: %s", question->target->name,
                        choice.lacks.length ? text_string(&choice.lacks) : "none is named");
    text_clear(&choice.lacks);
    if (any)
        *out = choice.kind;
    return status;
}

int transport_choose_for(const struct target *target, const struct machine *machine,
                         const struct deadline *contact, enum transport_kind *out, struct error *err)
{
    const struct transport_question question = {.names = &target->transports,
                                                .target = target,
                                                .machine = machine,
                                                .for_contact = true,
                                                .contact = contact};
    return transport_choose(&question, out, NULL, err);
}
