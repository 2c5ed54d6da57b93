/* One process as /proc shows it. What is read for process_look never waits for the process, also when that
 * hangs in the kernel; its words can (they lie in its memory), so they are a call of their own for whoever
 * may wait. Source: proc(5). */
#pragma once
#include "base/text.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_look {
    pid_t pid, parent, session;
    bool no_exec; /* it was forked and has called no exec since */
    char state;   /* R S D T t Z … */
    char name[64];
    int64_t start; /* as process_start_time */
    int64_t age_ns;
};

/* False when it is gone. */
bool process_look(pid_t pid, struct process_look *out);
/* Adds where in the kernel it waits; nothing when it runs, or that may not be known. */
void process_look_wchan(pid_t pid, struct text *out);
/* Adds its argv, printable, words set apart by blanks. Can block. */
void process_look_words(pid_t pid, struct text *out);
