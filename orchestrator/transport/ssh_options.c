#include "transport/ssh_options.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/invoker.h"
#include "config/provider_facts.h"
#include "config/ssh_rules.h"
#include "transport/known_hosts.h"
#include "transport/ssh_words.h"
#include "transport/transport.h"

#include <string.h>

/* sun_path less the suffix under which ssh makes the socket before it renames it (sshd's mux.c adds a dot
 * and 16 characters). */
enum { CONTROL_PATH_MAX = 90, HASH_LENGTH = 40 };

int ssh_alive_count(int64_t host_silent_ns)
{
    /* ssh gives up between interval x count and interval x (count + 1). */
    int64_t count = host_silent_ns / (SSH_ALIVE_INTERVAL * INT64_C(1000000000)) - 1;
    return count < 1 ? 1 : count > 1000 ? 1000 : (int)count;
}

char *ssh_invoking_home(void)
{
    AUTO_INVOKER invoker = {.home = NULL};
    invoker_find(NULL, &invoker);
    return invoker.home ? TAKE(invoker.home) : xstrdup("/");
}

static void add_option(struct ssh_arguments *out, const char *name, const char *value, bool percent)
{
    struct text option = TEXT_INIT;
    text_addf(&option, "%s=", name);
    ssh_add_option_value(&option, value, percent);
    words_add(&out->options, "-o");
    words_own(&out->options, text_take(&option));
}

static int add_control(struct ssh_arguments *out, const char *directory, const struct target *target,
                       struct error *err)
{
    if (!directory) {
        words_add_all(&out->options, "-o", "ControlMaster=no", "-o", "ControlPath=none", NULL);
        return 0;
    }
    if (ssh_check_path("folder of sockets", directory, err) < 0)
        return -1;
    const char *tokens = "%C";
    if (strlen(directory) + 1 + HASH_LENGTH > CONTROL_PATH_MAX) {
        tokens = "%r.%p";
        if (strlen(directory) + strlen("/.65535") + 20 > CONTROL_PATH_MAX)
            return error_set(err, ERROR_PROJECT,
                             "target %s: the folder of sockets, %s, is too long for a socket's path",
                             target->name, directory);
    }
    AUTO_TEXT value = TEXT_INIT;
    for (const char *c = directory; *c; c++)
        text_addf(&value, "%s%c", *c == '%' ? "%" : "", *c);
    text_addf(&value, "/%s", tokens);
    words_add_all(&out->options, "-o", "ControlMaster=auto", "-o", "ControlPersist=60s", NULL);
    add_option(out, "ControlPath", text_string(&value), false);
    out->multiplexed = true;
    return 0;
}

static int add_host_keys(struct ssh_arguments *out, const struct machine *machine,
                         const struct target *target, const struct invoker *invoker, struct error *err)
{
    bool learn = target->host_key_kind == HOST_KEYS_ACCEPT_NEW;
    if (known_hosts_are_own(machine, target)) {
        AUTO_FREE char *alias = known_hosts_alias(machine);
        /* Nothing is made yet: nothing is known, so nothing is trusted. */
        AUTO_FREE char *known =
            machine->directory ? file_join(machine->directory, "known_hosts") : xstrdup("/dev/null");
        if (ssh_check_path("path of the machine's known_hosts", known, err) < 0)
            return -1;
        add_option(out, "HostKeyAlias", alias, false);
        add_option(out, "UserKnownHostsFile", known, true);
        words_add_all(&out->options, "-o", "GlobalKnownHostsFile=/dev/null", "-o", "UpdateHostKeys=no", NULL);
    } else if (invoker->behind_sudo && invoker->home) {
        AUTO_FREE char *known = file_join(invoker->home, ".ssh/known_hosts");
        if (ssh_check_path("path of known_hosts", known, err) < 0)
            return -1;
        add_option(out, "UserKnownHostsFile", known, true);
    }
    add_option(out, "StrictHostKeyChecking", learn ? "accept-new" : "yes", false);
    return 0;
}

bool ssh_needs_agent(const struct machine *machine, const struct target *target)
{
    /* A sandbox's key is triphase's own and has no passphrase. */
    return target->key_passphrase.kind != SECRET_NONE && machine->key && !text_is(machine->key, "agent") &&
           !provider_facts(machine->provider)->own_key;
}

char *ssh_agent_public_key(const char *agent_directory, const struct target *target)
{
    return xasprintf("%s/%s.pub", agent_directory, target->name);
}

/* By its public part, so that the private one is taken from the agent, of which
 * ssh then uses nothing else. */
static int add_agent(struct ssh_arguments *out, const struct machine *machine, const struct target *target,
                     const char *directory, const struct invoker *invoker, struct error *err)
{
    AUTO_FREE char *socket = file_join(directory, SSH_AGENT_SOCKET);
    AUTO_FREE char *key = ssh_agent_public_key(directory, target);
    AUTO_FREE char *private_key = invoker_expand(invoker, machine->key);
    AUTO_FREE char *certificate = xasprintf("%s-cert.pub", private_key);
    if (ssh_check_path("folder of sockets", directory, err) < 0 ||
        ssh_check_path("key", private_key, err) < 0)
        return -1;
    add_option(out, "IdentityAgent", socket, true);
    add_option(out, "IdentityFile", key, true);
    words_add_all(&out->options, "-o", "IdentitiesOnly=yes", NULL);
    if (file_exists(certificate))
        add_option(out, "CertificateFile", certificate, true);
    /* The agent that ssh would forward is the one that it uses itself. */
    words_add_all(&out->options, "-o", "ForwardAgent=no", NULL);
    out->own_agent = true;
    return 0;
}

static int add_identity(struct ssh_arguments *out, const struct machine *machine, const struct target *target,
                        const char *agent_directory, const struct invoker *invoker, struct error *err)
{
    if (text_is(machine->key, "agent"))
        return 0;
    if (agent_directory && ssh_needs_agent(machine, target))
        return add_agent(out, machine, target, agent_directory, invoker, err);
    if (machine->key) {
        AUTO_FREE char *path = invoker_expand(invoker, machine->key);
        if (ssh_check_path("key", path, err) < 0)
            return -1;
        add_option(out, "IdentityFile", path, true);
        words_add_all(&out->options, "-o", "IdentitiesOnly=yes", NULL);
        return 0;
    }
    if (!invoker->behind_sudo || !invoker->home)
        return 0;
    /* ssh would look into root's folder for what the person who typed sudo keeps in their own. */
    static const char *const usual[] = {"id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk"};
    for (size_t i = 0; i < COUNT_OF(usual); i++) {
        AUTO_FREE char *path = xasprintf("%s/.ssh/%s", invoker->home, usual[i]);
        if (file_exists(path) && ssh_check_path("key", path, NULL) == 0)
            add_option(out, "IdentityFile", path, true);
    }
    return 0;
}

static int add_proxy(struct ssh_arguments *out, const struct machine *machine, const struct target *target,
                     enum transport_kind kind, struct error *err)
{
    char *option = NULL;
    if (transport_calls(kind)->proxy(machine, target, &option, err) < 0)
        return -1;
    if (option) {
        words_add(&out->options, "-o");
        words_own(&out->options, option);
    }
    return 0;
}

static int add_users_options(struct ssh_arguments *out, const struct machine *machine,
                             const struct target *target, struct error *err)
{
    const struct words *options = machine->ssh_options_known ? &machine->ssh_options : &target->ssh_options;
    for (size_t i = 0; i < options->count; i++) {
        AUTO_FREE char *problem =
            ssh_rules_option_problem_of(options->items[i], target->key_passphrase.kind != SECRET_NONE);
        if (problem)
            return error_set(err, ERROR_PROJECT, "target %s: %s", target->name, problem);
        words_add(&out->options, "-o");
        words_add(&out->options, options->items[i]);
    }
    return 0;
}

/* Letters of ssh that say how it shows itself, not how the host is reached: for Ansible alone. */
static bool is_for_ansible_alone(const char *word)
{
    return word[0] == '-' && word[1] && word[1 + strspn(word + 1, "tTvqfnNMyg")] == '\0';
}

/* Further words of one option with a value of its own ("-E", "file" or "-Efile") that
 * only ssh by itself may take. */
static size_t takes_along(const char *word)
{
    return word[0] == '-' && word[1] && strchr("SEOWQ", word[1]) ? (word[2] ? 1 : 2) : 0;
}

/* What Ansible's own settings and variables add, behind all else. -J stands as ProxyJump: of two ways the
 * first counts, where ssh would take two -J for a mistake. */
static int add_ansibles(struct ssh_arguments *out, const struct target *target, const char *what,
                        const char *text, struct words *for_ansible, struct error *err)
{
    AUTO_WORDS words = WORDS_INIT;
    if (text && words_add_split(&words, text) < 0)
        return error_set(err, ERROR_PROJECT, "target %s: the quotes of Ansible's %s are not closed: %s",
                         target->name, what, text);
    for (size_t i = 0; i < words.count; i++) {
        const char *word = words.items[i];
        AUTO_FREE char *jump = NULL;
        if (text_starts(word, "-J")) {
            const char *hops = word[2] ? word + 2 : i + 1 < words.count ? words.items[++i] : "";
            jump = xasprintf("-oProxyJump=%s", hops);
            word = jump;
        }
        if (for_ansible)
            words_add(for_ansible, word);
        size_t along = takes_along(word);
        if (along == 2 && i + 1 < words.count && for_ansible)
            words_add(for_ansible, words.items[i + 1]);
        if (along == 2)
            i++;
        if (!along && !is_for_ansible_alone(word))
            words_add(&out->options, word);
    }
    return 0;
}

int ssh_arguments_make(const struct machine *machine, const struct target *target, enum transport_kind kind,
                       const char *control_directory, const char *agent_directory, int server_alive_interval,
                       int server_alive_count, struct ssh_arguments *out, struct error *err)
{
    AUTO_SSH_ARGUMENTS made = SSH_ARGUMENTS_INIT;
    AUTO_INVOKER invoker = {.home = NULL};
    invoker_find(NULL, &invoker);
    if (invoker.behind_sudo && invoker.home) {
        AUTO_FREE char *config = file_join(invoker.home, ".ssh/config");
        if (file_exists(config))
            words_add_all(&made.options, "-F", config, NULL);
    }
    words_add_all(&made.options, "-o", "BatchMode=yes", NULL);
    if (add_control(&made, control_directory, target, err) < 0)
        return -1;
    words_add(&made.options, "-o");
    words_addf(&made.options, "ServerAliveInterval=%d", server_alive_interval);
    words_add(&made.options, "-o");
    words_addf(&made.options, "ServerAliveCountMax=%d", server_alive_count);
    words_add_all(&made.options, "-o", "ConnectTimeout=10", NULL);
    if (add_host_keys(&made, machine, target, &invoker, err) < 0)
        return -1;
    if (machine->user) {
        if (ssh_check_user(machine->user, err) < 0)
            return -1;
        add_option(&made, "User", machine->user, false);
    }
    if (machine->port) {
        if (machine->port < 0 || machine->port > 65535)
            return error_set(err, ERROR_PROJECT, "target %s: %d is no port", target->name, machine->port);
        words_add(&made.options, "-o");
        words_addf(&made.options, "Port=%d", machine->port);
    }
    if (add_identity(&made, machine, target, agent_directory, &invoker, err) < 0 ||
        add_proxy(&made, machine, target, kind, err) < 0)
        return -1;
    /* Saves 80 ms of a connect. Only where the packets never leave this machine: elsewhere it would put a
     * classical key exchange before ssh's own first choice, and undo what the user's configuration
     * restricts. */
    if (provider_facts(machine->provider)->local)
        words_add_all(&made.options, "-o", "KexAlgorithms=^curve25519-sha256,curve25519-sha256@libssh.org",
                      NULL);
    if (add_users_options(&made, machine, target, err) < 0)
        return -1;
    const char *address = machine_address(machine, kind);
    if (address) {
        if (ssh_check_address("address", address, err) < 0)
            return -1;
        made.host = xstrdup(address);
    }
    AUTO_WORDS words = WORDS_INIT;
    words_add_list(&words, words_argv(&made.options));
    /* The extra arguments Ansible adds by itself. */
    if (add_ansibles(&made, target, "ssh_args", target->ssh_args, &words, err) < 0 ||
        add_ansibles(&made, target, "ssh_common_args", target->ssh_common_args, &words, err) < 0 ||
        add_ansibles(&made, target, "ssh_extra_args", target->ssh_extra_args, NULL, err) < 0)
        return -1;
    /* Of -A the last word counts, not the first: what the user's own arguments say,
     * triphase's agent stays here. */
    if (made.own_agent) {
        words_add(&words, "-a");
        words_add(&made.options, "-a");
    }
    struct text joined = TEXT_INIT;
    for (size_t i = 0; i < words.count; i++) {
        if (i)
            text_add_char(&joined, ' ');
        text_add_shell_word(&joined, words.items[i]);
    }
    made.text = text_take(&joined);
    *out = made;
    made = (struct ssh_arguments)SSH_ARGUMENTS_INIT;
    return 0;
}

void ssh_arguments_clear(struct ssh_arguments *arguments)
{
    free(arguments->host);
    free(arguments->text);
    words_clear(&arguments->options);
    *arguments = (struct ssh_arguments)SSH_ARGUMENTS_INIT;
}
