#include "tailnet/own_lock.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "config/tailnet_place.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <unistd.h>

/* Where inotify is not to be had, and for a holder that went between the look and the watch. */
#define LOOK_EVERY (500 * NS_PER_MS)

/* Until somebody closes the file that was open for writing, or it is time for another look. */
static void wait_for_a_change(int watcher, struct deadline deadline)
{
    char events[4096];
    struct pollfd closed = {.fd = watcher, .events = POLLIN};
    if (deadline_poll(&closed, 1, deadline_earlier(deadline, deadline_in(LOOK_EVERY))) > 0)
        (void)!read(watcher, events, sizeof events);
}

int own_lock_take(struct deadline deadline, int *out_fd, struct error *err)
{
    AUTO_FREE char *path = tailnet_place_file("lock");
    AUTO_CLOSE int fd = file_create(path, O_RDWR, 0600);
    AUTO_CLOSE int watcher = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0)
        return error_system(err, errno, "cannot open the lock %s", path);
    if (watcher >= 0)
        inotify_add_watch(watcher, path, IN_CLOSE_WRITE);
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return error_system(err, errno, "cannot take the lock %s", path);
        if (deadline_over(deadline))
            return error_set(
                err, ERROR_BUSY,
                "another 'triphase up' is at work on this machine's tailscaled and did not end in "
                "time (lock %s); try again when it has",
                path);
        wait_for_a_change(watcher, deadline);
    }
    *out_fd = TAKE_FD(fd);
    return 0;
}
