#include "provider/hetzner_account.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/provider_facts.h"
#include "event/step_log.h"
#include "format/json_words.h"

int hetzner_account_check(const struct target *target, const char *directory, struct error *err)
{
    AUTO_ERROR why = ERROR_INIT;
    if (secret_check(&target->cloud.token, directory, &why) == 0)
        return 0;
    return error_set(err, ERROR_PROJECT,
                     "target %s has no token for its cloud: %s (make one that may read and write in the "
                     "cloud's console, and give it as 'token' or in HCLOUD_TOKEN)",
                     target->name, error_text(&why));
}

/* In the words of triphase.yml: {"env": NAME}. */
static struct json *source_of(const struct secret *secret)
{
    struct json *source = json_new_object();
    switch (secret->kind) {
    case SECRET_ENV:
    case SECRET_FILE:
        json_set_string(source, secret->kind == SECRET_ENV ? "env" : "file", secret->where);
        break;
    case SECRET_COMMAND:
        json_set(source, "command", json_words_array(&secret->command));
        break;
    case SECRET_FD: /* of this call alone */
    case SECRET_NONE:
        break;
    }
    return source;
}

static void take_source(const struct json *source, struct secret *out)
{
    const char *variable = json_get_string(source, "env", NULL),
               *file = json_get_string(source, "file", NULL);
    if (variable || file) {
        out->kind = variable ? SECRET_ENV : SECRET_FILE;
        out->where = xstrdup(variable ? variable : file);
    }
    json_words_add(json_get(source, "command"), &out->command);
    if (out->command.count)
        out->kind = SECRET_COMMAND;
}

void hetzner_account_note(const struct target *target, struct machine *machine)
{
    json_set_string(machine->resources, "endpoint", target->cloud.endpoint);
    json_set(machine->resources, "token", source_of(&target->cloud.token));
}

void hetzner_account_noted(const struct machine *machine, struct cloud_settings *out)
{
    out->endpoint = xstrdup_or_null(json_get_string(machine->resources, "endpoint", NULL));
    take_source(json_get(machine->resources, "token"), &out->token);
}

static void say(void *context, const char *line)
{
    (void)context;
    step_log_say("%s", line);
}

int hetzner_account_open(const struct target *target, const struct machine *machine, int64_t bound_ns,
                         struct cloud_api **out, struct error *err)
{
    struct cloud_settings noted = {.token = {.fd = -1}};
    const struct cloud_settings *settings = &noted;
    AUTO_FREE char *directory = machine_project(machine);
    if (target && provider_facts(target->provider)->cloud) {
        settings = &target->cloud;
    } else {
        hetzner_account_noted(machine, &noted);
    }
    int opened = settings->endpoint
                     ? cloud_api_open(settings, directory, deadline_in(bound_ns), out, err)
                     : error_set(err, ERROR_PROVIDER,
                                 "nothing says at which cloud the machine of target %s is", machine->target);
    if (opened == 0)
        cloud_api_tell(*out, say, NULL);
    cloud_settings_clear(&noted);
    return opened;
}

void hetzner_account_close(struct cloud_api **api)
{
    cloud_api_close(api);
}
