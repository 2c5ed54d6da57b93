#include "store/batch.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

/* Who waits for the lock looks every 100 ms at the latest. */
static const int64_t pause_least_ns = 2 * NS_PER_MS, pause_most_ns = 300 * NS_PER_MS;
static const int64_t piece_ns = 50 * NS_PER_MS;

bool store_batch_is_long(int64_t began_ns)
{
    return moment_monotonic() - began_ns >= piece_ns;
}

void store_batch_pause(int64_t began_ns)
{
    int64_t took_ns = moment_monotonic() - began_ns;
    int64_t pause = took_ns < pause_least_ns  ? pause_least_ns
                    : took_ns > pause_most_ns ? pause_most_ns
                                              : took_ns;
    nanosleep(&(struct timespec){.tv_sec = pause / NS_PER_S, .tv_nsec = pause % NS_PER_S}, NULL);
}

int store_batch(struct sql *db, int (*work)(struct sql *db, void *context, struct error *err), void *context,
                struct error *err)
{
    if (sql_begin(db, err) < 0)
        return -1;
    int64_t began = moment_monotonic();
    int result = work(db, context, err);
    if (result < 0 || sql_commit(db, err) < 0) {
        sql_rollback(db);
        return -1;
    }
    store_batch_pause(began);
    return result;
}

int store_batch_alone(const char *store, int *out, struct error *err)
{
    AUTO_FREE char *folder = file_parent(store);
    AUTO_CLOSE int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_system(err, errno, "cannot open %s", folder);
    /* A file system that locks no folder leaves it at that. */
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return error_set(err, ERROR_BUSY, "another process removes rows of %s at this moment; try again",
                         store);
    *out = TAKE_FD(fd);
    return 0;
}
