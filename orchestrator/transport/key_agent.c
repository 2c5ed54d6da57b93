#include "transport/key_agent.h"

#include "base/deadline.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/invoker.h"
#include "config/layout.h"
#include "config/provider_facts.h"
#include "process/offspring.h"
#include "process/program.h"
#include "transport/ssh_options.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Key derivation is slow on purpose: with many rounds a key takes seconds to open. */
#define OPEN_BOUND   (60 * NS_PER_S)
#define ASK_BOUND    (5 * NS_PER_S)
#define ANSWER_BOUND (5 * NS_PER_S)

enum { PASSPHRASE_MAX = 1023 }; /* what ssh takes from an askpass */

/* It is started with the prompt as its argument, and inherits stdin. A second asking finds the end of it, so
 * that a wrong passphrase is not tried for ever. */
static const char askpass[] = "#!/bin/sh\nexec cat\n";

static char *key_path(const struct project *project, const struct machine *machine)
{
    AUTO_INVOKER invoker = {.home = NULL};
    invoker_find(NULL, &invoker);
    AUTO_FREE char *expanded = invoker_expand(&invoker, machine->key);
    return file_join(project->directory, expanded);
}

/* Path of the askpass; it holds no secret and stays in the project's .triphase, which programs can be run
 * from. What stands there from before, be it a link or another's program, would be given the passphrase: it
 * is put in its place anew each time. */
static char *lay_down_askpass(const struct project *project, struct error *err)
{
    AUTO_INVOKER invoker = {.home = NULL};
    AUTO_FREE char *state = layout_state(project->directory);
    AUTO_FREE char *path = file_join(state, "askpass");
    if (file_make_dirs(state, 0700, err) < 0 || file_replace(path, askpass, strlen(askpass), 0700, err) < 0)
        return NULL;
    invoker_find(NULL, &invoker);
    invoker_own(&invoker, path);
    return TAKE(path);
}

static void add_path(struct words *environment)
{
    const char *path = getenv("PATH");
    words_set_env(environment, "PATH", path && *path ? path : FILE_USUAL_PATH);
}

static int read_passphrase(const struct project *project, const struct target *target, char **out,
                           size_t *length, struct error *err)
{
    if (secret_read(&target->key_passphrase, project->directory, out, length, err) < 0)
        return error_prefix(err, "target %s, key_passphrase", target->name);
    if (strlen(*out) == *length && *length <= PASSPHRASE_MAX && !strpbrk(*out, "\r\n"))
        return 0;
    memory_free_secret(TAKE(*out), *length);
    return error_set(
        err, ERROR_PROJECT,
        "target %s: key_passphrase is no passphrase that ssh could be given: one line of at most %d bytes",
        target->name, (int)PASSPHRASE_MAX);
}

/* Runs one of OpenSSH's programs that may ask for the passphrase. 0 when it ended with 0. */
static int run_asking(const struct project *project, const char *const *argv, const char *socket,
                      const char *passphrase, struct text *out, struct text *said, struct error *err)
{
    AUTO_FREE char *asks = lay_down_askpass(project, err);
    if (!asks)
        return -1;
    AUTO_WORDS environment = WORDS_INIT;
    add_path(&environment);
    words_set_env(&environment, "SSH_ASKPASS", asks);
    words_set_env(&environment, "SSH_ASKPASS_REQUIRE", "force");
    if (socket)
        words_set_env(&environment, "SSH_AUTH_SOCK", socket);
    struct program program = {
        .argv = argv, .environment = words_argv(&environment), .input = passphrase, .bound_ns = OPEN_BOUND};
    struct child_end end;
    if (program_run(&program, out, said, &end, err) < 0)
        return -1;
    if (end.code == 0)
        return 0;
    AUTO_TEXT shown = TEXT_INIT;
    size_t length = strcspn(text_string(said), "\r\n");
    text_add_printable(&shown, text_string(said), length);
    return error_set(err, ERROR_PROJECT, "%s exited with %d: %s", argv[0], end.code, text_string(&shown));
}

/* The key's public part, "type base64 comment\n"; that it could be had shows that the passphrase is right. */
static int open_key(const struct project *project, const struct target *target, const char *key,
                    const char *passphrase, struct text *public_key, struct error *err)
{
    AUTO_TEXT said = TEXT_INIT;
    const char *const argv[] = {"ssh-keygen", "-y", "-f", key, NULL};
    AUTO_ERROR why = ERROR_INIT;
    int there = file_look(key, &why);
    if (there < 0)
        return error_set(err, ERROR_PROJECT, "target %s, key: %s", target->name, error_text(&why));
    if (!there)
        return error_set(err, ERROR_PROJECT,
                         "target %s: there is no private key %s, whose passphrase was given", target->name,
                         key);
    if (run_asking(project, argv, NULL, passphrase, public_key, &said, err) == 0)
        return 0;
    if (strstr(text_string(&said), "incorrect passphrase"))
        return error_set(
            err, ERROR_PROJECT,
            "target %s: key_passphrase does not open the key %s; give the passphrase of this key, and try "
            "it with 'ssh-keygen -y -f %s'",
            target->name, key, key);
    return error_prefix(err, "target %s: the key %s cannot be opened", target->name, key);
}

int key_agent_check(const struct project *project, const struct target *target, const struct machine *machine,
                    struct error *err)
{
    if (target->key_passphrase.kind == SECRET_NONE || provider_facts(machine->provider)->own_key)
        return 0;
    if (!ssh_needs_agent(machine, target))
        return error_set(
            err, ERROR_PROJECT,
            "target %s: key_passphrase is given, but not what it opens; say 'key: PATH' of the private key",
            target->name);
    char *passphrase = NULL;
    size_t length = 0;
    if (read_passphrase(project, target, &passphrase, &length, err) < 0)
        return -1;
    AUTO_FREE char *key = key_path(project, machine);
    AUTO_TEXT public_key = TEXT_INIT;
    int result = open_key(project, target, key, passphrase, &public_key, err);
    memory_free_secret(passphrase, length);
    return result;
}

static bool answers(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(socket_path);
    if (length >= sizeof address.sun_path)
        return false;
    memcpy(address.sun_path, socket_path, length);
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
}

/* ssh-agent hides its environment, so that without a cgroup an ordinary user's scope could not find it.
 * It is therefore started around a program that can be found and does nothing: once that is gone
 * ssh-agent ends by itself. */
static int start(const struct key_agent *agent, const char *socket_path, struct error *err)
{
    AUTO_WORDS environment = WORDS_INIT;
    const char *const argv[] = {"ssh-agent", "-a", socket_path, "sleep", "infinity", NULL};
    add_path(&environment);
    words_add_all(&environment, agent->marker, OFFSPRING_STAYS, NULL);
    (void)unlink(socket_path);
    struct child_plan plan = {.argv = argv,
                              .environment = words_argv(&environment),
                              .directory = "/",
                              .in = -1,
                              .out = -1,
                              .error = -1,
                              .scope = agent->scope};
    struct child child = CHILD_INIT;
    if (child_start(&plan, &child, err) < 0)
        return -1;
    struct child_end end;
    bool is_there = false;
    for (struct deadline deadline = deadline_in(ANSWER_BOUND); !(is_there = answers(socket_path)) &&
                                                               child_poll(&child, &end, NULL) == 0 &&
                                                               !deadline_over(deadline);)
        nanosleep(&(struct timespec){.tv_nsec = 2 * NS_PER_MS}, NULL);
    if (!is_there)
        child_signal(&child, SIGKILL);
    child_close(&child);
    return is_there
               ? 0
               : error_set(err, ERROR_SYSTEM,
                           "ssh-agent does not answer at %s; 'ssh-agent -a PATH' may say why", socket_path);
}

/* Whether the agent has the key of this file already. */
static bool holds(const char *socket_path, const char *public_path)
{
    AUTO_TEXT wanted = TEXT_INIT, held = TEXT_INIT;
    AUTO_WORDS environment = WORDS_INIT;
    const char *const argv[] = {"ssh-add", "-L", NULL};
    add_path(&environment);
    words_set_env(&environment, "SSH_AUTH_SOCK", socket_path);
    struct program program = {.argv = argv, .environment = words_argv(&environment), .bound_ns = ASK_BOUND};
    struct child_end end;
    if (file_read(public_path, 1 << 16, &wanted, NULL) < 0 ||
        program_run(&program, &held, NULL, &end, NULL) < 0)
        return false;
    /* Type and key without the comment, which the agent has its own idea of. */
    size_t type = strcspn(text_string(&wanted), " ");
    if (!wanted.length || !wanted.bytes[type])
        return false;
    text_truncate(&wanted, type + 1 + strcspn(wanted.bytes + type + 1, " \n"));
    return strstr(text_string(&held), text_string(&wanted)) != NULL;
}

static int load(const struct key_agent *agent, const struct target *target, const char *key,
                const char *socket_path, const char *public_path, const char *passphrase, struct error *err)
{
    AUTO_TEXT public_key = TEXT_INIT, said = TEXT_INIT;
    const char *const argv[] = {"ssh-add", "-q", key, NULL};
    if (open_key(agent->project, target, key, passphrase, &public_key, err) < 0 ||
        file_replace(public_path, text_string(&public_key), public_key.length, 0600, err) < 0 ||
        (!answers(socket_path) && start(agent, socket_path, err) < 0))
        return -1;
    if (run_asking(agent->project, argv, socket_path, passphrase, NULL, &said, err) < 0)
        return error_prefix(err, "target %s: the key %s cannot be given to an agent", target->name, key);
    return 0;
}

int key_agent_load(const struct key_agent *agent, const struct target *target, const struct machine *machine,
                   struct error *err)
{
    if (!ssh_needs_agent(machine, target))
        return 0;
    AUTO_FREE char *socket_path = file_join(agent->directory, SSH_AGENT_SOCKET);
    AUTO_FREE char *public_path = ssh_agent_public_key(agent->directory, target);
    if (answers(socket_path) && holds(socket_path, public_path))
        return 0;
    char *passphrase = NULL;
    size_t length = 0;
    if (read_passphrase(agent->project, target, &passphrase, &length, err) < 0)
        return -1;
    AUTO_FREE char *key = key_path(agent->project, machine);
    int result = load(agent, target, key, socket_path, public_path, passphrase, err);
    memory_free_secret(passphrase, length);
    return result;
}
