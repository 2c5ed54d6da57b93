#include "run/context.h"

#include "ansible/launcher.h"
#include "base/embedded.h"
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/layout.h"
#include "config/marks.h"
#include "process/child.h"
#include "provider/made.h"
#include "provider/provider.h"
#include "run/async_directory.h"
#include "transport/route.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The callback plugin as it is built into this program, so that a project cannot bring
 * another one by accident. */
static int lay_down_callback(const char *folder, struct error *err)
{
    const struct embedded_file *file = embedded_find("callback/triphase_events.py");
    if (!file)
        return error_set(err, ERROR_SYSTEM,
                         "this program was built without its callback plugin; build it again");
    AUTO_FREE char *path = file_join(folder, "triphase_events.py");
    return file_make_dirs(folder, 0700, err) < 0 ? -1
                                                 : file_replace(path, file->bytes, file->size, 0600, err);
}

int run_context_enter(struct run_context *context, const struct runner_request *request, const char *folder,
                      struct error *err)
{
    *context = (struct run_context){.request = request, .run_scope = {.fd = -1}, .health_fd = -1};
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        return error_system(err, errno, "cannot find this program's own path");
    self[length] = '\0';
    context->callback_folder = file_join(folder, "callback");
    context->launcher_folder = file_join(folder, "launcher");
    AUTO_FREE char *payloads = layout_payloads(request->state);
    if (lay_down_callback(context->callback_folder, err) < 0 ||
        launcher_share(payloads, context->launcher_folder, err) < 0 ||
        marks_open_run(request->run_id, &context->run_scope, err) < 0 ||
        (request->arguments && ansible_arguments_check(request->arguments, &context->arguments, err) < 0)) {
        run_context_clear(context);
        return -1;
    }
    struct utsname names;
    context->self = xstrdup(self);
    context->folder = xstrdup(folder);
    context->shown = xasprintf("runs/%s", request->run_id);
    context->boot_id = process_boot_id();
    context->node = xstrdup(uname(&names) == 0 ? names.nodename : "unknown");
    context->fact_cache = file_join(folder, "facts");
    if (request->target)
        context->ends_ns = moment_wall() + request->target->deadline_ns;
    if (request->machine)
        context->machine = machine_copy(request->machine);
    if (context->machine)
        context->key.id = xstrdup_or_null(json_get_string(context->machine->tailnet, "key", NULL));
    return 0;
}

void run_context_leave(struct run_context *context)
{
    warm_dismiss(&context->spare);
    zygote_dismiss(&context->zygote);
    if (context->async_seen)
        async_directory_tidy(context->request->root_run, context->control_path);
    for (int kind = 0; kind < TRANSPORT_KINDS; kind++) {
        AUTO_FREE char *sockets = layout_sockets(context->request->run_id, (enum transport_kind)kind);
        transport_close_masters(sockets, NULL);
    }
    file_remove_tree(context->callback_folder, NULL);
    file_remove_tree(context->launcher_folder, NULL);
    file_remove_tree(context->fact_cache, NULL);
}

bool run_context_note_key(struct run_context *context)
{
    struct json *device = context->machine ? context->machine->tailnet : NULL;
    if (!device || text_is(context->key.id, json_get_string(device, "key", NULL)))
        return false;
    json_set_string(device, "key", context->key.id);
    return true;
}

bool run_context_expires(struct run_context *context)
{
    struct machine *machine = context->machine;
    const struct target *target = context->request->target;
    if (!machine || !machine->made_ns || machine->removed_ns || !target)
        return false;
    int64_t expires = machine_expiry(machine, target->ttl_ns, 0);
    if (!expires || machine->expires_ns <= expires)
        return false;
    machine->expires_ns = expires;
    return true;
}

void run_context_clear(struct run_context *context)
{
    join_key_clear(&context->key);
    way_order_clear(&context->order);
    scope_remove(&context->run_scope, NULL);
    scope_close(&context->run_scope);
    machine_free(context->machine);
    json_free(context->expect);
    json_free(context->recovery);
    ansible_arguments_clear(&context->arguments);
    char *const texts[] = {context->self,
                           context->folder,
                           context->shown,
                           context->boot_id,
                           context->node,
                           context->transport,
                           context->evidence,
                           context->control_path,
                           context->callback_folder,
                           context->launcher_folder,
                           context->fact_cache,
                           context->inventory};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        free(texts[i]);
    *context = (struct run_context){.run_scope = {.fd = -1}, .health_fd = -1};
}

int run_context_announce(struct run_context *context, struct error *err)
{
    const struct runner_request *request = context->request;
    const struct provider *provider = provider_named(request->target->provider);
    if (!provider)
        return error_set(err, ERROR_PROJECT, "there is no provider '%s' in this version",
                         request->target->provider);
    AUTO_MACHINE *machine = machine_new();
    machine->id = xmalloc(ID_SIZE);
    id_make(machine->id);
    machine->project = xstrdup(request->project_name);
    machine->target = xstrdup(request->target_name);
    machine->provider = xstrdup(request->target->provider);
    machine->directory = layout_machine(request->state, machine->id);
    AUTO_FREE char *state = file_join(machine->directory, "state");
    machine->expires_ns = machine_expiry(machine, request->target->ttl_ns, context->ends_ns);
    if (file_make_dirs(state, 0700, err) < 0 || provider->plan(request->target, machine, err) < 0)
        return -1;
    made_note(request->project, request->target, machine);
    context->machine = TAKE(machine);
    return 0;
}

bool run_context_has_transport(const struct run_context *context, const struct phase *phase)
{
    return context->transport &&
           words_have(project_transports(context->request->target, phase), context->transport);
}

void run_context_took_transport(struct run_context *context, const char *transport, const char *control_path,
                                const struct json *evidence)
{
    run_context_forget(context);
    context->transport = xstrdup(transport);
    context->control_path = xstrdup_or_null(control_path);
    context->evidence = evidence ? json_compact(evidence) : NULL;
    context->sudo_needs_tty = json_get_bool(evidence, "sudo_needs_tty");
}

void run_context_forget(struct run_context *context)
{
    free(TAKE(context->transport));
    free(TAKE(context->evidence));
    free(TAKE(context->control_path));
    free(TAKE(context->inventory));
    file_remove_tree(context->fact_cache, NULL);
}
