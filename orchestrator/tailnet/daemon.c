#include "tailnet/daemon.h"

#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/words.h"
#include "net/local_socket.h"
#include "process/child.h"
#include "process/look.h"
#include "process/marked.h"
#include "tailnet/local_api.h"
#include "tailnet/own_environment.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Between two looks at what no event could be had of, and, should one be missed, of what tells. */
#define LOOK_EVERY  (20 * NS_PER_MS)
#define TOLD_WITHIN NS_PER_S
/* Of one that runs already. */
#define ANSWER_BOUND (5 * NS_PER_S)
/* It ends its connections and takes its routes away. */
#define TERM_BOUND (5 * NS_PER_S)

enum { LOG_MOST = 16 << 20, LOG_TAIL = 4096 };

/* What it starts for others (logins over Tailscale SSH) bears the mark too: the daemon is the oldest. */
static bool find_by_mark(struct tailnet_place_daemon *daemon)
{
    AUTO_FREE char *mark = tailnet_place_mark(daemon), *boot = process_boot_id();
    AUTO_FREE pid_t *pids = NULL;
    int count = marked_find(mark, &pids, NULL);
    struct process_look oldest = {.pid = 0}, one;
    for (int i = 0; i < count; i++)
        if (process_look(pids[i], &one) && one.state != 'Z' && (!oldest.pid || one.start < oldest.start))
            oldest = one;
    if (!oldest.pid)
        return false;
    daemon->pid = oldest.pid;
    daemon->start = oldest.start;
    memcpy(daemon->boot, boot, strlen(boot) + 1);
    return true;
}

int daemon_look(struct tailnet_place_daemon *out, enum daemon_life *life, struct error *err)
{
    struct tailnet_place_daemon found = {.pid = 0};
    int there = tailnet_place_read(&found, err);
    if (there < 0)
        return -1;
    bool runs = there && (tailnet_place_alive(&found) || (found.pid == 0 && find_by_mark(&found)));
    *out = found;
    *life = runs ? DAEMON_RUNS : there ? DAEMON_DEAD : DAEMON_NONE;
    return 0;
}

bool daemon_holds_socket(const struct tailnet_place_daemon *daemon)
{
    AUTO_FREE char *path = tailnet_place_socket();
    AUTO_CLOSE int fd = path ? local_socket_connect(path) : -1;
    struct ucred holder;
    socklen_t size = sizeof holder;
    return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &holder, &size) == 0 &&
           holder.pid == daemon->pid;
}

void daemon_trim_log(void)
{
    AUTO_FREE char *path = tailnet_place_file("tailscaled.log");
    struct stat state;
    if (path && lstat(path, &state) == 0 && S_ISREG(state.st_mode) && state.st_size > LOG_MOST)
        (void)!truncate(path, 0);
}

/* A free port of loopback: the daemon takes no number from us that somebody has. */
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, size) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        return 0;
    return ntohs(address.sin_port);
}

bool daemon_tun_is_there(void)
{
    struct if_nameindex *all = if_nameindex();
    bool there = false;
    for (struct if_nameindex *one = all; one && one->if_name; one++)
        there = there || text_starts(one->if_name, "tailscale");
    if_freenameindex(all);
    return there;
}

static void words_of(const struct daemon_order *order, const struct tailnet_place_daemon *daemon,
                     struct words *out)
{
    AUTO_FREE char *directory = tailnet_place_directory(), *socket = tailnet_place_socket(),
                   *state = tailnet_place_file("tailscaled.state");
    words_add(out, order->program);
    words_addf(out, "--tun=%s", daemon->tun ? "tailscale0" : "userspace-networking");
    words_addf(out, "--socket=%s", socket);
    words_addf(out, "--state=%s", state);
    words_addf(out, "--statedir=%s", directory);
    words_add(out, "--port=0");
    if (daemon->socks5)
        words_addf(out, "--socks5-server=127.0.0.1:%d", daemon->socks5);
}

static int launch(const struct daemon_order *order, const struct tailnet_place_daemon *daemon,
                  struct child *out, struct error *err)
{
    AUTO_FREE char *log = tailnet_place_file("tailscaled.log"), *mark = tailnet_place_mark(daemon),
                   *directory = tailnet_place_directory();
    AUTO_CLOSE int fd = file_create(log, O_WRONLY | O_APPEND, 0600);
    AUTO_WORDS argv = WORDS_INIT, environment = WORDS_INIT;
    if (fd < 0)
        return error_system(err, errno, "cannot open the log %s", log);
    words_of(order, daemon, &argv);
    own_environment(&environment);
    words_add(&environment, mark);
    struct child_plan plan = {.argv = words_argv(&argv),
                              .environment = words_argv(&environment),
                              .directory = directory,
                              .in = -1,
                              .out = fd,
                              .error = fd};
    return child_start(&plan, out, err);
}

/* The last line that says why: what comes behind it is about the end itself. */
static char *last_words(int64_t from)
{
    AUTO_FREE char *path = tailnet_place_file("tailscaled.log");
    AUTO_TEXT tail = TEXT_INIT, out = TEXT_INIT;
    struct stat state;
    int64_t room = lstat(path, &state) == 0 && state.st_size > from ? state.st_size - from : 0;
    if (!room || file_read_tail(path, room < LOG_TAIL ? (size_t)room : LOG_TAIL, &tail, NULL) < 0)
        return xstrdup("");
    while (tail.length && strchr("\r\n ", tail.bytes[tail.length - 1]))
        text_truncate(&tail, tail.length - 1);
    const char *line = strrchr(text_string(&tail), '\n');
    line = line ? line + 1 : text_string(&tail);
    text_add(&out, ": ");
    text_add_printable(&out, line, strlen(line));
    return text_take(&out);
}

static int64_t log_length(void)
{
    AUTO_FREE char *path = tailnet_place_file("tailscaled.log");
    struct stat state;
    return lstat(path, &state) == 0 ? state.st_size : 0;
}

static bool answers(const struct tailnet_place_daemon *daemon, struct deadline deadline)
{
    AUTO_FREE char *socket = tailnet_place_socket();
    AUTO_TAILNET_STATUS status = {.state = NULL};
    return daemon_holds_socket(daemon) && local_api_status(socket, false, deadline, &status, NULL) == 0;
}

/* What happens to its socket: it is made, and once somebody listens on it its mode is set. -1 where none can
 * be had. */
static int watch_socket(void)
{
    AUTO_FREE char *directory = tailnet_place_directory();
    AUTO_CLOSE int watcher = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watcher < 0 || inotify_add_watch(watcher, directory, IN_CREATE | IN_MOVED_TO | IN_ATTRIB) < 0)
        return -1;
    return TAKE_FD(watcher);
}

/* Until it answers, its process (a pidfd, -1: none could be had) ends, or the time is up. A daemon that
 * listens and has not yet made what answers holds the question until it has. */
static bool await_answer(const struct tailnet_place_daemon *daemon, int process, struct deadline deadline)
{
    AUTO_CLOSE int watcher = watch_socket();
    while (!answers(daemon, deadline)) {
        char events[4096];
        struct pollfd look[] = {{.fd = process, .events = POLLIN}, {.fd = watcher, .events = POLLIN}};
        if (deadline_over(deadline))
            return false;
        int64_t most = process < 0 || watcher < 0 ? LOOK_EVERY : TOLD_WITHIN;
        deadline_poll(look, COUNT_OF(look), deadline_earlier(deadline, deadline_in(most)));
        if (look[0].revents || !tailnet_place_alive(daemon))
            return false;
        while (watcher >= 0 && read(watcher, events, sizeof events) > 0)
            ;
    }
    return true;
}

bool daemon_await_answer(const struct tailnet_place_daemon *daemon, struct deadline deadline)
{
    AUTO_CLOSE int process = (int)syscall(SYS_pidfd_open, daemon->pid, 0);
    return await_answer(daemon, process, deadline_earlier(deadline, deadline_in(ANSWER_BOUND)));
}

static int end_it(struct child *child)
{
    child_signal(child, SIGKILL);
    child_await(child, NS_PER_S);
    return -1;
}

static int await_start(const struct daemon_order *order, struct tailnet_place_daemon *daemon,
                       struct child *child, int64_t log_from, struct deadline deadline, struct error *err)
{
    struct child_end end = {0};
    AUTO_FREE char *boot = process_boot_id();
    daemon->pid = child->pid;
    daemon->start = process_start_time(child->pid);
    memcpy(daemon->boot, boot, strlen(boot) + 1);
    if (tailnet_place_write(daemon, err) < 0)
        return end_it(child);
    if (await_answer(daemon, child->pidfd, deadline))
        return 0;
    bool ended = child_poll(child, &end, NULL) == 1;
    AUTO_FREE char *said = last_words(log_from), *log = tailnet_place_file("tailscaled.log");
    if (!ended) {
        error_set(err, ERROR_DEADLINE,
                  "%s was started and did not answer on its socket in time%s (its log is %s)", order->program,
                  said, log);
        return end_it(child);
    }
    AUTO_FREE char *how = child_end_text(&end);
    return error_set(err, ERROR_SYSTEM, "%s %s as soon as it was started%s (its log is %s)", order->program,
                     how, said, log);
}

int daemon_start(const struct daemon_order *order, struct deadline deadline, struct tailnet_place_daemon *out,
                 struct error *err)
{
    struct tailnet_place_daemon daemon = {.tun = order->tun};
    struct child child = CHILD_INIT;
    char id[ID_SIZE];
    id_make(id);
    memcpy(daemon.id, id, sizeof id);
    daemon.socks5 = order->socks5 ? free_port() : 0;
    /* Written before: whoever finds it so looks for the mark. */
    int64_t log_from = log_length();
    if (tailnet_place_write(&daemon, err) < 0 || launch(order, &daemon, &child, err) < 0)
        return -1;
    int result = await_start(order, &daemon, &child, log_from, deadline, err);
    child_close(&child);
    if (result == 0)
        *out = daemon;
    return result;
}

/* Waits for the end of a process that may be nobody's child of ours. */
static bool is_gone(const struct tailnet_place_daemon *daemon, int handle, struct deadline deadline)
{
    struct pollfd ended = {.fd = handle, .events = POLLIN};
    while (process_alive(daemon->pid, daemon->start) && !deadline_over(deadline))
        deadline_poll(&ended, 1, handle < 0 ? deadline_earlier(deadline, deadline_in(LOOK_EVERY)) : deadline);
    return !process_alive(daemon->pid, daemon->start);
}

int daemon_stop(const struct tailnet_place_daemon *daemon, struct deadline deadline, struct error *err)
{
    AUTO_CLOSE int handle = (int)syscall(SYS_pidfd_open, daemon->pid, 0);
    static const int numbers[] = {SIGTERM, SIGKILL};
    bool gone = !process_alive(daemon->pid, daemon->start);
    for (size_t i = 0; i < COUNT_OF(numbers) && !gone; i++) {
        /* The handle was opened on that process, or that process is gone. */
        if (handle >= 0 ? syscall(SYS_pidfd_send_signal, handle, numbers[i], NULL, 0)
                        : kill(daemon->pid, numbers[i]))
            if (errno != ESRCH)
                return error_system(err, errno, "cannot end our tailscaled (process %d)", (int)daemon->pid);
        gone = is_gone(daemon, handle, deadline_earlier(deadline, deadline_in(TERM_BOUND)));
    }
    if (!gone)
        return error_set(err, ERROR_DEADLINE, "our tailscaled (process %d) did not end, not by KILL either",
                         (int)daemon->pid);
    return 0;
}

static bool stays(const char *name)
{
    static const char *const names[] = {"lock", "tailscaled.log", "daemon.json", NULL};
    return text_is_one_of(name, names);
}

int daemon_forget(struct error *err)
{
    AUTO_FREE char *directory = tailnet_place_directory(), *record = tailnet_place_file("daemon.json");
    AUTO_WORDS names = WORDS_INIT;
    if (file_list(directory, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *path = file_join(directory, names.items[i]);
        if (!stays(names.items[i]) && file_remove_tree(path, err) < 0)
            return -1;
    }
    if (unlink(record) < 0 && errno != ENOENT)
        return error_system(err, errno, "cannot remove %s", record);
    return 0;
}
