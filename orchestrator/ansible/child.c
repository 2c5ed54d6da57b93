#include "ansible/child.h"
#include "ansible/environment.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/layout.h"
#include "format/yaml.h"
#include "redact/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PENDING_IN_ENVIRONMENT = 16384
}; /* more goes through a file: one string of an environment holds 128 KiB */

/* ------------------------------------------------------------ files and descriptors */

/* A sealed file of this process's memory, mode 0600 (an executable one Ansible would run); gone with the
 * last process that holds it. */
static int close_for_good(int fd)
{
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}

static int seal(const char *name, const char *bytes, size_t length, struct error *err)
{
    AUTO_CLOSE int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || fchmod(fd, 0600) < 0 || file_write_all(fd, bytes, length) < 0 || close_for_good(fd) < 0)
        return error_system(err, errno, "cannot keep a secret in memory");
    return TAKE_FD(fd);
}

static void keep(struct ansible_child *child, int fd)
{
    size_t count = 0;
    while (child->keep && child->keep[count] >= 0)
        count++;
    child->keep = xreallocarray(child->keep, count + 2, sizeof(int));
    child->keep[count] = fd;
    child->keep[count + 1] = -1;
}

/* What is read is known from then on: `known`, -1 for nowhere. */
static int read_named(const struct project *project, const struct target *target, const struct secret *secret,
                      const char *what, int known, char **value, size_t *length, struct error *err)
{
    AUTO_FREE char *kind =
        xasprintf("%s%s%s", what, secret->name ? " " : "", secret->name ? secret->name : "");
    if (secret_read(secret, project->directory, value, length, err) < 0)
        return error_prefix(err, "target %s, %s", target->name, kind);
    AUTO_FREE char *beside = xasprintf(REDACT_BESIDE "%s", secret->name ? secret->name : "password");
    if (known >= 0 && redact_sealed_put(known, project_has_name(project, *value) ? beside : kind, *value,
                                        *length, err) < 0) {
        free_secret(*value, *length);
        return -1;
    }
    return 0;
}

static void forget(char **value, size_t length)
{
    free_secret(*value, length);
    *value = NULL;
}

/* One secret by itself, under /proc/self/fd. */
static int keep_secret(const struct project *project, const struct target *target,
                       const struct secret *secret, const char *what, int known, struct ansible_child *out,
                       struct error *err)
{
    char *value = NULL;
    size_t length = 0;
    if (read_named(project, target, secret, what, known, &value, &length, err) < 0)
        return -1;
    int fd = seal("triphase-secret", value, length, err);
    forget(&value, length);
    if (fd >= 0)
        keep(out, fd);
    return fd;
}

static int add_vault_passwords(const struct project *project, const struct target *target, int known,
                               struct ansible_child *out, struct error *err)
{
    for (size_t i = 0; i < target->vault_password_count; i++) {
        int fd = keep_secret(project, target, &target->vault_passwords[i], "vault password", known, out, err);
        if (fd < 0)
            return -1;
        words_add(&out->argv, "--vault-id");
        words_addf(&out->argv, "%s@/proc/self/fd/%d",
                   target->vault_passwords[i].name ? target->vault_passwords[i].name : "default", fd);
    }
    return 0;
}

int ansible_add_vault_passwords(const struct project *project, const struct target *target,
                                struct ansible_child *out, struct error *err)
{
    return add_vault_passwords(project, target, -1, out, err);
}

int ansible_share_vault_passwords(const struct ansible_child *from, struct ansible_child *out,
                                  struct error *err)
{
    for (size_t i = 0; 2 * i + 1 < from->argv.count; i++) {
        const char *named = from->argv.items[2 * i + 1];
        int fd = fcntl(from->keep[i], F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
            return error_system(err, errno, "cannot hand a vault password on");
        keep(out, fd);
        words_add(&out->argv, from->argv.items[2 * i]);
        words_addf(&out->argv, "%.*s@/proc/self/fd/%d", (int)(strrchr(named, '@') - named), named, fd);
    }
    return 0;
}

static int write_file(const struct ansible_request *request, const char *suffix, const char *bytes,
                      mode_t mode, struct ansible_child *out, const char **path, struct error *err)
{
    AUTO_FREE char *name = layout_step_file(request->seq, request->phase->name, request->attempt, suffix);
    AUTO_FREE char *full = file_join(request->run_directory, name);
    if (file_replace(full, bytes, strlen(bytes), mode, err) < 0)
        return -1;
    words_own(&out->files, TAKE(full));
    *path = out->files.items[out->files.count - 1];
    return 0;
}

static bool is_variable(const char *name)
{
    if (!name || !((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') || *name == '_'))
        return false;
    for (const char *c = name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '_'))
            return false;
    return true;
}

/* {"__ansible_unsafe": VALUE} under the name: Ansible's own JSON for text that is never templated. */
static int add_secret(const struct ansible_request *request, const struct secret *secret, const char *what,
                      const char *name, int known, struct json *object, struct error *err)
{
    char *value = NULL;
    size_t length = 0;
    if (read_named(request->project, request->target, secret, what, known, &value, &length, err) < 0)
        return -1;
    int result = 0;
    if (strlen(value) != length || !text_is_utf8(value, length)) {
        result = error_set(err, ERROR_PROJECT,
                           "target %s, %s %s: a variable holds text only; encode it (base64, say)",
                           request->target->name, what, name);
    } else {
        struct json *unsafe = json_new_object();
        json_set_string(unsafe, "__ansible_unsafe", value);
        json_set(object, name, unsafe);
    }
    forget(&value, length);
    return result;
}

/* An inventory that Ansible asks for: `triphase_secrets` for every host, and for the target's host alone
 * its become password (a variable for all would be offered to whatever host a task is delegated to). */
static struct json *secret_inventory(const struct ansible_request *request, int known, struct error *err)
{
    const struct target *target = request->target;
    AUTO_JSON *secrets = json_new_object();
    AUTO_JSON *own = json_new_object();
    for (size_t i = 0; i < target->secret_count; i++) {
        if (!is_variable(target->secrets[i].name)) {
            error_set(err, ERROR_PROJECT,
                      "target %s: secret %s is no name of a variable (letters, digits and _)", target->name,
                      target->secrets[i].name);
            return NULL;
        }
        if (add_secret(request, &target->secrets[i], "secret", target->secrets[i].name, known, secrets, err) <
            0)
            return NULL;
    }
    if (target->become_password.kind != SECRET_NONE &&
        add_secret(request, &target->become_password, "become password", "ansible_become_password", known,
                   own, err) < 0)
        return NULL;
    struct json *root = json_new_object(), *meta = json_new_object(), *hosts = json_new_object(),
                *all = json_new_object(), *vars = json_new_object();
    /* Its variables count only where it names the host too. */
    struct json *names = json_new_array();
    json_append(names, json_new_string(target->host_name));
    json_set(all, "hosts", names);
    json_set(hosts, target->host_name, TAKE(own));
    json_set(meta, "hostvars", hosts);
    json_set(vars, "triphase_secrets", TAKE(secrets));
    json_set(all, "vars", vars);
    json_set(root, "_meta", meta);
    json_set(root, "all", all);
    return root;
}

/* Secrets that become variables. Ansible follows the links of `-e @FILE` to their end, where a file of
 * memory has no name; so a program that holds no secret itself hands the sealed descriptor's content to
 * the Ansible that asks it. */
static int keep_variables(const struct ansible_request *request, struct ansible_child *out, struct error *err)
{
    AUTO_JSON *inventory = secret_inventory(request, out->known[0], err);
    if (!inventory)
        return -1;
    char *text = json_compact(inventory);
    int fd = seal("triphase-secrets", text, strlen(text), err);
    free_secret(text, strlen(text));
    if (fd < 0)
        return -1;
    keep(out, fd);
    AUTO_FREE char *script = xasprintf("#!/bin/sh\nexec cat \"/proc/$PPID/fd/%d\"\n", fd);
    const char *path;
    if (write_file(request, "secrets", script, 0700, out, &path, err) < 0)
        return -1;
    words_add_all(&out->argv, "-i", path, NULL);
    return 0;
}

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

/* What no variable of a playbook or inventory may override, and what every phase finds. */
static char *forced_variables(const struct ansible_request *request, struct error *err)
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
    add_text(writer, "triphase_transport", transport_name(request->transport));
    add_text(writer, "triphase_address", request->machine->address);
    add_text(writer, "triphase_state_dir", request->target_state);
    add_text(writer, "triphase_machine_dir", request->machine_state);
    add_pending(writer, request->pending_handlers);
    add_programs(writer, request);
    /* By reference: a file of a run holds no secret. */
    for (size_t i = 0; i < request->target->secret_count; i++) {
        AUTO_FREE char *reference =
            xasprintf("{{ triphase_secrets['%s'] }}", request->target->secrets[i].name);
        yaml_string(writer, request->target->secrets[i].name);
        yaml_string(writer, reference);
    }
    yaml_string(writer, "ansible_ssh_retries");
    yaml_integer(writer, 0);
    yaml_map_end(writer);
    char *yaml = yaml_writer_finish(writer, err);
    yaml_writer_free(writer);
    return yaml;
}

/* ------------------------------------------------------------ argv */

static char *playbook_word(const struct phase *phase)
{
    return xasprintf("%s%s", phase->playbook[0] == '-' ? "./" : "", phase->playbook);
}

static int add_argv(const struct ansible_request *request, struct ansible_child *out, struct error *err)
{
    const struct project *project = request->project;
    const struct target *target = request->target;
    struct words *argv = &out->argv;
    words_add(argv, project->ansible);
    for (size_t i = 0; i < project->inventory.count; i++) {
        words_add(argv, "-i");
        words_own(argv, file_join(project->directory, project->inventory.items[i]));
    }
    words_add_all(argv, "-i", request->inventory, NULL);
    if ((target->secret_count || target->become_password.kind != SECRET_NONE) &&
        keep_variables(request, out, err) < 0)
        return -1;
    const char *path;
    if (request->phase->vars) {
        struct yaml_writer *writer = yaml_writer_new();
        yaml_node(writer, request->phase->vars);
        AUTO_FREE char *yaml = yaml_writer_finish(writer, err);
        yaml_writer_free(writer);
        if (!yaml || write_file(request, "phase.yml", yaml, 0600, out, &path, err) < 0)
            return -1;
        words_add(argv, "-e");
        words_addf(argv, "@%s", path);
    }
    words_add_list(argv, words_argv(&request->phase->args));
    if (request->arguments)
        words_add_list(argv, words_argv(&request->arguments->words));
    if (add_vault_passwords(project, target, out->known[0], out, err) < 0)
        return -1;
    AUTO_FREE char *forced = forced_variables(request, err);
    if (!forced || write_file(request, "vars.yml", forced, 0600, out, &path, err) < 0)
        return -1;
    words_add(argv, "-e");
    words_addf(argv, "@%s", path);
    words_own(argv, playbook_word(request->phase));
    return 0;
}

/* No process of the phase has it, but a playbook may have the same from elsewhere. One that a command or a descriptor gives is not asked for again. */
static int know_passphrase(const struct ansible_request *request, int known, struct error *err)
{
    const struct secret *secret = &request->target->key_passphrase;
    char *value = NULL;
    size_t length = 0;
    if (secret->kind != SECRET_FILE && secret->kind != SECRET_ENV)
        return 0;
    int result =
        read_named(request->project, request->target, secret, "key passphrase", known, &value, &length, err);
    if (result == 0)
        forget(&value, length);
    return result;
}

/* Once all is known. */
static int keep_known(const struct ansible_request *request, struct ansible_child *out, struct error *err)
{
    if (know_passphrase(request, out->known[0], err) < 0)
        return -1;
    if (close_for_good(out->known[0]) < 0)
        return error_system(err, errno, "cannot keep a secret in memory");
    AUTO_FREE char *given = xasprintf("%d", out->known[0]), *vaulted = xasprintf("%d", out->known[1]);
    words_set_env(&out->environment, "TRIPHASE_SECRETS", given);
    words_set_env(&out->environment, "TRIPHASE_VAULTED", vaulted);
    return 0;
}

/* What Ansible reads while it is imported: nothing in it is known to one step alone. */
static void add_common_environment(const struct ansible_request *request,
                                   const struct ansible_settings *settings, struct words *environment)
{
    ansible_environment(request->target, settings, request->environment, environment);
    ansible_add_ssh_environment(settings, request->phase->limits.host_silent_ns, request->control_directory,
                                environment);
    AUTO_FREE char *plugins = xasprintf("%s%s%s", request->callback_directory,
                                        *settings->callback_plugins ? ":" : "", settings->callback_plugins);
    words_set_env(environment, "ANSIBLE_CALLBACK_PLUGINS", plugins);
    if (request->phase->facts_cached && request->fact_cache) {
        words_set_env(environment, "ANSIBLE_GATHERING", "smart");
        words_set_env(environment, "ANSIBLE_CACHE_PLUGIN", "jsonfile");
        words_set_env(environment, "ANSIBLE_CACHE_PLUGIN_CONNECTION", request->fact_cache);
        words_set_env(environment, "ANSIBLE_CACHE_PLUGIN_TIMEOUT", "0");
    }
    words_set_env(environment, "TRIPHASE_RUN", request->run);
    if (request->no_pipelining && !settings->of[SETTING_PIPELINING].value)
        words_set_env(environment, "ANSIBLE_PIPELINING", "False");
}

static int add_environment(const struct ansible_request *request, const struct ansible_settings *settings,
                           struct ansible_child *out, struct error *err)
{
    struct words *environment = &out->environment;
    const char *path;
    add_common_environment(request, settings, environment);
    AUTO_FREE char *step = xasprintf("%s/%02d", request->run, request->seq);
    words_set_env(environment, "TRIPHASE_STEP", step);
    words_set_env(environment, "TRIPHASE_EVENTS", request->events);
    if (request->pending_handlers && strlen(request->pending_handlers) <= PENDING_IN_ENVIRONMENT) {
        words_set_env(environment, "TRIPHASE_PENDING_HANDLERS", request->pending_handlers);
    } else if (request->pending_handlers) {
        if (write_file(request, "handlers.json", request->pending_handlers, 0600, out, &path, err) < 0)
            return -1;
        words_set_env(environment, "TRIPHASE_PENDING_HANDLERS", path);
    }
    if (request->expect) {
        AUTO_FREE char *text = json_compact(request->expect);
        if (write_file(request, "expect.json", text, 0600, out, &path, err) < 0)
            return -1;
        words_set_env(environment, "TRIPHASE_EXPECT", path);
        if (!request->phase->beyond_allowed)
            words_set_env(environment, "TRIPHASE_BEYOND", "refuse");
    }
    return keep_known(request, out, err);
}

static int open_known(struct ansible_child *out, struct error *err)
{
    for (int i = 0; i < 2; i++) {
        out->known[i] = memfd_create(REDACT_SEALED_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (out->known[i] < 0 || fchmod(out->known[i], 0600) < 0) {
            error_system(err, errno, "cannot keep a secret in memory");
            fd_close(&out->known[i]);
            ansible_child_free(out);
            return -1;
        }
        keep(out, out->known[i]);
    }
    return 0;
}

int ansible_prepare(const struct ansible_request *request, struct ansible_child *out, struct error *err)
{
    struct ansible_child made = {.known = {-1, -1, -1}};
    struct ansible_settings settings = {0};
    if (open_known(&made, err) < 0)
        return -1;
    int result = ansible_settings_read(request->project->directory, request->environment, &settings, err);
    if (result == 0)
        result = add_argv(request, &made, err);
    if (result == 0)
        result = add_environment(request, &settings, &made, err);
    ansible_settings_free(&settings);
    if (result < 0) {
        for (size_t i = 0; i < made.files.count; i++)
            (void)unlink(made.files.items[i]);
        ansible_child_free(&made);
        return -1;
    }
    *out = made;
    return 0;
}

int ansible_environment_ahead(const struct ansible_request *request, struct words *out, struct error *err)
{
    struct ansible_settings settings = {0};
    if (ansible_settings_read(request->project->directory, request->environment, &settings, err) < 0)
        return -1;
    add_common_environment(request, &settings, out);
    ansible_settings_free(&settings);
    return 0;
}

void ansible_child_free(struct ansible_child *child)
{
    for (int *fd = child->keep; fd && *fd >= 0; fd++)
        close(*fd);
    free(child->keep);
    words_free(&child->argv);
    words_free(&child->environment);
    words_free(&child->files);
    *child = (struct ansible_child){0};
}
