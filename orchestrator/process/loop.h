/* One epoll loop: descriptors, one-shot monotonic timers, signals. Callbacks run in loop_run, one
 * at a time; any of them may add or remove anything, itself too. Nothing in here blocks but the
 * wait itself. One thread. */
#pragma once
#include "base/error.h"
#include <signal.h>
#include <stdint.h>

struct loop;
struct watch; /* a descriptor under watch; freed by watch_stop or with the loop */
struct timer; /* armed or idle; freed by timer_free or with the loop */

typedef void watch_function(void *context, uint32_t events);
typedef void timer_function(void *context);
typedef void signal_function(void *context, int number);

int loop_new(struct loop **out, struct error *err);
void loop_free(
    struct loop *loop); /* closes what the loop made itself, never a watched descriptor; NULL is fine */
/* `events`: EPOLLIN, EPOLLOUT, EPOLLPRI. The descriptor stays the caller's and must outlive the watch. */
int loop_watch(struct loop *loop, int fd, uint32_t events, watch_function *function, void *context,
               struct watch **out, struct error *err);
void watch_stop(struct watch **watch); /* sets it NULL; a NULL watch is fine */
/* An idle timer. */
struct timer *loop_timer(struct loop *loop, timer_function *function, void *context);
void timer_arm(struct timer *timer,
               int64_t delay_ns); /* from now; re-arms one that is armed; <= 0 fires at the next turn */
void timer_disarm(struct timer *timer);
void timer_free(struct timer **timer);
/* Blocks the signal in this thread (for good: it stays blocked after loop_free) and reads it through a
 * signalfd. One handler a signal. Children must be started with an emptied mask (child.h does). */
int loop_signal(struct loop *loop, int number, signal_function *function, void *context, struct error *err);
/* Runs until loop_stop; 0, or -1 when waiting itself failed. */
int loop_run(struct loop *loop, struct error *err);
void loop_stop(struct loop *loop);
