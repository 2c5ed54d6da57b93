#include "run/contact.h"

#include "base/memory.h"
#include "base/text.h"
#include "run/recovery_rows.h"

void contact_verified(struct contact *contact, struct sink *sink, const char *run, int step,
                      const struct phase *phase, const struct json *result)
{
    const char *boot = json_get_string(result, "boot", NULL);
    /* A phase that reboots its host has left the list of items when its successor finds the new boot. */
    if (contact->reboots_before)
        phase = contact->reboots_before;
    if (boot && contact->boot && !text_is(boot, contact->boot))
        recovery_rows_write_reboot(sink, run, step, phase, contact->boot, boot);
    contact->reboots_before = NULL;
    contact->drop_masters = contact->starting = false;
    free(contact->session);
    contact->session = xstrdup_or_null(json_get_string(result, "session", NULL));
    contact->host_ticks = json_get_integer(result, "host_ticks", 0);
    contact->verified_ns = json_get_integer(result, "at_ns", 0);
    if (boot) {
        free(contact->boot);
        contact->boot = xstrdup(boot);
    }
}

void contact_disturbed(struct contact *contact, const struct phase *phase)
{
    contact->drop_masters = true;
    contact->reboots_before = phase;
}

void contact_rebooted(struct contact *contact)
{
    contact->drop_masters = contact->starting = true;
    free(TAKE(contact->session));
    free(TAKE(contact->boot));
}

void contact_ask(const struct contact *contact, const char *stage, struct json *request)
{
    json_set_integer(request, "knocked_ns", contact->knocked_ns);
    if (!text_is(stage, "transport"))
        return;
    json_set_bool(request, "drop_masters", contact->drop_masters);
    json_set_bool(request, "starting", contact->starting);
}

struct recovery_link contact_link(const struct contact *contact)
{
    return (struct recovery_link){contact->session, contact->boot, contact->host_ticks, contact->verified_ns};
}

void contact_clear(struct contact *contact)
{
    free(TAKE(contact->session));
    free(TAKE(contact->boot));
}
