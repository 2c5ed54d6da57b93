#include "ansible/warm.h"

#include "base/deadline.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/words.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    COMMAND_WORDS = 3,     /* interpreter, launcher, ansible-playbook */
    DESCRIPTORS_MOST = 64, /* the order, two for the log, and what the phase keeps: a few secrets */
};
#define OWN         "TRIPHASE_"
#define LEAVE_BOUND NS_PER_S
#define FORK_BOUND  (5 * NS_PER_S)

struct spare {
    struct words command, environment;
    struct child child;
    int gate;
};

static void spare_free(struct spare *spare)
{
    words_clear(&spare->command);
    words_clear(&spare->environment);
    child_close(&spare->child);
    fd_close(&spare->gate);
    free(spare);
}

int warm_begin(const char *mode, const char *const command[COMMAND_WORDS], const char *const *environment,
               const char *directory, const struct scope *scope, struct child *child, int *end,
               struct error *err)
{
    int ends[2];
    if (scope->kind != SCOPE_CGROUP)
        return error_set(err, ERROR_MISSING,
                         "cannot start an interpreter ahead: there is no cgroup to move it from");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return error_system(err, errno, "cannot start an interpreter ahead");
    AUTO_CLOSE int ours = ends[0];
    AUTO_CLOSE int theirs = ends[1];
    AUTO_WORDS argv = WORDS_INIT;
    words_add_all(&argv, command[0], command[1], mode, NULL);
    words_addf(&argv, "%d", theirs);
    words_add(&argv, command[2]);
    struct child_plan plan = {.argv = words_argv(&argv),
                              .environment = environment,
                              .directory = directory,
                              .in = -1,
                              .out = -1,
                              .error = -1,
                              .keep = (const int[]){theirs, -1},
                              .scope = scope};
    if (child_start(&plan, child, err) < 0)
        return -1;
    *end = TAKE_FD(ours);
    return 0;
}

/* Without what the step alone knows, in one order. */
static void add_inherited(struct words *out, const char *const *environment)
{
    for (; *environment; environment++)
        if (strncmp(*environment, OWN, strlen(OWN)) != 0)
            words_add(out, *environment);
    words_sort_unique(out);
}

static struct spare *spare_new(const char *const command[COMMAND_WORDS], const char *const *environment,
                               struct child child, int gate)
{
    struct spare *spare = xcalloc(1, sizeof *spare);
    for (int i = 0; i < COMMAND_WORDS; i++)
        words_add(&spare->command, command[i]);
    add_inherited(&spare->environment, environment);
    spare->child = child;
    spare->gate = gate;
    return spare;
}

int warm_start(const char *const command[COMMAND_WORDS], const char *const *environment,
               const char *directory, const struct scope *scope, struct spare **out, struct error *err)
{
    struct child child = CHILD_INIT;
    int gate = -1;
    if (warm_begin("--ahead", command, environment, directory, scope, &child, &gate, err) < 0)
        return -1;
    *out = spare_new(command, environment, child, gate);
    return 0;
}

/* The gate's other end, to the zygote. */
static int send_gate(int control, int gate, struct error *err)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } message_room = {0};
    char go = '\n';
    struct iovec bytes = {&go, 1};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = message_room.room,
                             .msg_controllen = sizeof message_room.room};
    message_room.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
                                           .cmsg_type = SCM_RIGHTS,
                                           .cmsg_len = CMSG_LEN(sizeof(int))};
    memcpy(CMSG_DATA(&message_room.header), &gate, sizeof gate);
    return sendmsg(control, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1
               ? 0
               : error_system(err, errno, "cannot ask for an interpreter");
}

/* What stands at the other end says first who it is: a child of this process, so that the number is its own
 * until it was waited for. */
static int await_child(int gate, struct child *out, struct error *err)
{
    char said[32] = "";
    ssize_t got = -1;
    if (deadline_poll(&(struct pollfd){.fd = gate, .events = POLLIN}, 1, deadline_in(FORK_BOUND)) > 0)
        got = recv(gate, said, sizeof said - 1, MSG_DONTWAIT);
    long pid = got > 0 ? strtol(said, NULL, 10) : 0;
    if (pid <= 1)
        return error_set(err, ERROR_SYSTEM, "the interpreter for all phases has made none for this one");
    int pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    if (pidfd < 0)
        return error_system(err, errno, "cannot watch process %ld", pid);
    *out = (struct child){(pid_t)pid, pidfd};
    return 0;
}

int warm_fork(int control, const char *const command[COMMAND_WORDS], const char *const *environment,
              struct spare **out, struct error *err)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return error_system(err, errno, "cannot ask for an interpreter");
    AUTO_CLOSE int gate = ends[0];
    AUTO_CLOSE int theirs = ends[1];
    struct child child = CHILD_INIT;
    if (send_gate(control, theirs, err) < 0)
        return -1;
    fd_close(&theirs);
    if (await_child(gate, &child, err) < 0)
        return -1;
    *out = spare_new(command, environment, child, TAKE_FD(gate));
    return 0;
}

static bool starts_with_command(const struct spare *spare, const char *const *argv)
{
    for (size_t i = 0; i < COMMAND_WORDS; i++)
        if (!argv[i] || !text_is(argv[i], spare->command.items[i]))
            return false;
    return true;
}

static bool stands_in(const struct spare *spare, const char *const *environment)
{
    AUTO_WORDS inherited = WORDS_INIT;
    add_inherited(&inherited, environment);
    bool same = inherited.count == spare->environment.count;
    for (size_t i = 0; same && i < inherited.count; i++)
        same = text_is(inherited.items[i], spare->environment.items[i]);
    return same;
}

static size_t count_of(const char *const *list)
{
    size_t count = 0;
    while (list[count])
        count++;
    return count;
}

static void add_word(struct text *order, const char *word)
{
    text_add(order, word);
    text_add_bytes(order, "", 1);
}

/* What the process is to become, in a descriptor of its own: an environment may be larger than any message.
 * `numbers`: where further descriptors go. */
static int write_order(const struct child_plan *plan, const int *numbers, size_t number_count,
                       struct error *err)
{
    AUTO_TEXT order = TEXT_INIT;
    const size_t counts[] = {count_of(plan->argv), count_of(plan->environment), number_count};
    add_word(&order, plan->directory);
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        text_addf(&order, "%zu", counts[i]);
        text_add_bytes(&order, "", 1);
    }
    for (size_t i = 0; i < counts[0]; i++)
        add_word(&order, plan->argv[i]);
    for (size_t i = 0; i < counts[1]; i++)
        add_word(&order, plan->environment[i]);
    for (size_t i = 0; i < number_count; i++) {
        text_addf(&order, "%d", numbers[i]);
        text_add_bytes(&order, "", 1);
    }
    AUTO_CLOSE int fd = memfd_create("triphase-order", MFD_CLOEXEC);
    if (fd < 0 || file_write_all(fd, order.bytes, order.length) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return error_system(err, errno, "cannot tell the interpreter what to run");
    return TAKE_FD(fd);
}

static int send_order(int gate, int order, const int *descriptors, size_t count, struct error *err)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MOST)];
    } control = {0};
    char go = '\n';
    struct iovec bytes = {&go, 1};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = CMSG_SPACE(sizeof(int) * (count + 1))};
    struct cmsghdr *header = &control.header;
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * (count + 1));
    memcpy(CMSG_DATA(header), &order, sizeof order);
    memcpy(CMSG_DATA(header) + sizeof order, descriptors, sizeof(int) * count);
    if (sendmsg(gate, &message, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
        return error_system(err, errno, "cannot tell the interpreter what to run");
    return 0;
}

static int hand_over(struct spare *spare, const struct child_plan *plan, struct error *err)
{
    int numbers[DESCRIPTORS_MOST] = {STDOUT_FILENO, STDERR_FILENO};
    int descriptors[DESCRIPTORS_MOST] = {plan->out, plan->error};
    size_t count = 2;
    for (const int *fd = plan->keep; fd && *fd >= 0; fd++, count++) {
        if (count == DESCRIPTORS_MOST - 1)
            return error_set(err, ERROR_SYSTEM, "the phase keeps more descriptors than one message carries");
        numbers[count] = descriptors[count] = *fd;
    }
    AUTO_CLOSE int order = write_order(plan, numbers, count, err);
    return order < 0 || scope_adopt(plan->scope, spare->child.pid, err) < 0
               ? -1
               : send_order(spare->gate, order, descriptors, count, err);
}

int warm_take(struct spare **spare, const struct child_plan *plan, struct child *out, struct error *err)
{
    struct spare *taken = *spare;
    struct child_end end;
    int result = -1;
    if (!starts_with_command(taken, plan->argv) || !plan->directory || plan->in >= 0)
        error_set(err, ERROR_SYSTEM, "the interpreter that was started ahead is another one");
    else if (!stands_in(taken, plan->environment))
        error_set(err, ERROR_SYSTEM, "the interpreter that was started ahead has another environment");
    else if (child_poll(&taken->child, &end, NULL) != 0)
        error_set(err, ERROR_SYSTEM, "the interpreter that was started ahead is gone");
    else
        result = hand_over(taken, plan, err);
    if (result < 0) {
        warm_dismiss(spare);
        return -1;
    }
    *out = taken->child;
    taken->child = (struct child)CHILD_INIT;
    spare_free(TAKE(*spare));
    return 0;
}

void warm_dismiss(struct spare **spare)
{
    struct spare *left = TAKE(*spare);
    if (!left)
        return;
    fd_close(&left->gate);
    child_await_or_kill(&left->child, LEAVE_BOUND);
    spare_free(left);
}
