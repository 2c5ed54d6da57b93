#include "net/socket_diag.h"

#include "base/memory.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INODES_MOST = 1024, REQUEST_MOST = 128, LISTENING = 1 << 10 /* TCP_LISTEN, for Unix sockets too */ };

/* What one read brought. 1: more is to come, 0: that was all (the one that was named may
 * be gone), -1 with errno. */
static int take(const char *buffer, size_t size, bool dump, bool *wanted, socket_diag_answer *answer,
                void *context)
{
    for (const struct nlmsghdr *at = (const void *)buffer; NLMSG_OK(at, size); at = NLMSG_NEXT(at, size)) {
        if (at->nlmsg_type == NLMSG_DONE)
            return 0;
        if (at->nlmsg_type == NLMSG_ERROR) {
            const struct nlmsgerr *failed = NLMSG_DATA(at);
            errno = -failed->error;
            return errno == ENOENT ? 0 : -1;
        }
        if (at->nlmsg_type == SOCK_DIAG_BY_FAMILY && *wanted)
            *wanted = answer(context, NLMSG_DATA(at), NLMSG_PAYLOAD(at, 0));
        if (!dump)
            return 0;
    }
    return 1;
}

int socket_diag_ask(const void *request, size_t length, bool dump, socket_diag_answer *answer, void *context,
                    struct error *err)
{
    struct {
        struct nlmsghdr header;
        char body[REQUEST_MOST];
    } message = {.header = {.nlmsg_len = (uint32_t)(sizeof(struct nlmsghdr) + length),
                            .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                            .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (dump ? NLM_F_DUMP : 0))}};
    char buffer[32768] __attribute__((aligned(__alignof__(struct nlmsghdr))));
    AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (length > sizeof message.body)
        return error_set(err, ERROR_SYSTEM, "a question of %zu bytes about sockets is too long", length);
    memcpy(message.body, request, length);
    if (fd < 0 || send(fd, &message, message.header.nlmsg_len, MSG_DONTWAIT) < 0)
        return error_system(err, errno, "cannot ask the kernel about sockets");
    for (bool wanted = true;;) {
        ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
        int more = got < 0 ? -1 : take(buffer, (size_t)got, dump, &wanted, answer, context);
        if (more < 0)
            return error_system(err, errno, "the kernel tells nothing about sockets");
        if (more != 1)
            return 0;
    }
}

const void *socket_diag_attribute(const void *payload, size_t length, size_t header, int type, size_t *size)
{
    header = NLMSG_ALIGN(header);
    if (length < header)
        return NULL;
    size_t left = length - header;
    for (const struct rtattr *at = (const void *)((const char *)payload + header); RTA_OK(at, left);
         at = RTA_NEXT(at, left))
        if (at->rta_type == type) {
            *size = RTA_PAYLOAD(at);
            return RTA_DATA(at);
        }
    return NULL;
}

struct search {
    const char *path;
    uint32_t file, found;
    bool sure;
};

static bool is_its_name(const char *name, size_t size, const char *path)
{
    size_t length = strlen(path);
    while (size && !name[size - 1])
        size--;
    return size >= length && memcmp(name, path, length) == 0 && (size == length || name[length] == '.');
}

static bool see_listener(void *context, const void *payload, size_t length)
{
    struct search *search = context;
    const struct unix_diag_msg *message = payload;
    size_t size, file_size;
    const char *name = socket_diag_attribute(payload, length, sizeof *message, UNIX_DIAG_NAME, &size);
    if (!name || !is_its_name(name, size, search->path))
        return true;
    const struct unix_diag_vfs *file =
        socket_diag_attribute(payload, length, sizeof *message, UNIX_DIAG_VFS, &file_size);
    search->found = message->udiag_ino;
    search->sure = file && file_size >= sizeof *file && file->udiag_vfs_ino == search->file;
    return !search->sure;
}

uint32_t socket_diag_listener(const char *path)
{
    struct stat info;
    if (lstat(path, &info) < 0 || !S_ISSOCK(info.st_mode))
        return 0;
    struct unix_diag_req request = {.sdiag_family = AF_UNIX,
                                    .udiag_states = LISTENING,
                                    .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS,
                                    .udiag_cookie = {~0U, ~0U}};
    struct search search = {.path = path, .file = (uint32_t)info.st_ino};
    return socket_diag_ask(&request, sizeof request, true, see_listener, &search, NULL) == 0 ? search.found
                                                                                             : 0;
}

int socket_diag_inodes(pid_t pid, uint32_t *inodes, int most)
{
    AUTO_FREE char *folder = xasprintf("/proc/%d/fd", (int)pid);
    DIR *list = opendir(folder);
    int count = 0;
    if (!list)
        return 0;
    for (struct dirent *entry; count < most && (entry = readdir(list));) {
        char target[64];
        ssize_t length = readlinkat(dirfd(list), entry->d_name, target, sizeof target - 1);
        if (length <= 0)
            continue;
        target[length] = '\0';
        if (text_starts(target, "socket:["))
            inodes[count++] = (uint32_t)strtoul(target + strlen("socket:["), NULL, 10);
    }
    closedir(list);
    return count;
}

pid_t socket_diag_holder(uint32_t inode, const pid_t *pids, int count)
{
    uint32_t inodes[INODES_MOST];
    for (int i = 0; i < count; i++)
        for (int at = socket_diag_inodes(pids[i], inodes, INODES_MOST); at-- > 0;)
            if (inodes[at] == inode)
                return pids[i];
    return 0;
}
