#include "stage/look.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "process/look.h"
#include "process/program.h"
#include "redact/sealed.h"
#include "transport/mux_master.h"
#include "transport/ssh_words.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    PROCESSES_MOST = 40,
    WORDS_MOST = 200,
    LINE_MOST = 200,
    LOG_LINES = 8,
    CONSOLE_LINES = 5,
    TAIL = 4096,
    MASTERS_MOST = 8,
    CHECK_BOUND_MS = 500, /* a master answers in 3 ms, or it hangs */
};

struct look {
    const struct json *request;
    struct redact_rules *secrets;
    struct process_look *processes; /* of the step, as the tree is shown */
    int *depths, process_count, process_total;
};

static double milliseconds(int64_t ns)
{
    return (double)(ns / 100000) / 10;
}

static void set_ms(struct json *object, const char *key, int64_t ns)
{
    json_set(object, key, json_new_real(milliseconds(ns)));
}

/* One line as it may be stored: bounded, printable, without secrets. */
static struct json *clean(const struct look *look, const char *bytes, size_t length, size_t most)
{
    AUTO_TEXT printable = TEXT_INIT, out = TEXT_INIT;
    text_add_printable(&printable, bytes, length);
    redact_text(look->secrets, text_string(&printable), printable.length, &out);
    if (out.length > most) {
        /* Not in the middle of a character. */
        while (most && ((unsigned char)out.bytes[most] & 0xc0) == 0x80)
            most--;
        text_truncate(&out, most);
        text_add(&out, "...");
    }
    return json_new_string(text_string(&out));
}

static pid_t *pids_of(const struct json *list, int *count)
{
    size_t total = json_count(list);
    pid_t *pids = xcalloc(total + 1, sizeof *pids);
    for (size_t i = 0; i < total; i++)
        pids[i] = (pid_t)json_integer(json_at(list, i), 0);
    *count = (int)total;
    return pids;
}

/* ---- the parts ---- */

static void set_wchan(struct json *entry, pid_t pid)
{
    AUTO_TEXT wchan = TEXT_INIT;
    process_look_wchan(pid, &wchan);
    json_set_string(entry, "wchan", text_string(&wchan));
}

static struct json *connection(const char *socket, const struct mux_master *master)
{
    static const char *const timers[] = {"none", "retransmit", "keepalive", "other", "window"};
    struct tcp_state tcp;
    struct process_look process;
    bool stopped = false;
    struct json *entry = json_new_object();
    json_set_string(entry, "control", socket);
    json_set_integer(entry, "pid", master->pid);
    if (process_look(master->pid, &process)) {
        json_set_string(entry, "process", (char[]){process.state, '\0'});
        set_wchan(entry, master->pid);
    }
    if (!mux_master_look(master, &stopped, &tcp) || !tcp.state)
        return entry;
    json_set_string(entry, "local", tcp.local);
    json_set_string(entry, "remote", tcp.remote);
    json_set_string(entry, "state", tcp.state);
    json_set_integer(entry, "unacked", tcp.unacked);
    json_set_integer(entry, "backoff", tcp.backoff);
    json_set_integer(entry, "retransmits", tcp.retransmits);
    json_set_integer(entry, "send_queue", tcp.send_queue);
    json_set_integer(entry, "receive_queue", tcp.receive_queue);
    set_ms(entry, "rto_ms", tcp.rto_ns);
    set_ms(entry, "rtt_ms", tcp.rtt_ns);
    set_ms(entry, "last_ack_ms", tcp.ack_age_ns);
    set_ms(entry, "last_received_ms", tcp.received_age_ns);
    set_ms(entry, "last_sent_ms", tcp.sent_age_ns);
    json_set_string(entry, "timer", timers[tcp.timer]);
    set_ms(entry, "timer_ms", tcp.timer_ns);
    return entry;
}

/* Every master of the run over this transport: the target's and those that Ansible opened to others. */
static struct json *look_at_connections(struct look *look)
{
    const char *folder = json_get_string(look->request, "control_directory", NULL);
    int count;
    AUTO_FREE pid_t *pids = pids_of(json_get(look->request, "run_pids"), &count);
    AUTO_WORDS names = WORDS_INIT;
    if (!folder || file_list(folder, &names, NULL) < 0)
        return NULL;
    struct json *list = json_new_array();
    for (size_t i = 0; i < names.count && json_count(list) < MASTERS_MOST; i++) {
        AUTO_FREE char *path = file_join(folder, names.items[i]);
        struct mux_master master;
        if (mux_master_among(pids, count, path, &master))
            json_append(list, connection(names.items[i], &master));
    }
    return list;
}

static void add_children(struct look *look, const struct process_look *all, int count, pid_t parent,
                         int depth)
{
    for (int i = 0; i < count && look->process_count < PROCESSES_MOST; i++) {
        if (all[i].parent != parent)
            continue;
        look->depths[look->process_count] = depth;
        look->processes[look->process_count++] = all[i];
        if (depth < PROCESSES_MOST)
            add_children(look, all, count, all[i].pid, depth + 1);
    }
}

static bool is_member(const struct process_look *all, int count, pid_t pid)
{
    for (int i = 0; i < count; i++)
        if (all[i].pid == pid)
            return true;
    return false;
}

/* Without their words: those can hang. */
static struct json *look_at_processes(struct look *look)
{
    int count, there = 0;
    AUTO_FREE pid_t *pids = pids_of(json_get(look->request, "pids"), &count);
    AUTO_FREE struct process_look *all = xcalloc((size_t)count + 1, sizeof *all);
    for (int i = 0; i < count; i++)
        there += process_look(pids[i], &all[there]);
    look->process_total = there;
    /* Trees begin with whoever's parent is not of the step. */
    for (int i = 0; i < there && look->process_count < PROCESSES_MOST; i++) {
        if (is_member(all, there, all[i].parent))
            continue;
        look->depths[look->process_count] = 0;
        look->processes[look->process_count++] = all[i];
        add_children(look, all, there, all[i].pid, 1);
    }
    struct json *list = json_new_array();
    for (int i = 0; i < look->process_count; i++) {
        const struct process_look *process = &look->processes[i];
        struct json *entry = json_new_object();
        json_set_integer(entry, "pid", process->pid);
        json_set_integer(entry, "depth", look->depths[i]);
        json_set_string(entry, "state", (char[]){process->state, '\0'});
        json_set(entry, "name", clean(look, process->name, strlen(process->name), LINE_MOST));
        set_wchan(entry, process->pid);
        set_ms(entry, "age_ms", process->age_ns);
        json_append(list, entry);
    }
    return list;
}

static struct json *count_processes(struct look *look)
{
    return json_new_integer(look->process_total);
}

static struct json *last_lines(const struct look *look, const char *path, size_t most)
{
    AUTO_TEXT tail = TEXT_INIT;
    struct stat info;
    /* A pipe or a device in its place would hang whoever reads it. */
    if (!path || stat(path, &info) < 0 || !S_ISREG(info.st_mode) ||
        redact_tail(look->secrets, path, TAIL, &tail, NULL) < 0)
        return NULL;
    size_t starts[LOG_LINES + 1], count = 0, end = tail.length;
    while (end && count < most) {
        size_t start = end;
        while (start && tail.bytes[start - 1] != '\n')
            start--;
        size_t length = end - start;
        while (length && strchr("\r\n\t ", tail.bytes[start + length - 1]))
            tail.bytes[start + --length] = '\0';
        if (length)
            starts[count++] = start;
        if (end < tail.length)
            tail.bytes[end] = '\0';
        end = start ? start - 1 : 0;
        if (start)
            tail.bytes[end] = '\0';
    }
    struct json *list = json_new_array();
    while (count--) {
        const char *line = tail.bytes + starts[count];
        json_append(list, clean(look, line, strlen(line), LINE_MOST));
    }
    return list;
}

static struct json *look_at_log(struct look *look)
{
    return last_lines(look, json_get_string(look->request, "log", NULL), LOG_LINES);
}

static struct json *look_at_console(struct look *look)
{
    return last_lines(look, json_get_string(look->request, "console", NULL), CONSOLE_LINES);
}

static struct json *ask_master(struct look *look)
{
    const char *path = json_get_string(look->request, "control_path", NULL);
    if (!path || !file_exists(path))
        return NULL;
    AUTO_TEXT option = TEXT_INIT, said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    text_add(&option, "ControlPath=");
    ssh_add_option_value(&option, path, true);
    const char *const argv[] = {"ssh", "-F", "none", "-O", "check", "-o", text_string(&option),
                                "--",  "x",  NULL};
    struct program program = {.argv = argv, .bound_ns = CHECK_BOUND_MS * NS_PER_MS};
    struct child_end end;
    int64_t since = moment_monotonic();
    int status = program_run(&program, NULL, &said, &end, &err);
    struct json *entry = json_new_object();
    set_ms(entry, "ms", moment_monotonic() - since);
    const char *answer = status == 0                  ? text_string(&said)
                         : err.kind == ERROR_DEADLINE ? "it does not answer"
                                                      : error_text(&err);
    json_set(entry, "answer", clean(look, answer, strcspn(answer, "\r\n"), LINE_MOST));
    return entry;
}

/* In the order of `processes`. The last part: a process that hangs with its memory
 * locked holds its reader too. */
static struct json *read_words(struct look *look)
{
    struct json *list = json_new_array();
    for (int i = 0; i < look->process_count; i++) {
        AUTO_TEXT words = TEXT_INIT;
        process_look_words(look->processes[i].pid, &words);
        json_append(list, clean(look, text_string(&words), words.length, WORDS_MOST));
    }
    return list;
}

static const struct {
    const char *name;
    struct json *(*look)(struct look *);
} parts[] = {
    {"connections", look_at_connections},
    {"processes", look_at_processes},
    {"process_count", count_processes},
    {"log", look_at_log},
    {"console", look_at_console},
    {"mux", ask_master},
    {"words", read_words},
};

void stage_look(const struct json *request, int out)
{
    struct look look = {.request = request,
                        .secrets = redact_rules_new(),
                        .processes = xcalloc(PROCESSES_MOST, sizeof *look.processes),
                        .depths = xcalloc(PROCESSES_MOST, sizeof *look.depths)};
    const struct json *secrets = json_get(request, "secrets");
    for (size_t i = 0; i < json_count(secrets); i++)
        redact_sealed_add(look.secrets, (int)json_integer(json_at(secrets, i), -1));
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        struct json *seen = parts[i].look(&look);
        if (!seen)
            continue;
        AUTO_JSON *line = json_new_object();
        json_set(line, parts[i].name, seen);
        AUTO_FREE char *bytes = json_compact(line);
        AUTO_FREE char *whole = xasprintf("%s\n", bytes);
        file_write_all(out, whole, strlen(whole));
    }
    free(look.processes);
    free(look.depths);
    redact_rules_free(look.secrets);
}
