#include "bundle/secrets.h"

#include "ansible/launcher.h"
#include "base/embedded.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "config/invoker.h"
#include "config/layout.h"
#include "config/tailnet_login.h"
#include "process/program.h"
#include "redact/sealed.h"
#include "redact/value.h"

#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOUND       (10 * NS_PER_S)
#define VAULT_BOUND (30 * NS_PER_S)
enum { LONGEST = 65536, DEEPEST = 6, STATE_LEAST = 8, VAULTED_MOST = 16 << 20 };

struct work {
    const struct bundle_secrets *from;
    struct redact_rules *rules;
    struct json *unread;
};

static void wipe(struct text *text)
{
    if (text->bytes)
        explicit_bzero(text->bytes, text->room);
}

static void say_unread(const struct work *work, const char *kind, const char *why)
{
    struct json *entry = json_new_object();
    AUTO_FREE char *text = xasprintf("not redacted by value because %s", why);
    json_set_string(entry, "value", kind);
    json_set_string(entry, "why", text);
    json_append(work->unread, entry);
}

static void add_value(const struct work *work, const char *kind, const char *value, size_t length)
{
    if (!redact_rules_add(work->rules, kind, value, length)) {
        AUTO_FREE char *why = xasprintf("it has fewer than %d characters", (int)REDACT_VALUE_LEAST);
        say_unread(work, kind, why);
    }
}

/* ---- what the configuration names ---- */

static void add_secret(const struct work *work, const struct target *target, const struct secret *secret,
                       const char *what)
{
    if (secret->kind == SECRET_NONE)
        return;
    AUTO_ERROR err = ERROR_INIT;
    char *value = NULL;
    size_t length = 0;
    bool own = text_is(target->name, work->from->target_name);
    AUTO_FREE char *kind =
        xasprintf("%s%s%s%s%s", what, secret->name ? " " : "", secret->name ? secret->name : "",
                  own ? "" : " of ", own ? "" : target->name);
    if (secret_read_within(secret, work->from->project->directory, BOUND, &value, &length, &err) < 0) {
        say_unread(work, kind, error_text(&err));
        return;
    }
    if (project_has_name(work->from->project, value))
        redact_rules_add_beside(work->rules, secret->name ? secret->name : "password", value, length);
    else
        add_value(work, kind, value, length);
    memory_free_secret(value, length);
}

static void add_target(const struct work *work, const struct target *target)
{
    for (size_t i = 0; i < target->secret_count; i++)
        add_secret(work, target, &target->secrets[i], "secret");
    for (size_t i = 0; i < target->vault_password_count; i++)
        add_secret(work, target, &target->vault_passwords[i], "vault password");
    add_secret(work, target, &target->become_password, "become password");
    add_secret(work, target, &target->key_passphrase, "key passphrase");
    add_secret(work, target, &target->cloud.token, "token");
    const struct secret *secret;
    const char *what;
    for (size_t i = 0; (secret = tailnet_login_secret(&target->tailnet, i, &what)); i++) {
        AUTO_FREE char *kind = xasprintf("tailnet.%s", what);
        add_secret(work, target, secret, kind);
    }
}

/* What this machine joins its tailnet with. */
static void add_operator(const struct work *work)
{
    const struct secret *secret;
    const char *what;
    for (size_t i = 0;
         (secret = tailnet_login_secret(&work->from->project->operator_settings.login, i, &what)); i++) {
        AUTO_FREE char *kind = xasprintf("operator.%s", what);
        add_secret(work, work->from->target, secret, kind);
    }
}

static void add_configured(const struct work *work)
{
    const struct bundle_secrets *from = work->from;
    if (!from->project || !from->target) {
        say_unread(work, "the target's secrets",
                   from->project ? "the project's files do not name the target any more"
                                 : "the project's files cannot be read");
        return;
    }
    add_target(work, from->target);
    add_operator(work);
    for (size_t i = 0; i < from->target->peers.count; i++) {
        const struct target *peer = project_target(from->project, from->target->peers.items[i], NULL);
        if (peer && peer != from->target)
            add_target(work, peer);
    }
}

/* ---- what Ansible Vault holds ---- */

/* Each vault password in memory of this process, where the Ansible that is asked may read it: "ID@PATH …". */
static void give_passwords(const struct work *work, struct text *ids, int *fds)
{
    const struct target *target = work->from->target;
    for (size_t i = 0; target && i < target->vault_password_count; i++) {
        const struct secret *secret = &target->vault_passwords[i];
        char *value = NULL;
        size_t length = 0;
        fds[i] = -1;
        if (secret_read_within(secret, work->from->project->directory, BOUND, &value, &length, NULL) < 0)
            continue;
        fds[i] = memfd_create("triphase-secret", MFD_CLOEXEC);
        if (fds[i] >= 0 && fchmod(fds[i], 0600) == 0 && file_write_all(fds[i], value, length) == 0)
            text_addf(ids, "%s@/proc/%d/fd/%d ", secret->name ? secret->name : "default", (int)getpid(),
                      fds[i]);
        memory_free_secret(value, length);
    }
}

/* Asked of the project's own Ansible, which knows its passwords. */
static void add_vaulted(const struct work *work)
{
    const struct project *project = work->from->project;
    const struct embedded_file *callback = embedded_find("callback/triphase_events.py");
    AUTO_FREE char *interpreter = project ? launcher_interpreter(project->ansible) : NULL;
    if (!interpreter || !callback)
        return;
    const struct target *target = work->from->target;
    AUTO_TEXT ids = TEXT_INIT, out = TEXT_INIT, complaint = TEXT_INIT;
    AUTO_FREE int *fds = xcalloc((target ? target->vault_password_count : 0) + 1, sizeof *fds);
    AUTO_WORDS argv = WORDS_INIT, environment = WORDS_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct child_end end;
    give_passwords(work, &ids, fds);
    words_add_all(&argv, interpreter, "-", text_string(&ids), NULL);
    for (size_t i = 0; i < project->target_count; i++) {
        words_add_all(&argv, project->targets[i].name, project->targets[i].host_name,
                      project->targets[i].recipe, NULL);
        words_add_list(&argv, words_argv(&project->targets[i].groups));
    }
    for (const char *const *entry = work->from->environment; *entry; entry++)
        if (!child_keeps_back(*entry))
            words_add(&environment, *entry);
    struct program program = {.argv = words_argv(&argv),
                              .environment = words_argv(&environment),
                              .directory = project->directory,
                              .input = (const char *)callback->bytes,
                              .bound_ns = VAULT_BOUND,
                              .output_limit = VAULTED_MOST,
                              .tells_secrets = true};
    if (program_run(&program, &out, &complaint, &end, &err) < 0)
        say_unread(work, "vaulted values", error_text(&err));
    else if (!end.exited || end.code)
        say_unread(work, "vaulted values", "Ansible could not open them");
    redact_sealed_read(work->rules, text_string(&out), out.length);
    wipe(&out);
    for (size_t i = 0; target && i < target->vault_password_count; i++)
        fd_close(&fds[i]);
}

/* ---- what the environment names ---- */

static void add_environment(const struct work *work)
{
    static const char *const ends[] = {"_TOKEN",    "_PASSWORD",   "_PASSWD",     "_PASS",
                                       "_SECRET",   "_PASSPHRASE", "_API_KEY",    "_AUTHKEY",
                                       "_AUTH_KEY", "_ACCESS_KEY", "_CREDENTIALS"};
    for (const char *const *entry = work->from->environment; *entry; entry++) {
        const char *sign = strchr(*entry, '=');
        if (!sign || !sign[1])
            continue;
        AUTO_FREE char *name = xstrndup(*entry, (size_t)(sign - *entry));
        AUTO_FREE char *kind = xasprintf("environment %s", name);
        for (size_t i = 0; i < COUNT_OF(ends); i++)
            if (text_ends(name, ends[i])) {
                add_value(work, kind, sign + 1, strlen(sign + 1));
                break;
            }
    }
}

/* ---- files that hold nothing else ---- */

static bool read_small(const char *path, struct text *out)
{
    struct stat state;
    return lstat(path, &state) == 0 && S_ISREG(state.st_mode) && file_read(path, LONGEST, out, NULL) == 0 &&
           out->length;
}

/* Its lines: none of them is a secret's whole, but each is a part of it. */
static void add_key(const struct work *work, const char *path)
{
    AUTO_TEXT key = TEXT_INIT;
    if (read_small(path, &key) && strstr(text_string(&key), "PRIVATE KEY"))
        add_value(work, "private-key", key.bytes, key.length);
    wipe(&key);
}

static bool names_secret(const char *name)
{
    static const char *const parts[] = {"key", "token", "secret", "share", "pass", "unseal", "credential"};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (strcasestr(name, parts[i]))
            return true;
    return false;
}

/* Strings under a name that says so, however deep. */
static void add_strings(const struct work *work, const struct json *value, bool secret, int depth)
{
    const char *text = json_string(value, NULL), *name;
    struct json *member;
    if (depth > DEEPEST * 4)
        return;
    if (secret && text && strlen(text) >= STATE_LEAST)
        add_value(work, "state", text, strlen(text));
    for (size_t i = 0; i < json_count(value) && json_is_array(value); i++)
        add_strings(work, json_at(value, i), secret, depth + 1);
    for (void *at = NULL; json_is_object(value) && json_each(value, &at, &name, &member);)
        add_strings(work, member, secret || names_secret(name), depth + 1);
}

static void add_state_file(const struct work *work, const char *path, const char *name)
{
    AUTO_TEXT content = TEXT_INIT;
    if (!read_small(path, &content))
        return;
    AUTO_JSON *json = json_parse(content.bytes, content.length, NULL);
    if (strstr(content.bytes, "PRIVATE KEY")) {
        add_value(work, "private-key", content.bytes, content.length);
    } else if (json_is_object(json) || json_is_array(json)) {
        add_strings(work, json, false, 0);
    } else if (names_secret(name)) {
        size_t length = content.length;
        while (length && strchr("\r\n \t", content.bytes[length - 1]))
            length--;
        if (length >= STATE_LEAST && text_is_utf8(content.bytes, length))
            add_value(work, "state", content.bytes, length);
    }
    wipe(&content);
}

static void add_state(const struct work *work, const char *folder, int depth)
{
    AUTO_WORDS names = WORDS_INIT;
    AUTO_ERROR err = ERROR_INIT;
    if (file_list(folder, &names, &err) < 0)
        say_unread(work, "state", error_text(&err));
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *path = file_join(folder, names.items[i]);
        struct stat state;
        if (lstat(path, &state) < 0)
            continue;
        if (S_ISDIR(state.st_mode) && depth < DEEPEST)
            add_state(work, path, depth + 1);
        else
            add_state_file(work, path, names.items[i]);
    }
}

void bundle_secrets_add(const struct bundle_secrets *from, struct redact_rules *rules, struct json *unread)
{
    struct work work = {from, rules, unread};
    add_configured(&work);
    add_vaulted(&work);
    add_environment(&work);
    AUTO_FREE char *kept = layout_target_state(from->state, from->target_name);
    add_state(&work, kept, 0);
    if (!from->machine)
        return;
    AUTO_FREE char *folder = layout_machine(from->state, from->machine->id);
    AUTO_FREE char *key = file_join(folder, "key"), *machine_state = file_join(folder, "state");
    add_key(&work, key);
    add_state(&work, machine_state, 0);
    if (from->machine->key && !text_is(from->machine->key, "agent")) {
        AUTO_INVOKER invoker;
        invoker_find(from->environment, &invoker);
        AUTO_FREE char *path = invoker_expand(&invoker, from->machine->key);
        add_key(&work, path);
    }
}
