#include "preflight/files.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/invoker.h"
#include "config/provider_facts.h"
#include "config/tailnet_login.h"

#include <sys/stat.h>
#include <unistd.h>

enum { SCRIPT_MAX = 1 << 16 };

/* `name` NULL: any that a target, host, group or recipe has. */
static void look_at_name(struct plan_work *work, const struct secret *secret, const char *key,
                         const char *where, const char *name)
{
    char *value;
    size_t length;
    if (!secret_at_hand(secret, work->project->directory) ||
        secret_read(secret, work->project->directory, &value, &length, NULL) < 0)
        return;
    if (name ? text_is(value, name) : project_has_name(work->project, value))
        plan_find_once(work->report, ERROR_NONE, where,
                       xasprintf("the value of %s%s%s of target %s is a name of this project, which events "
                                 "and reports show: it is taken out only beside its key; choose another one",
                                 key, secret->name ? " " : "", secret->name ? secret->name : "",
                                 work->target->name));
    memory_free_secret(value, length);
}

void plan_files_name(struct plan_work *work, const char *where, const char *name)
{
    const struct target *target = work->target;
    for (size_t i = 0; i < target->secret_count; i++)
        look_at_name(work, &target->secrets[i], "secret", where, name);
    look_at_name(work, &target->become_password, "become_password", where, name);
    for (size_t i = 0; i < target->vault_password_count; i++)
        look_at_name(work, &target->vault_passwords[i], "vault_passwords", where, name);
}

static void look_at_secret(struct plan_work *work, const struct target *target, const struct secret *secret,
                           const char *key)
{
    AUTO_ERROR err = ERROR_INIT;
    if (secret_check(secret, work->project->directory, &err) == 0)
        return;
    AUTO_FREE char *where = xasprintf("target %s, %s%s%s", target->name, key, secret->name ? " " : "",
                                      secret->name ? secret->name : "");
    plan_find_once(work->report, ERROR_PROJECT, where, xstrdup(error_text(&err)));
}

/* What a phase is given. */
static void look_at_secrets(struct plan_work *work)
{
    const struct target *target = work->target;
    for (size_t i = 0; i < target->secret_count; i++)
        look_at_secret(work, target, &target->secrets[i], "secret");
    look_at_secret(work, target, &target->become_password, "become_password");
    for (size_t i = 0; i < target->vault_password_count; i++)
        look_at_secret(work, target, &target->vault_passwords[i], "vault_passwords");
    const struct secret *secret;
    const char *what;
    for (size_t i = 0; (secret = tailnet_login_secret(&target->tailnet, i, &what)); i++) {
        AUTO_FREE char *key = xasprintf("tailnet.%s", what);
        look_at_secret(work, target, secret, key);
    }
}

/* A sandbox's key is triphase's own; a key that only an agent holds is named by its public part. */
static void look_at_key(struct plan_work *work, const struct target *target, const char *key)
{
    /* on the key itself, by whoever knows the passphrase */
    bool tried = target->key_passphrase.kind != SECRET_NONE;
    if (!key || tried || text_is(key, "agent") || provider_facts(target->provider)->own_key)
        return;
    AUTO_INVOKER invoker;
    invoker_find(NULL, &invoker);
    AUTO_FREE char *expanded = invoker_expand(&invoker, key);
    AUTO_FREE char *path = file_join(work->project->directory, expanded);
    AUTO_FREE char *public_part = xasprintf("%s.pub", path);
    AUTO_FREE char *where = xasprintf("target %s, key", target->name);
    struct stat state;
    AUTO_ERROR err = ERROR_INIT;
    if (file_look(path, &err) < 0) {
        plan_find_once(work->report, ERROR_PROJECT, where,
                       xasprintf("the private key cannot be used: %s", error_text(&err)));
    } else if (stat(path, &state) < 0) {
        if (!file_exists(public_part))
            plan_find_once(work->report, ERROR_PROJECT, where, xasprintf("there is no private key %s", path));
    } else if (state.st_uid == getuid() && (state.st_mode & 077)) {
        /* ssh's own rule, that counts for its user's files alone; an agent may hold the key all the same. */
        const char *agent = environment_value(work->environment, "SSH_AUTH_SOCK");
        plan_find_once(
            work->report, agent && *agent ? ERROR_NONE : ERROR_PROJECT, where,
            xasprintf("the private key %s can be read by others (mode %04o), and ssh takes no such key: "
                      "chmod 600 %s",
                      path, (unsigned)state.st_mode & 07777, path));
    }
}

/* Ansible's own setting. A script that is not executable is taken for the password itself. */
static void look_at_vault_password_file(struct plan_work *work)
{
    const struct ansible_setting *setting = &work->settings.of[SETTING_VAULT_PASSWORD_FILE];
    AUTO_TEXT begins = TEXT_INIT;
    if (!setting->value || !*setting->value)
        return;
    AUTO_ERROR err = ERROR_INIT;
    int there = file_look(setting->value, &err);
    if (there < 0)
        plan_find_once(work->report, ERROR_PROJECT, setting->origin,
                       xasprintf("the vault_password_file cannot be used: %s", error_text(&err)));
    else if (!there)
        plan_find_once(work->report, ERROR_PROJECT, setting->origin,
                       xasprintf("there is no vault_password_file %s", setting->value));
    else if (!file_is_program(setting->value) && file_read(setting->value, SCRIPT_MAX, &begins, NULL) == 0 &&
             text_starts(text_string(&begins), "#!"))
        plan_find_once(
            work->report, ERROR_NONE, setting->origin,
            xasprintf("the vault_password_file %s begins with #! and is not executable: Ansible takes its "
                      "text for the password (chmod +x)",
                      setting->value));
}

void plan_files_look(struct plan_work *work, const struct machine *machine)
{
    const struct target *target = work->target;
    look_at_secrets(work);
    AUTO_FREE char *here = xasprintf("target %s", target->name);
    plan_files_name(work, here, NULL);
    look_at_vault_password_file(work);
    look_at_key(work, target, machine && machine->key ? machine->key : target->key);
    for (size_t i = 0; i < target->peers.count; i++) {
        const struct target *peer = project_target(work->project, target->peers.items[i], NULL);
        if (peer)
            look_at_key(work, peer, peer->key);
    }
}
