#include "stage/joining.h"

#include "base/memory.h"
#include "base/moment.h"
#include "config/layout.h"
#include "format/json_words.h"
#include "stage/tailnet_host.h"

/* ------------------------------------------------------------ begin and end */

void joining_begin(struct joining *joining, const struct project *project, const struct host *host,
                   struct machine *machine, const struct json *request, struct json *result)
{
    const struct target *target = host->target;
    const struct tailnet_login *login = &target->tailnet;
    struct json *wanted = json_new_object();
    *joining = (struct joining){
        .project = project, .host = host, .target = target, .machine = machine, .request = request};
    joining->question = (struct tailnet_question){.target = target,
                                                  .directory = project->directory,
                                                  .socket = target->tailscale_socket,
                                                  .login_server = login->login_server};
    joining->deadline = deadline_in(json_get_integer(request, "bound_ns", 120 * NS_PER_S));
    joining->label = tailnet_sight_label(login->hostname ? login->hostname : target->host_name);
    joining->evidence = json_new_object();
    json_set_string(wanted, "name", joining->label);
    json_set(wanted, "tags", json_words_array(&login->tags));
    json_set(joining->evidence, "wanted", wanted);
    json_set(result, "evidence", json_keep(joining->evidence));
}

int joining_end(struct joining *joining, int status, struct json *result)
{
    if (status < 0 && joining->cause)
        json_set_string(result, "cause", joining->cause);
    json_free(joining->evidence);
    free(joining->label);
    return status;
}

int joining_fail(struct joining *joining, enum error_kind kind, const char *cause, struct error *err,
                 const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *message = xvasprintf(format, args);
    va_end(args);
    joining->cause = cause;
    return error_set(err, kind, "target %s: %s", joining->target->name, message);
}

int joining_fail_twice(struct joining *joining, const char *other, const char *address, struct error *err)
{
    return joining_fail(
        joining, ERROR_PROVIDER, "tailnet-twice", err,
        "a second device of its name is in the tailnet: %s, beside its own at %s; remove the one that is "
        "not meant",
        other, address);
}

/* ------------------------------------------------------------ whom to ask */

static void put_sight(struct joining *joining, const struct tailnet_sight *sight)
{
    struct json *list = json_new_array();
    for (size_t i = 0; i < sight->count; i++)
        if (tailnet_sight_is_namesake(&sight->devices[i], joining->label))
            json_append(list, tailnet_sight_json(&sight->devices[i]));
    json_set_string(joining->evidence, "asked", sight->source);
    json_set_string(joining->evidence, "why", sight->why);
    json_set_integer(joining->evidence, "devices", (int64_t)sight->count);
    json_set(joining->evidence, "of_that_name", list);
}

int joining_look_around(struct joining *joining, struct tailnet_sight *out, struct error *err)
{
    if (tailnet_sight_take(&joining->question, true, joining->deadline, out, err) < 0) {
        joining->cause = "tailnet-api";
        return error_prefix(err, "target %s", joining->target->name);
    }
    put_sight(joining, out);
    return 0;
}

int joining_ask_host(struct joining *joining, struct tailnet_status *status, bool *there, struct error *err)
{
    const char *run = json_get_string(joining->request, "run", "");
    AUTO_FREE char *sockets = layout_sockets(run, TRANSPORT_DIRECT);
    const struct tailnet_host host = {*joining->host, TRANSPORT_DIRECT, sockets};
    const char *cause = NULL;
    if (tailnet_host_ask(&host, joining->deadline, status, there, &cause, err) < 0) {
        joining->cause = cause;
        return -1;
    }
    struct json *said = json_new_object();
    json_set_string(said, "state", *there ? status->state : "absent");
    if (*there) {
        json_set_string(said, "name", status->self.dns_name);
        json_set(said, "addresses", json_words_array(&status->addresses));
        json_set(said, "tags", json_words_array(&status->self.tags));
    }
    json_set(joining->evidence, "host", said);
    return 0;
}
