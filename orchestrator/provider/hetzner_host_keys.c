#include "provider/hetzner_host_keys.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "config/text_rules.h"
#include "event/cause.h"
#include "event/step_log.h"
#include "process/program.h"
#include "provider/hetzner_user_data.h"
#include "provider/machine_folder.h"
#include "transport/known_hosts.h"
#include "transport/ssh_options.h"

#include <string.h>

#define TRY_BOUND (30 * NS_PER_S)
/* cloud-init is at work: the login itself was fine. */
#define PAUSE_AT_WORK NS_PER_S

enum { ALIVE_COUNT = 8, NOT_YET = 75 };

/* A folder of its own in the machine's: the key, and where it is known. */
static char *folder_of(const struct machine *machine)
{
    return file_join(machine->directory, "first");
}

bool hetzner_host_keys_are_learnt(const struct target *target)
{
    return target->host_key_kind == HOST_KEYS_DEFAULT;
}

const char *hetzner_host_keys_by(const struct target *target)
{
    return hetzner_host_keys_are_learnt(target)            ? "throw-away key"
           : target->host_key_kind == HOST_KEYS_ACCEPT_NEW ? "accept-new"
                                                           : "given";
}

int hetzner_host_keys_prepare(const struct machine *machine, struct text *private_key, struct error *err)
{
    AUTO_FREE char *folder = folder_of(machine), *path = file_join(folder, "host_key"),
                   *public = file_join(folder, "host_key.pub");
    if (file_make_dirs(folder, 0700, err) < 0)
        return -1;
    /* The public half is written last. */
    if (!file_exists(public) && machine_folder_make_key(folder, "host_key", "triphase", err) < 0)
        return -1;
    return file_read(path, HETZNER_USER_DATA_MOST, private_key, err);
}

void hetzner_host_keys_forget(const struct machine *machine)
{
    AUTO_FREE char *folder = folder_of(machine);
    file_remove_tree(folder, NULL);
}

void hetzner_host_keys_read(const char *said, struct words *out)
{
    for (const char *line = said; *line; line += strspn(line, "\r\n")) {
        size_t length = strcspn(line, "\r\n"), type = strcspn(line, " \r\n");
        size_t key = type < length ? strcspn(line + type + 1, " \r\n") : 0;
        AUTO_FREE char *two = xstrndup(line, key ? type + 1 + key : length);
        AUTO_FREE char *problem = key ? value_host_key_problem(two) : xstrdup("");
        if (!problem && !words_have(out, two))
            words_add(out, two);
        line += length;
    }
}

struct way {
    struct ssh_arguments ssh;
    char *command;
};

/* How the host is reached for this one connection: a copy of the machine that is known by what is pinned. The
 * cloud lets root in; where the image does not, the target's user, who may become root. */
struct first {
    struct machine *machine;
    struct target target;
    char *project;
    struct way ways[2];
    int count;
};

static void first_clear(struct first *first)
{
    machine_free(first->machine);
    free(first->project);
    for (size_t i = 0; i < COUNT_OF(first->ways); i++) {
        ssh_arguments_clear(&first->ways[i].ssh);
        free(first->ways[i].command);
    }
}

static int add_way(struct first *first, const char *user, struct error *err)
{
    bool is_root = text_is(user, "root");
    AUTO_TEXT by_sudo = TEXT_INIT;
    struct way *way = &first->ways[first->count++];
    text_add(&by_sudo, "sudo -n sh -c ");
    text_add_shell_word(&by_sudo, hetzner_user_data_collect);
    way->command = is_root ? xstrdup(hetzner_user_data_collect) : text_take(&by_sudo);
    free(first->machine->user);
    first->machine->user = xstrdup(user);
    return ssh_arguments_make(first->machine, &first->target, TRANSPORT_DIRECT, NULL, NULL,
                              SSH_ALIVE_INTERVAL, ALIVE_COUNT, &way->ssh, err);
}

static int first_make(const struct target *target, const struct machine *machine, struct first *out,
                      struct error *err)
{
    AUTO_TEXT public = TEXT_INIT;
    AUTO_FREE char *folder = folder_of(machine);
    if (machine_folder_read(folder, "host_key.pub", &public, err) < 0)
        return -1;
    out->target = *target;
    out->project = machine_project(machine);
    out->machine = machine_copy(machine);
    free(out->machine->directory);
    out->machine->directory = xstrdup(folder);
    words_clear(&out->machine->host_keys);
    words_add(&out->machine->host_keys, text_string(&public));
    if (known_hosts_write(out->machine, &out->target, out->project, err) < 0 || add_way(out, "root", err) < 0)
        return -1;
    return machine->user && !text_is(machine->user, "root") ? add_way(out, machine->user, err) : 0;
}

/* One connection: 0 where all was done; else NOT_YET, or -1 with why not, and `keys` all the same where they
 * came. */
static int ask(const struct first *first, const struct way *way, struct deadline deadline, struct words *keys,
               struct error *err)
{
    AUTO_WORDS argv = WORDS_INIT;
    AUTO_TEXT out = TEXT_INIT, said = TEXT_INIT;
    struct child_end end = {0};
    int64_t left = deadline_left(deadline);
    words_add_all(&argv, "ssh", "-T", NULL);
    words_add_list(&argv, words_argv(&way->ssh.options));
    words_add_all(&argv, "--", way->ssh.host, way->command, NULL);
    struct program program = {.argv = words_argv(&argv),
                              .directory = first->project,
                              .bound_ns = left < TRY_BOUND ? left : TRY_BOUND,
                              .keeps_output = true};
    int ran = program_run(&program, &out, &said, &end, err);
    AUTO_FREE char *words = program_last_words(&said);
    hetzner_host_keys_read(text_string(&out), keys);
    if (ran < 0)
        return -1;
    if (end.code == NOT_YET) {
        error_set(err, ERROR_UNREACHABLE, "its cloud-init is at work");
        return NOT_YET;
    }
    if (end.code)
        return error_set(err, ERROR_UNREACHABLE, "ssh ended with %d%s", end.code, words);
    return keys->count ? 0 : error_set(err, ERROR_UNREACHABLE, "the host told no key of its own");
}

static int learn(struct first *first, struct deadline deadline, struct words *keys, struct error *err)
{
    AUTO_FREE char *told = NULL;
    for (int tries = 1;; tries++) {
        AUTO_ERROR why = ERROR_INIT;
        int asked = ask(first, &first->ways[(tries - 1) % first->count], deadline, keys, &why);
        if (asked == 0)
            return 0;
        int64_t pause =
            asked == NOT_YET ? PAUSE_AT_WORK : cause_pause_ns(cause_of_text(error_text(&why)), tries);
        if (why.kind == ERROR_MISSING)
            return error_move(err, &why);
        if (deadline_left(deadline) <= pause)
            return error_set(err, ERROR_PROVIDER,
                             "the server's own host keys could not be read with the throw-away one of its "
                             "user_data: %s",
                             error_text(&why));
        if (!text_is(told, error_text(&why)))
            step_log_say("%s: not yet: %s", first->machine->address, error_text(&why));
        free(told);
        told = xstrdup(error_text(&why));
        /* What was told counts already; the throw-away key may be gone by now. */
        if (keys->count) {
            words_add_list(&first->machine->host_keys, words_argv(keys));
            words_sort_unique(&first->machine->host_keys);
            if (known_hosts_write(first->machine, &first->target, first->project, err) < 0)
                return -1;
        }
        moment_sleep(pause);
    }
}

int hetzner_host_keys_learn(const struct target *target, struct machine *machine, struct deadline deadline,
                            struct error *err)
{
    __attribute__((cleanup(first_clear))) struct first first = {
        .ways = {{.ssh = SSH_ARGUMENTS_INIT}, {.ssh = SSH_ARGUMENTS_INIT}}};
    AUTO_WORDS keys = WORDS_INIT;
    if (first_make(target, machine, &first, err) < 0 || learn(&first, deadline, &keys, err) < 0)
        return -1;
    words_clear(&machine->host_keys);
    words_add_list(&machine->host_keys, words_argv(&keys));
    hetzner_host_keys_forget(machine);
    return 0;
}
