#include "ansible/secrets.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "redact/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int close_for_good(int fd)
{
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}

/* A sealed file of this process's memory, mode 0600 (an executable one Ansible would run); gone with the
 * last process that holds it. */
static int seal(const char *name, const char *bytes, size_t length, struct error *err)
{
    AUTO_CLOSE int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || fchmod(fd, 0600) < 0 || file_write_all(fd, bytes, length) < 0 || close_for_good(fd) < 0)
        return error_system(err, errno, "cannot keep a secret in memory");
    return TAKE_FD(fd);
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
        memory_free_secret(*value, *length);
        return -1;
    }
    return 0;
}

static void forget(char **value, size_t length)
{
    memory_free_secret(*value, length);
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
        ansible_child_keep(out, fd);
    return fd;
}

int secrets_add_vault_passwords(const struct project *project, const struct target *target, int known,
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

int secrets_share_vault_passwords(const struct ansible_child *from, struct ansible_child *out,
                                  struct error *err)
{
    for (size_t i = 0; 2 * i + 1 < from->argv.count; i++) {
        const char *named = from->argv.items[2 * i + 1];
        int fd = fcntl(from->keep[i], F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
            return error_system(err, errno, "cannot hand a vault password on");
        ansible_child_keep(out, fd);
        words_add(&out->argv, from->argv.items[2 * i]);
        words_addf(&out->argv, "%.*s@/proc/self/fd/%d", (int)(strrchr(named, '@') - named), named, fd);
    }
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

static int add_auth_key(const struct ansible_request *request, int known, struct json *secrets,
                        struct error *err)
{
    if (!request->auth_key)
        return 0;
    struct json *unsafe = json_new_object();
    json_set_string(unsafe, "__ansible_unsafe", request->auth_key);
    json_set(secrets, SECRETS_AUTH_KEY, unsafe);
    return known < 0 ? 0
                     : redact_sealed_put(known, "tailnet auth key", request->auth_key,
                                         strlen(request->auth_key), err);
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
    if (add_auth_key(request, known, secrets, err) < 0)
        return NULL;
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
int secrets_add_variables(const struct ansible_request *request, struct ansible_child *out, struct error *err)
{
    if (!request->target->secret_count && request->target->become_password.kind == SECRET_NONE &&
        !request->auth_key)
        return 0;
    AUTO_JSON *inventory = secret_inventory(request, out->known[0], err);
    if (!inventory)
        return -1;
    char *text = json_compact(inventory);
    int fd = seal("triphase-secrets", text, strlen(text), err);
    memory_free_secret(text, strlen(text));
    if (fd < 0)
        return -1;
    ansible_child_keep(out, fd);
    AUTO_FREE char *script = xasprintf("#!/bin/sh\nexec cat \"/proc/$PPID/fd/%d\"\n", fd);
    const char *path = ansible_child_write(request, "secrets", script, 0700, out, err);
    if (!path)
        return -1;
    words_add_all(&out->argv, "-i", path, NULL);
    return 0;
}

/* No process of the phase has it, but a playbook may have the same from elsewhere. One that a command or a
 * descriptor gives is not asked for again. */
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

int secrets_close(const struct ansible_request *request, struct ansible_child *out, struct error *err)
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

int secrets_open(struct ansible_child *out, struct error *err)
{
    for (int i = 0; i < 2; i++) {
        out->known[i] = memfd_create(REDACT_SEALED_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (out->known[i] < 0 || fchmod(out->known[i], 0600) < 0) {
            error_system(err, errno, "cannot keep a secret in memory");
            fd_close(&out->known[i]);
            return -1;
        }
        ansible_child_keep(out, out->known[i]);
    }
    return 0;
}
