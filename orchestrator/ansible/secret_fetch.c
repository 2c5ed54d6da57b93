#include "ansible/secret_fetch.h"

#include "base/memory.h"
#include "config/secret.h"
#include "config/tailnet_login.h"

#include <string.h>

/* Those that a phase is given; NULL behind the last. */
static const struct secret *nth(const struct target *target, size_t at, const char **what)
{
    *what = "secret";
    if (at < target->secret_count)
        return &target->secrets[at];
    at -= target->secret_count;
    if (at == 0) {
        *what = "become_password";
        return &target->become_password;
    }
    *what = "vault password";
    return at - 1 < target->vault_password_count ? &target->vault_passwords[at - 1] : NULL;
}

bool secret_fetch_needed(const struct project *project, const struct target *target)
{
    const struct secret *secret;
    const char *what;
    for (size_t i = 0; (secret = nth(target, i, &what)); i++)
        if (secret_may_take_long(secret, project->directory))
            return true;
    return false;
}

int secret_fetch_read(const void *context, struct text *out, struct error *err)
{
    const struct secret_fetch *fetch = context;
    const struct secret *secret;
    const char *what;
    for (size_t i = 0; (secret = nth(fetch->target, i, &what)); i++) {
        char *value;
        size_t length;
        if (!secret_may_take_long(secret, fetch->project->directory))
            continue;
        if (secret_read(secret, fetch->project->directory, &value, &length, err) < 0)
            return error_prefix(err, "target %s, %s%s%s", fetch->target->name, what, secret->name ? " " : "",
                                secret->name ? secret->name : "");
        text_add_bytes(out, (const char *)&i, sizeof i);
        text_add_bytes(out, (const char *)&length, sizeof length);
        text_add_bytes(out, value, length);
        memory_free_secret(value, length);
    }
    return 0;
}

void secret_fetch_take(const struct secret_fetch *fetch, const char *bytes, size_t length)
{
    for (size_t at = 0, index, size; at + sizeof index + sizeof size <= length; at += size) {
        const char *what;
        memcpy(&index, bytes + at, sizeof index);
        memcpy(&size, bytes + at + sizeof index, sizeof size);
        at += sizeof index + sizeof size;
        const struct secret *secret = nth(fetch->target, index, &what);
        if (secret && size <= length - at)
            secret_fetched(secret, bytes + at, size);
    }
}

static void read_again(const struct project *project, const struct secret *secret, const char *what,
                       struct redact_rules *rules)
{
    char *value;
    size_t length;
    if (!secret_at_hand(secret, project->directory) ||
        secret_read(secret, project->directory, &value, &length, NULL) < 0)
        return;
    AUTO_FREE char *kind =
        xasprintf("%s%s%s", what, secret->name ? " " : "", secret->name ? secret->name : "");
    if (project_has_name(project, value))
        redact_rules_add_beside(rules, secret->name ? secret->name : "password", value, length);
    else
        redact_rules_add(rules, kind, value, length);
    memory_free_secret(value, length);
}

void secret_fetch_again(const struct project *project, const struct target *target, const struct words *names,
                        struct redact_rules *rules)
{
    const struct secret *secret;
    const char *what;
    for (size_t i = 0; (secret = nth(target, i, &what)); i++)
        read_again(project, secret, what, rules);
    read_again(project, &target->key_passphrase, "key passphrase", rules);
    read_again(project, &target->cloud.token, "token", rules);
    for (size_t i = 0; (secret = tailnet_login_secret(&target->tailnet, i, &what)); i++)
        read_again(project, secret, what, rules);
    for (size_t i = 0; (secret = tailnet_login_secret(&project->operator_settings.login, i, &what)); i++)
        read_again(project, secret, what, rules);
    for (size_t i = 0; i < names->count; i++)
        redact_rules_give_way(rules, names->items[i], strlen(names->items[i]));
}
