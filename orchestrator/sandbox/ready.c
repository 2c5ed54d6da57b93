#include "sandbox/ready.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "event/cause.h"
#include "process/program.h"
#include "sandbox/boot.h"

#include <string.h>

enum { PAUSE_MS = 10, CONSOLE_TAIL = 2000, CONSOLE_LINES = 5 };

/* Adds the last lines of the console to the message. */
static int with_console(const struct machine *machine, struct error *err)
{
    AUTO_FREE char *path = file_join(machine->directory, "console.log");
    AUTO_TEXT tail = TEXT_INIT;
    if (file_read_tail(path, CONSOLE_TAIL, &tail, NULL) < 0 || !tail.length || !err)
        return -1;
    size_t at = tail.length;
    for (int lines = 0; at > 0; at--)
        if (tail.bytes[at - 1] == '\n' && at != tail.length && ++lines == CONSOLE_LINES)
            break;
    AUTO_TEXT shown = TEXT_INIT;
    text_addf(&shown, "%s; its console (%s) ended with: ", error_text(err), path);
    for (const char *from = tail.bytes + at; *from;) {
        size_t length = strcspn(from, "\r\n");
        text_add_printable(&shown, from, length);
        from += length;
        from += strspn(from, "\r\n");
        if (*from)
            text_add(&shown, " | ");
    }
    return error_set(err, err->kind, "%s", text_string(&shown));
}

/* 0 as soon as somebody listens there, or where that cannot be told. Nothing connects: the guest's sshd
 * counts what connects and does not log in. */
static int wait_for_port(const struct machine *machine, struct deadline deadline, struct error *err)
{
    if (!machine->address)
        return error_set(err, ERROR_PROVIDER, "the sandbox %s has no address", machine->reference);
    for (;;) {
        if (boot_listens(machine->id, machine->reference, machine->port) != 0)
            return 0;
        bool runs = boot_runs(machine->id);
        if (!runs)
            return error_set(err, ERROR_PROVIDER, "the sandbox %s went down while it started",
                             machine->reference);
        if (deadline_over(deadline))
            return error_set(err, ERROR_PROVIDER, "in the sandbox %s (%s) nobody listens on port %d in time",
                             machine->reference, machine->address, machine->port);
        moment_sleep(PAUSE_MS * NS_PER_MS);
    }
}

/* Runs the question over ssh, by a shell of its own: root's may be any. 0 when it was answered.
 * `answer` gets the state. */
static int ask(const struct machine *machine, struct deadline deadline, struct text *answer,
               const char **cause, struct error *err)
{
    *cause = NULL;
    static const char question[] = "while :; do s=$(systemctl is-system-running 2>/dev/null); case $s in "
                                   "initializing|starting|'') sleep 0.02;; *) break;; "
                                   "esac; done; echo \"triphase $s\"\n";
    AUTO_FREE char *alias = xasprintf("HostKeyAlias=triphase-%s", machine->id);
    AUTO_FREE char *port = xasprintf("%d", machine->port);
    AUTO_FREE char *to = xasprintf("%s@%s", machine->user, machine->address);
    /* Somebody listens there, who may be slow to say who he is. */
    AUTO_FREE char *connect = xasprintf("ConnectTimeout=%d", (int)(deadline_left(deadline) / NS_PER_S) + 1);
    /* Paths relative to the machine's folder: nothing in the project's path can be taken for a
     * pattern or a second file. */
    const char *const argv[] = {
        "ssh", "-F", "/dev/null", "-T", "-i", "key", "-p", port, "-o", "IdentitiesOnly=yes", "-o",
        "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=known_hosts", "-o",
        "GlobalKnownHostsFile=/dev/null", "-o", alias, "-o", connect, "-o", "LogLevel=ERROR",
        /* Half the time of the post-quantum default, which matters on no wire of this machine. */
        "-o", "KexAlgorithms=^curve25519-sha256,curve25519-sha256@libssh.org", "--", to, "exec /bin/sh",
        NULL};
    struct program program = {.argv = argv,
                              .input = question,
                              .directory = machine->directory,
                              .bound_ns = deadline_left(deadline)};
    struct child_end end;
    AUTO_TEXT out = TEXT_INIT;
    AUTO_TEXT said = TEXT_INIT;
    if (program_run(&program, &out, &said, &end, err) < 0)
        return -1;
    *cause = cause_of_text(text_string(&said));
    if (!end.exited || end.code != 0)
        return error_set(err, ERROR_PROVIDER, "no authenticated channel to the sandbox %s (%s): %.*s",
                         machine->reference, machine->address, (int)strcspn(text_string(&said), "\r\n"),
                         text_string(&said));
    const char *state = strstr(text_string(&out), "triphase ");
    if (!state)
        return error_set(err, ERROR_PROVIDER, "the sandbox %s answered something else than it was asked",
                         machine->reference);
    text_add(answer, state + strlen("triphase "));
    return 0;
}

int ready_wait(const struct machine *machine, struct deadline deadline, struct error *err)
{
    AUTO_ERROR last = ERROR_INIT;
    if (wait_for_port(machine, deadline, &last) < 0) {
        with_console(machine, &last);
        return error_move(err, &last);
    }
    for (int tries = 1;; tries++) {
        AUTO_TEXT state = TEXT_INIT;
        const char *cause;
        AUTO_ERROR failed = ERROR_INIT;
        int answered = ask(machine, deadline, &state, &cause, &failed);
        /* One that was only cut off by the bound tells less than what is known. */
        if (answered < 0 && (failed.kind != ERROR_DEADLINE || last.kind == ERROR_NONE))
            error_move(&last, &failed);
        if (answered == 0) {
            if (text_is(text_string(&state), "running\n") || text_is(text_string(&state), "degraded\n"))
                return 0;
            error_set(&last, ERROR_PROVIDER, "the sandbox %s is %.*s", machine->reference,
                      (int)strcspn(text_string(&state), "\n"), text_string(&state));
        }
        if (last.kind == ERROR_MISSING)
            return error_move(err, &last);
        bool runs = boot_runs(machine->id);
        int64_t pause = cause ? cause_pause_ns(cause, tries) : PAUSE_MS * NS_PER_MS;
        if (!runs || deadline_left(deadline) <= pause) {
            error_prefix(&last, runs ? "not ready in time" : "it went down while it started");
            with_console(machine, &last);
            return error_move(err, &last);
        }
        moment_sleep(pause);
    }
}
