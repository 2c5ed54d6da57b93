/* Where this machine's own tailscaled lives (the one that `triphase up` started), and what is written down
 * of it: $XDG_STATE_HOME/triphase/tailnet, for root /var/lib/triphase-tailnet; 0700. All of it is one
 * user's: behind sudo it is root's daemon. Every returned string is malloc'ed. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* NULL where a user has neither XDG_STATE_HOME nor a home. */
char *tailnet_place_directory(void);
/* Paths below it: "tailscaled.sock", "tailscaled.state", "tailscaled.log", "daemon.json", "lock", …; NULL
 * where there is no directory. */
char *tailnet_place_file(const char *name);
char *tailnet_place_socket(void);
/* The socket of our own daemon where that is running now (its process, by pid, start time and boot, is
 * alive), else NULL. Asks nobody and waits for nothing. */
char *tailnet_place_running_socket(void);
/* The SOCKS5 port on loopback of our own daemon, likewise; 0: it does not run, or has none. */
int tailnet_place_running_socks5(void);
/* Makes the folder, 0700; one that is somebody else's, a link, or that others may write in is refused
 * (ERROR_PROJECT), as is one whose path is too long for a socket in it. */
int tailnet_place_make(struct error *err);

/* What daemon.json holds. It is written before the daemon is started (then without a pid) and after. */
struct tailnet_place_daemon {
    char id[40];   /* of this daemon's life; it bears it as a mark in its environment */
    pid_t pid;     /* 0: it was about to be started */
    int64_t start; /* process_start_time */
    char boot[40]; /* of the kernel it runs under */
    bool tun;      /* else userspace networking */
    int socks5;    /* port on loopback, 0: none */
};

/* The mark of that life, NAME=VALUE. */
char *tailnet_place_mark(const struct tailnet_place_daemon *daemon);
/* 1 and what is written there; 0 where nothing is; -1 where it cannot be read, or says something else. */
int tailnet_place_read(struct tailnet_place_daemon *out, struct error *err);
int tailnet_place_write(const struct tailnet_place_daemon *daemon, struct error *err);
/* Whether the process that is written down is alive. */
bool tailnet_place_alive(const struct tailnet_place_daemon *daemon);
