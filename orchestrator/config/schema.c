#include "config/schema.h"

#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/accelerate.h"
#include "config/cloud_rules.h"
#include "config/health_rules.h"
#include "config/health_settings.h"
#include "config/provider_facts.h"
#include "config/ready_step.h"
#include "config/ssh_rules.h"
#include "config/tailnet_rules.h"
#include "config/text_rules.h"
#include "config/watchdog_facts.h"

#include <string.h>

static const char *const facts[] = {"fresh", "cached", NULL};
static const char *const lost_handlers[] = {"fail", "warn", NULL};
static const char *const stale[] = {"refuse", "remove", NULL};
static const char *const tailscale_ssh[] = {"refuse", "accept", NULL};
static const char *const beyond[] = {"refuse", "allow", NULL};

enum { CONFIRM_LEAST_S = 3 }; /* a third of it is one new connection */

/* After which a phase may be tried again. */
static const char *const *retried_outcomes(void)
{
    static const char *names[WATCHDOG_ROOM + 5] = {"failed", "unreachable"};
    const struct watchdog_facts *watchdog;
    size_t count = 2;
    for (size_t i = 0; (watchdog = watchdog_facts(i)); i++)
        if (watchdog->outcome)
            names[count++] = watchdog->outcome;
    names[count++] = "child-crashed";
    names[count] = "rolled-back";
    return names;
}

#define TEXT_KEY(key_name, key_scope, ...)                                    \
    {                                                                         \
        .name = key_name, .scope = key_scope, .type = VALUE_TEXT, __VA_ARGS__ \
    }
#define DURATION_KEY(key_name, key_scope, ...)                                    \
    {                                                                             \
        .name = key_name, .scope = key_scope, .type = VALUE_DURATION, __VA_ARGS__ \
    }
#define SECRET_KEY(key_name, key_scope)                                            \
    {                                                                              \
        .name = key_name, .scope = key_scope, .type = VALUE_SECRET, .note = "none" \
    }
#define FALSE_KEY(key_name, key_scope)                                              \
    {                                                                               \
        .name = key_name, .scope = key_scope, .type = VALUE_BOOL, .preset = "false" \
    }
#define FIELDS_KEY(key_name, key_scope)                            \
    {                                                              \
        .name = key_name, .scope = key_scope, .type = VALUE_FIELDS \
    }
/* What `operator` and `tailnet` have in common: how something joins. */
#define LOGIN_KEYS(prefix, key_scope, own_name)                                                  \
    {.name = prefix ".tags",                                                                     \
     .scope = key_scope,                                                                         \
     .type = VALUE_TEXTS,                                                                        \
     .preset = "[]",                                                                             \
     .problem = tailnet_rules_tag_problem},                                                      \
        TEXT_KEY(prefix ".hostname", key_scope, .problem = tailnet_rules_hostname_problem,       \
                 .note = own_name),                                                              \
        TEXT_KEY(prefix ".login_server", key_scope, .problem = tailnet_rules_url_problem,        \
                 .note = "Tailscale's own"),                                                     \
        TEXT_KEY(prefix ".api", key_scope, .problem = tailnet_rules_url_problem,                 \
                 .note = "Tailscale's, none beside login_server"),                               \
        FIELDS_KEY(prefix ".oauth", key_scope), SECRET_KEY(prefix ".oauth.id", key_scope),       \
        SECRET_KEY(prefix ".oauth.secret", key_scope), SECRET_KEY(prefix ".api_key", key_scope), \
        SECRET_KEY(prefix ".auth_key", key_scope)
/* The provider `command`: a program and its arguments. */
#define PROGRAM_KEY(key_name)                                                         \
    {                                                                                 \
        .name = key_name, .scope = SCOPE_TARGET, .type = VALUE_TEXTS, .note = "none", \
        .flags = KEY_ANY_SCALAR                                                       \
    }
/* Of a host at a cloud. */
#define CLOUD_TEXT_KEY(key_name, ...)                                                                \
    {                                                                                                \
        .name = key_name, .scope = SCOPE_TARGET, .type = VALUE_TEXT, .flags = KEY_CLOUD, __VA_ARGS__ \
    }
#define CLOUD_NAMES_KEY(key_name, key_flags, key_note)                                         \
    {                                                                                          \
        .name = key_name, .scope = SCOPE_TARGET, .type = VALUE_TEXTS, .note = key_note,        \
        .problem = cloud_rules_name_problem, .flags = KEY_CLOUD | KEY_ANY_SCALAR | (key_flags) \
    }
/* Codes of HTTP. */
#define CODES_KEY(key_name, key_preset)                                                     \
    {                                                                                       \
        .name = key_name, .scope = SCOPE_TARGET, .type = VALUE_TEXTS, .preset = key_preset, \
        .problem = health_rules_code_problem, .flags = KEY_ANY_SCALAR                       \
    }
#define LATER_KEY(key_name, key_scope)                                               \
    {                                                                                \
        .name = key_name, .scope = key_scope, .type = VALUE_TEXT, .flags = KEY_LATER \
    }

static char *id_problem(const char *text)
{
    return id_is(text) ? NULL
                       : value_about(text, "is no id: the one that .triphase/project.json of the clone has "
                                           "that made hosts first, or a UUID in small letters");
}

/* In the order of the contract's table, which `config` follows; those of watchdogs come between the two. */
static const struct key before[] = {
    TEXT_KEY("project", SCOPE_PROJECT, .problem = value_name_problem, .flags = KEY_REQUIRED | KEY_OWN),
    TEXT_KEY("id", SCOPE_PROJECT, .problem = id_problem, .flags = KEY_FILE, .note = "of each clone its own"),
    {.name = "inventory",
     .scope = SCOPE_PROJECT,
     .type = VALUE_TEXTS,
     .problem = value_path_problem,
     .note = "inventory/ if present"},
    TEXT_KEY("ansible", SCOPE_PROJECT, .preset = "ansible-playbook", .problem = value_path_problem),
    DURATION_KEY("keep", SCOPE_PROJECT, .preset = "90d"),
    FIELDS_KEY("operator", SCOPE_PROJECT),
    TEXT_KEY("operator.socket", SCOPE_PROJECT, .problem = value_path_problem,
             .note = "triphase's own daemon, else tailscale's"),
    LOGIN_KEYS("operator", SCOPE_PROJECT, "this machine's name"),
    TEXT_KEY("operator.tailnet", SCOPE_PROJECT, .problem = tailnet_rules_tailnet_problem,
             .note = "any, and of the API the credentials' own"),
    FALSE_KEY("operator.reusable", SCOPE_PROJECT),
    FALSE_KEY("operator.ssh", SCOPE_PROJECT),
    FALSE_KEY("operator.accept_routes", SCOPE_PROJECT),
    FALSE_KEY("operator.accept_dns", SCOPE_PROJECT),
    FALSE_KEY("operator.socks5", SCOPE_PROJECT),

    {.name = "provider",
     .scope = SCOPE_TARGET,
     .type = VALUE_CHOICE,
     .preset = "sandbox",
     .names = provider_names,
     .flags = KEY_NO_PROVIDER | KEY_NO_RECIPE},
    TEXT_KEY("recipe", SCOPE_TARGET, .problem = value_name_problem, .flags = KEY_REQUIRED | KEY_NO_RECIPE),
    {.name = "transport", .scope = SCOPE_TARGET, .type = VALUE_TRANSPORT, .preset = "auto"},
    FIELDS_KEY("tailnet", SCOPE_TARGET),
    LOGIN_KEYS("tailnet", SCOPE_TARGET, "the target's host_name"),
    {.name = "tailnet.stale",
     .scope = SCOPE_TARGET,
     .type = VALUE_CHOICE,
     .preset = "refuse",
     .choices = stale},
    {.name = "tailnet.tailscale_ssh",
     .scope = SCOPE_TARGET,
     .type = VALUE_CHOICE,
     .preset = "refuse",
     .choices = tailscale_ssh},
    TEXT_KEY("address", SCOPE_TARGET, .problem = ssh_rules_address_problem, .note = "from the provider",
             .flags = KEY_NO_RECIPE),
    {.name = "port",
     .scope = SCOPE_TARGET,
     .type = VALUE_COUNT,
     .least = 1,
     .most = 65535,
     .note = "from the provider, else ssh's own"},
    TEXT_KEY("user", SCOPE_TARGET, .problem = ssh_rules_user_problem,
             .note = "from the provider, else ssh's own"),
    TEXT_KEY("key", SCOPE_TARGET, .problem = value_key_problem, .note = "from the provider, else ssh's own"),
    TEXT_KEY("jump", SCOPE_TARGET, .problem = ssh_rules_jump_problem, .note = "none, or ssh's own"),
    {.name = "ssh_options",
     .scope = SCOPE_TARGET,
     .type = VALUE_TEXTS,
     .preset = "[]",
     .problem = ssh_rules_option_problem},
    {.name = "host_keys",
     .scope = SCOPE_TARGET,
     .type = VALUE_HOST_KEYS,
     .problem = value_host_key_problem,
     .note = "from the provider; static: known_hosts",
     .flags = KEY_NO_RECIPE},
    TEXT_KEY("python", SCOPE_TARGET, .preset = "auto", .problem = value_python_problem),
    {.name = "stage_deadline", .scope = SCOPE_TARGET, .type = VALUE_FIELDS},
    DURATION_KEY("stage_deadline.provision", SCOPE_TARGET, .preset = "5m"),
    DURATION_KEY("stage_deadline.root_tree", SCOPE_TARGET, .preset = "15m"),
    DURATION_KEY("stage_deadline.ready", SCOPE_TARGET, .preset = "60s"),
    DURATION_KEY("stage_deadline.tailnet", SCOPE_TARGET, .preset = "2m"),
    DURATION_KEY("stage_deadline.transport", SCOPE_TARGET, .preset = "60s"),
    DURATION_KEY("stage_deadline.destroy", SCOPE_TARGET, .preset = "2m"),
    DURATION_KEY("stage_deadline.sweep", SCOPE_TARGET, .preset = "30s"),
    {.name = "ready", .scope = SCOPE_TARGET, .type = VALUE_READY, .preset = "[]", .names = ready_step_words},
    TEXT_KEY("host_name", SCOPE_TARGET, .problem = value_host_name_problem, .note = "the target's name",
             .flags = KEY_NO_RECIPE),
    {.name = "groups",
     .scope = SCOPE_TARGET,
     .type = VALUE_TEXTS,
     .preset = "[]",
     .problem = value_group_problem},
    {.name = "peers",
     .scope = SCOPE_TARGET,
     .type = VALUE_TEXTS,
     .preset = "[]",
     .problem = value_name_problem},
    {.name = "vars", .scope = SCOPE_TARGET, .type = VALUE_VARIABLES},
    {.name = "secrets", .scope = SCOPE_TARGET, .type = VALUE_SECRETS},
    {.name = "become_password", .scope = SCOPE_TARGET, .type = VALUE_SECRET, .note = "none"},
    {.name = "key_passphrase", .scope = SCOPE_TARGET, .type = VALUE_SECRET, .note = "none"},
    {.name = "vault_passwords", .scope = SCOPE_TARGET, .type = VALUE_SECRETS},
    {.name = "env",
     .scope = SCOPE_TARGET,
     .type = VALUE_TEXTS,
     .preset = "[]",
     .problem = value_environment_name_problem},
    FIELDS_KEY("health", SCOPE_TARGET),
    TEXT_KEY("health.url", SCOPE_TARGET, .problem = health_rules_url_problem, .note = "none"),
    CODES_KEY("health.expect", "[200]"),
    CODES_KEY("health.before", "[]"),
    DURATION_KEY("health.every", SCOPE_TARGET, .preset = "2s"),
    TEXT_KEY("health.ca", SCOPE_TARGET, .problem = value_path_problem, .note = "what this machine trusts"),
    TEXT_KEY("health.server_name", SCOPE_TARGET, .problem = health_rules_server_name_problem,
             .note = "the URL's host"),
    {.name = "health.via",
     .scope = SCOPE_TARGET,
     .type = VALUE_CHOICE,
     .preset = "auto",
     .names = health_via_names},
    FALSE_KEY("health.required", SCOPE_TARGET),
    DURATION_KEY("health.within", SCOPE_TARGET, .preset = "5m"),
    {.name = "accelerate",
     .scope = SCOPE_TARGET,
     .type = VALUE_CHOICE,
     .preset = "warm",
     .names = accelerate_names},
    DURATION_KEY("deadline", SCOPE_TARGET, .preset = "2h"),
    {.name = "protected", .scope = SCOPE_TARGET, .type = VALUE_BOOL, .preset = "false"},
    DURATION_KEY("ttl", SCOPE_TARGET, .note = "none: it stays", .flags = KEY_NONE),
    TEXT_KEY("root", SCOPE_TARGET, .preset = "debian-12", .problem = value_root_problem),
    PROGRAM_KEY("make"),
    PROGRAM_KEY("verify"),
    PROGRAM_KEY("remove"),
    PROGRAM_KEY("list"),
    {.name = "token",
     .scope = SCOPE_TARGET,
     .type = VALUE_SECRET,
     .note = "HCLOUD_TOKEN",
     .flags = KEY_CLOUD},
    CLOUD_TEXT_KEY("endpoint", .preset = "https://api.hetzner.cloud/v1",
                   .problem = cloud_rules_endpoint_problem),
    CLOUD_TEXT_KEY("server_type", .problem = cloud_rules_name_problem, .note = "none, it is required"),
    CLOUD_TEXT_KEY("image", .preset = "docker-ce", .problem = cloud_rules_name_problem),
    CLOUD_NAMES_KEY("location", KEY_SINGLE, "the cloud's choice"),
    CLOUD_NAMES_KEY("ssh_keys", 0, "the machine's own alone"),
    {.name = "firewalls",
     .scope = SCOPE_TARGET,
     .type = VALUE_FIREWALLS,
     .note = "none",
     .problem = cloud_rules_name_problem,
     .flags = KEY_CLOUD},
    CLOUD_NAMES_KEY("networks", 0, "none"),
    {.name = "labels", .scope = SCOPE_TARGET, .type = VALUE_LABELS, .flags = KEY_CLOUD},
    CLOUD_TEXT_KEY("user_data", .problem = value_path_problem, .note = "none"),
    {.name = "ipv4", .scope = SCOPE_TARGET, .type = VALUE_BOOL, .preset = "true", .flags = KEY_CLOUD},
    {.name = "ipv6", .scope = SCOPE_TARGET, .type = VALUE_BOOL, .preset = "true", .flags = KEY_CLOUD},
    CLOUD_TEXT_KEY("placement_group", .problem = cloud_rules_name_problem, .note = "none"),

    TEXT_KEY("name", SCOPE_PHASE, .problem = value_name_problem, .flags = KEY_REQUIRED | KEY_OWN),
    TEXT_KEY("playbook", SCOPE_PHASE, .problem = value_path_problem, .flags = KEY_REQUIRED),
};

static const struct key behind[] = {
    DURATION_KEY("grace", SCOPE_PHASE, .preset = "5s", .flags = KEY_ZERO),
    DURATION_KEY("host_grace", SCOPE_PHASE, .preset = "20s", .flags = KEY_ZERO),
    DURATION_KEY("transport_lost", SCOPE_PHASE, .preset = "10s"),
    DURATION_KEY("host_silent", SCOPE_PHASE, .preset = "18s"),
    DURATION_KEY("transport_grace", SCOPE_PHASE, .preset = "120s"),
    {.name = "attempts", .scope = SCOPE_PHASE, .type = VALUE_COUNT, .preset = "2", .least = 1, .most = 100},
    {.name = "retry_on",
     .scope = SCOPE_PHASE,
     .type = VALUE_CHOICES,
     .preset = "[unreachable, silence, transport-lost]",
     .names = retried_outcomes},
    DURATION_KEY("retry_pause", SCOPE_PHASE, .preset = "2s", .flags = KEY_ZERO),
    {.name = "transport", .scope = SCOPE_PHASE, .type = VALUE_TRANSPORT, .note = "the target's"},
    {.name = "require", .scope = SCOPE_PHASE, .type = VALUE_REQUIRE, .preset = "[]"},
    {.name = "network_churn", .scope = SCOPE_PHASE, .type = VALUE_BOOL, .preset = "false"},
    {.name = "reboots", .scope = SCOPE_PHASE, .type = VALUE_BOOL, .preset = "false"},
    DURATION_KEY("confirm", SCOPE_PHASE, .note = "none: what it changes stays", .flags = KEY_NONE,
                 .least = CONFIRM_LEAST_S * NS_PER_S),
    {.name = "facts", .scope = SCOPE_PHASE, .type = VALUE_CHOICE, .preset = "fresh", .choices = facts},
    {.name = "accelerate",
     .scope = SCOPE_PHASE,
     .type = VALUE_CHOICE,
     .note = "the target's",
     .names = accelerate_names},
    {.name = "lost_handlers",
     .scope = SCOPE_PHASE,
     .type = VALUE_CHOICE,
     .preset = "fail",
     .choices = lost_handlers},
    {.name = "beyond", .scope = SCOPE_PHASE, .type = VALUE_CHOICE, .preset = "refuse", .choices = beyond},
    {.name = "args",
     .scope = SCOPE_PHASE,
     .type = VALUE_TEXTS,
     .preset = "[]",
     .problem = value_argument_problem,
     .flags = KEY_ANY_SCALAR},
    {.name = "vars", .scope = SCOPE_PHASE, .type = VALUE_VARIABLES},

    /* What is to come; the contract keeps these names free. */
    LATER_KEY("webhook", SCOPE_PROJECT),
    LATER_KEY("otlp", SCOPE_PROJECT),
    LATER_KEY("on", SCOPE_TARGET),
};

const struct key *schema_key(size_t at)
{
    const struct watchdog_facts *watchdog;
    if (at < COUNT_OF(before))
        return &before[at];
    at -= COUNT_OF(before);
    for (size_t row = 0; (watchdog = watchdog_facts(row)); row++)
        if (watchdog->key.name && at-- == 0)
            return &watchdog->key;
    return at < COUNT_OF(behind) ? &behind[at] : NULL;
}

const struct key *schema_find(enum key_scope scope, const char *name)
{
    const struct key *key;
    for (size_t i = 0; (key = schema_key(i)); i++)
        if (key->scope == scope && text_is(key->name, name))
            return key;
    return NULL;
}

void schema_names(enum key_scope scope, const char *prefix, struct words *out)
{
    const struct key *key;
    for (size_t i = 0; (key = schema_key(i)); i++) {
        const char *rest = key->name + strlen(prefix);
        if (key->scope == scope && text_starts(key->name, prefix) && !strchr(rest, '.') &&
            !(key->flags & KEY_LATER))
            words_add(out, rest);
    }
}

bool schema_is_open(const struct key *key)
{
    return key->type == VALUE_VARIABLES || key->type == VALUE_SECRETS || key->type == VALUE_LABELS;
}

bool schema_is_text(const struct key *key)
{
    return key->type == VALUE_TEXT || key->type == VALUE_DURATION || key->type == VALUE_CHOICE;
}
