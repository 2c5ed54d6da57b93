/* The provider `command`: programs of the user's make, verify and remove the host, and tell what there is
 * (triphase-provider(7)). What they need later is written down before the first of them runs; the program
 * that removes is called with whatever is known, also after one that crashed. */
#include "base/deadline.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/marks.h"
#include "event/step_log.h"
#include "process/offspring.h"
#include "provider/command_call.h"
#include "provider/due.h"
#include "provider/machine_folder.h"
#include "provider/provider.h"
#include "sandbox/owner.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* A failure that time mends is tried again after so long, doubling. */
#define PAUSE_FIRST (1 * NS_PER_S)
#define PAUSE_MOST  (30 * NS_PER_S)
/* For clearing away what a failed program left, beyond the bound of making. */
#define REMOVE_BOUND (60 * NS_PER_S)
#define LIST_BOUND   (60 * NS_PER_S)
/* How long what a killed program left running may take to be gone. */
#define END_BOUND (5 * NS_PER_S)

/* In the machine's folder, from before its first program runs until its absence was seen: what is known of
 * it, `{}` or the last answer. The row learns of an answer later than that. */
#define NOTE "answer.json"

enum { SSH_PORT = 22 };

static int64_t longer(int64_t pause)
{
    return pause * 2 < PAUSE_MOST ? pause * 2 : PAUSE_MOST;
}

static int check(const struct target *target, struct error *err)
{
    for (int kind = 0; kind < COMMAND_KINDS; kind++) {
        const struct words *words = command_request_words(target, (enum command_kind)kind);
        const char *name = command_kind_name((enum command_kind)kind);
        if (!words->count && kind == COMMAND_LIST)
            continue; /* the only one that may be missing */
        if (!words->count)
            return error_set(err, ERROR_PROJECT, "'%s' of target %s is an empty list", name, target->name);
        bool is_path = strchr(words->items[0], '/');
        AUTO_FREE char *found = is_path ? NULL : file_find_program(words->items[0], NULL);
        if (!is_path && !found)
            return error_set(err, ERROR_MISSING, "'%s' of target %s: there is no program %s in PATH", name,
                             target->name, words->items[0]);
    }
    return 0;
}

static int plan(const struct target *target, struct machine *machine, struct error *err)
{
    char name[SANDBOX_NAME_SIZE];
    if (sandbox_name(machine->id, name, err) < 0)
        return -1;
    if (!machine->reference)
        machine->reference = xstrdup(name);
    command_request_note(target, machine);
    return 0;
}

static struct command_request request_of(enum command_kind kind, const struct target *target,
                                         const struct machine *machine, const char *directory,
                                         int64_t bound_ns)
{
    return (struct command_request){.kind = kind,
                                    .target = target,
                                    .machine = machine,
                                    .project = machine->project,
                                    .directory = directory,
                                    .run = marks_own_run(),
                                    .bound_ns = bound_ns};
}

static int write_note(const struct machine *machine, const struct json *answer, struct error *err)
{
    AUTO_FREE char *path = file_join(machine->directory, NOTE), *text = answer ? json_compact(answer) : NULL;
    const char *content = text ? text : "{}";
    return file_replace(path, content, strlen(content), 0600, err) < 0
               ? -1
               : machine_folder_settle(machine->directory, err);
}

/* Whether a program that makes it may have run. What it answered comes into the machine, where the row does
 * not have it. */
static bool has_begun(struct machine *machine)
{
    AUTO_FREE char *path = machine->directory ? file_join(machine->directory, NOTE) : NULL;
    AUTO_TEXT content = TEXT_INIT;
    if (json_is_object(json_get(machine->resources, COMMAND_ANSWER)))
        return true;
    if (!path || !file_exists(path))
        return false;
    if (file_read(path, COMMAND_ANSWER_MOST, &content, NULL) == 0) {
        AUTO_JSON *answer = command_answer_parse(text_string(&content), content.length, NULL);
        if (json_count(answer))
            json_set(machine->resources, COMMAND_ANSWER, TAKE(answer));
    }
    return true;
}

static void forget_note(const struct machine *machine)
{
    AUTO_FREE char *path = machine->directory ? file_join(machine->directory, NOTE) : NULL;
    if (path)
        unlink(path);
}

/* Asks `verify`, `remove` or `list`: 0 and what it said, which the caller reads; else -1. It is asked again
 * as long as time may mend it and the bound is not over. */
static int ask(const struct command_request *once, struct command_said *said, struct error *err)
{
    const struct deadline deadline = deadline_in(once->bound_ns);
    struct command_request request = *once;
    for (int64_t pause = PAUSE_FIRST;; pause = longer(pause)) {
        AUTO_ERROR why = ERROR_INIT;
        command_said_clear(said);
        request.bound_ns = deadline_left(deadline);
        if (command_call(&request, said, err) < 0)
            return -1;
        if (!said->why.kind)
            return 0;
        error_move(&why, &said->why);
        if (said->code != COMMAND_TRANSIENT || deadline_left(deadline) <= pause)
            return error_move(err, &why);
        step_log_say("%s; asked again in %d s", error_text(&why), (int)(pause / NS_PER_S));
        moment_sleep(pause);
    }
}

static int ask_state(const struct command_request *request, enum command_state *out, struct error *err)
{
    AUTO_COMMAND_SAID said = COMMAND_SAID_INIT;
    return ask(request, &said, err) < 0 ? -1 : command_answer_state(said.answer, out, err);
}

static int remove_host(const struct target *target, struct machine *machine, int64_t bound_ns,
                       struct error *err)
{
    enum command_state state = COMMAND_UNKNOWN;
    AUTO_FREE char *directory = machine_project(machine);
    if (!has_begun(machine))
        return 0;
    const struct command_request request = request_of(COMMAND_REMOVE, target, machine, directory, bound_ns);
    if (ask_state(&request, &state, err) < 0)
        return error_prefix(err, "whether the host %s of target %s is gone is not known", machine->reference,
                            machine->target);
    if (state == COMMAND_PRESENT)
        return error_set(err, ERROR_PROVIDER, "the host %s of target %s is still there, says its program",
                         machine->reference, machine->target);
    forget_note(machine);
    json_set(machine->resources, COMMAND_ANSWER, json_new_null());
    return 0;
}

/* What a program that makes left running, in whatever session: it would go on making beside the one that
 * removes. */
static void end_its_offspring(void)
{
    const struct deadline bound = deadline_in(END_BOUND);
    while (!deadline_over(bound)) {
        AUTO_FREE pid_t *pids = NULL;
        int count = offspring_find(NULL, 0, &pids);
        for (int i = 0; i < count; i++)
            kill(pids[i], SIGKILL);
        if (count <= 0)
            return;
        moment_sleep(10 * NS_PER_MS);
    }
}

/* It may have made something before it failed: that goes, and the message says whether it did. Whether it
 * did: a second one is made only then. */
static bool clear_away(const struct target *target, struct machine *machine, const struct command_said *said,
                       struct error *why)
{
    AUTO_ERROR left = ERROR_INIT;
    end_its_offspring();
    /* Its answer is in the note. */
    bool gone = remove_host(target, machine, REMOVE_BOUND, &left) == 0;
    error_set(why, said->why.kind, "%s; %s%s", error_text(&said->why),
              gone ? "what it may have made was removed" : "and ", gone ? "" : error_text(&left));
    return gone;
}

static int settle(const struct target *target, struct machine *machine, struct error *err)
{
    if (!machine->port)
        machine->port = target->port ? target->port : SSH_PORT;
    if (!machine->user)
        machine->user = xstrdup_or_null(target->user);
    if (!machine->key)
        machine->key = xstrdup_or_null(target->key);
    if (!machine->jump)
        machine->jump = xstrdup_or_null(target->jump);
    if (machine_has_host_key(machine) || target->host_key_kind != HOST_KEYS_DEFAULT)
        return 0;
    return error_set(
        err, ERROR_PROVIDER,
        "no host key of %s is known: let `make` answer host_keys, or give host_keys in the target",
        machine->address);
}

static int make(const struct target *target, struct machine *machine, struct error *err)
{
    AUTO_FREE char *directory = machine_project(machine);
    const struct deadline deadline = deadline_in(target->provision_ns);
    if (file_make_dirs(machine->directory, 0700, err) < 0)
        return -1;
    /* Orphans of the program's come here, and are found. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int64_t pause = PAUSE_FIRST;; pause = longer(pause)) {
        AUTO_COMMAND_SAID said = COMMAND_SAID_INIT;
        AUTO_ERROR why = ERROR_INIT;
        const struct command_request request =
            request_of(COMMAND_MAKE, target, machine, directory, deadline_left(deadline));
        if (write_note(machine, NULL, err) < 0)
            return -1;
        if (command_call(&request, &said, err) < 0) {
            /* It did not run, and what ran before it is gone. */
            forget_note(machine);
            return -1;
        }
        if (said.answer && write_note(machine, said.answer, err) < 0)
            return -1;
        if (!said.why.kind && command_answer_made(said.answer, machine, &said.why) == 0 &&
            settle(target, machine, &said.why) == 0)
            return 0;
        if (!clear_away(target, machine, &said, &why) || said.code != COMMAND_TRANSIENT ||
            deadline_left(deadline) <= pause)
            return error_move(err, &why);
        step_log_say("%s; tried again in %d s", error_text(&why), (int)(pause / NS_PER_S));
        moment_sleep(pause);
    }
}

static int verify(const struct target *target, struct machine *machine, int64_t bound_ns, struct error *err)
{
    enum command_state state = COMMAND_UNKNOWN;
    AUTO_FREE char *directory = machine_project(machine);
    const struct command_request request = request_of(COMMAND_VERIFY, target, machine, directory, bound_ns);
    if (ask_state(&request, &state, err) < 0)
        return error_prefix(err, "whether the host %s of target %s is there is not known", machine->reference,
                            machine->target);
    if (state == COMMAND_ABSENT)
        return error_set(err, ERROR_PROVIDER,
                         "the host %s of target %s is gone, says its program: destroy it", machine->reference,
                         machine->target);
    return 0;
}

static int list(const struct project *project, const struct target *target, struct listing *out,
                struct error *err)
{
    AUTO_COMMAND_SAID said = COMMAND_SAID_INIT;
    if (!target || !target->list.count)
        return error_set(err, ERROR_PROJECT, "no program lists what is there: the target has no 'list'");
    const struct command_request request = {.kind = COMMAND_LIST,
                                            .target = target,
                                            .project = project->name,
                                            .directory = project->directory,
                                            .run = marks_own_run(),
                                            .bound_ns = LIST_BOUND};
    return ask(&request, &said, err) < 0 ? -1 : command_answer_hosts(said.answer, out, err);
}

/* It may have been put off since it was listed: 1 where it still is what it was, 0 where it is gone. */
static int still_due(const struct project *project, const struct target *target, const struct listed *listed,
                     struct error *err)
{
    AUTO_LISTING now = {0};
    int64_t ahead = 0;
    if (list(project, target, &now, err) < 0)
        return -1;
    const struct listed *found = listing_find(&now, listed->reference);
    if (!found)
        return 0;
    if (!text_is(found->project_id, listed->project_id) || !text_is(found->machine, listed->machine) ||
        found->kept_by || !found->expires_ns ||
        found->expires_ns > due_now(now.now_ns, moment_wall(), &ahead))
        return error_set(err, ERROR_PROVIDER, "the host %s is not past its time any more, and is left alone",
                         listed->reference);
    return 1;
}

/* By the target's own programs: those that it was made by are written down nowhere here. */
static int remove_listed(const struct project *project, const struct target *target,
                         const struct listed *listed, int64_t bound_ns, struct error *err)
{
    enum command_state state = COMMAND_UNKNOWN;
    AUTO_MACHINE *machine = machine_new();
    int due = still_due(project, target, listed, err);
    if (due <= 0)
        return due;
    machine->id = xstrdup_or_null(listed->machine);
    machine->target = xstrdup(listed->target ? listed->target : target->name);
    command_request_note(target, machine);
    const struct command_request request = {.kind = COMMAND_REMOVE,
                                            .target = target,
                                            .machine = machine,
                                            .listed = listed,
                                            .project = project->name,
                                            .directory = project->directory,
                                            .run = marks_own_run(),
                                            .bound_ns = bound_ns};
    if (ask_state(&request, &state, err) < 0)
        return error_prefix(err, "whether the host %s is gone is not known", listed->reference);
    return state == COMMAND_PRESENT
               ? error_set(err, ERROR_PROVIDER, "the host %s is still there, says its program",
                           listed->reference)
               : 0;
}

/* Told to the program that verifies: `list` is to say it. */
static int expire(const struct target *target, const struct machine *machine, struct error *err)
{
    enum command_state state = COMMAND_UNKNOWN;
    AUTO_FREE char *directory = machine_project(machine);
    if (!target->list.count)
        return 0;
    const struct command_request request =
        request_of(COMMAND_VERIFY, target, machine, directory, target->ready_ns);
    return ask_state(&request, &state, err);
}

const struct provider provider_command = {
    .check = check,
    .plan = plan,
    .make = make,
    .verify = verify,
    .remove = remove_host,
    .list = list,
    .remove_listed = remove_listed,
    .expire = expire,
};
