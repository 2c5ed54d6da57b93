#include "ansible/forced_variables.h"

#include "ansible/secrets.h"
#include "base/memory.h"
#include "base/text.h"
#include "format/yaml.h"

#include <string.h>

static void add_text(struct yaml_writer *writer, const char *name, const char *value)
{
    yaml_string(writer, name);
    if (value)
        yaml_unsafe(writer, value);
    else
        yaml_null(writer);
}

/* [{host, handler}, …] of a JSON text; anything else is an empty list. */
static void add_pending(struct yaml_writer *writer, const char *text)
{
    AUTO_JSON *list = text ? json_parse(text, strlen(text), NULL) : NULL;
    yaml_string(writer, "triphase_pending_handlers");
    yaml_list_begin(writer);
    for (size_t i = 0; i < json_count(list) && json_is_array(list); i++) {
        yaml_map_begin(writer);
        add_text(writer, "host", json_get_string(json_at(list, i), "host", ""));
        add_text(writer, "handler", json_get_string(json_at(list, i), "handler", ""));
        yaml_map_end(writer);
    }
    yaml_list_end(writer);
}

/* Where the programs stand that the phase requires: {name: path}. */
static void add_programs(struct yaml_writer *writer, const struct ansible_request *request)
{
    yaml_string(writer, "triphase_programs");
    yaml_map_begin(writer);
    for (size_t i = 0; i < request->phase->require_count; i++) {
        const struct requirement *requirement = &request->phase->requires[i];
        AUTO_FREE char *path =
            requirement->program ? ansible_find_required(request->project, requirement) : NULL;
        if (path)
            add_text(writer, requirement->program, path);
    }
    yaml_map_end(writer);
}

static void add_reference(struct yaml_writer *writer, const char *name)
{
    AUTO_FREE char *reference = xasprintf("{{ triphase_secrets['%s'] }}", name);
    yaml_string(writer, name);
    yaml_string(writer, reference);
}

/* How the target joins; how it is taken out again goes by the same. */
static void add_tailnet(struct yaml_writer *writer, const struct ansible_request *request)
{
    const struct target *target = request->target;
    if (!target->joins_tailnet)
        return;
    add_text(writer, "triphase_tailnet_hostname",
             target->tailnet.hostname ? target->tailnet.hostname : target->host_name);
    yaml_string(writer, "triphase_tailnet_tags");
    yaml_list_begin(writer);
    for (size_t i = 0; i < target->tailnet.tags.count; i++)
        yaml_unsafe(writer, target->tailnet.tags.items[i]);
    yaml_list_end(writer);
    if (target->tailnet.login_server)
        add_text(writer, "triphase_tailnet_login_server", target->tailnet.login_server);
    if (request->auth_key)
        add_reference(writer, SECRETS_AUTH_KEY);
}

/* What no variable of a playbook or inventory may override, and what every phase finds. */
char *forced_variables(const struct ansible_request *request, struct error *err)
{
    struct yaml_writer *writer = yaml_writer_new();
    yaml_map_begin(writer);
    add_text(writer, "triphase_run", request->run);
    yaml_string(writer, "triphase_step");
    yaml_integer(writer, request->seq);
    add_text(writer, "triphase_phase", request->phase->name);
    yaml_string(writer, "triphase_attempt");
    yaml_integer(writer, request->attempt);
    add_text(writer, "triphase_target", request->target->name);
    add_text(writer, "triphase_host", request->target->host_name);
    add_text(writer, "triphase_transport", transport_name(request->transport));
    add_text(writer, "triphase_address", machine_address(request->machine, request->transport));
    add_text(writer, "triphase_state_dir", request->target_state);
    add_text(writer, "triphase_machine_dir", request->machine_state);
    add_pending(writer, request->pending_handlers);
    add_programs(writer, request);
    /* By reference: a file of a run holds no secret. */
    for (size_t i = 0; i < request->target->secret_count; i++)
        add_reference(writer, request->target->secrets[i].name);
    add_tailnet(writer, request);
    yaml_string(writer, "ansible_ssh_retries");
    yaml_integer(writer, 0);
    yaml_map_end(writer);
    char *yaml = yaml_writer_finish(writer, err);
    yaml_writer_free(writer);
    return yaml;
}
