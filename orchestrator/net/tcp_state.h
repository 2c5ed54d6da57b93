/* TCP connections of a process as the kernel sees them, from outside and without touching them: what is
 * unacknowledged, for how long, which timer runs. The first look finds a process's connections; each further
 * one asks for one of them by its name, which costs microseconds however many the machine has. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* What names one connection to the kernel; valid as long as that lives. */
struct tcp_socket {
    int family;
    unsigned char id[48]; /* struct inet_diag_sockid */
};

enum tcp_timer {
    TCP_TIMER_NONE,
    TCP_TIMER_RETRANSMIT,
    TCP_TIMER_KEEPALIVE,
    TCP_TIMER_OTHER,
    TCP_TIMER_WINDOW
};

struct tcp_state {
    char local[64], remote[64]; /* "10.0.0.2:22", "[fe80::1]:22" */
    const char *state;          /* "established", … static */
    bool established;
    uint32_t unacked;                   /* segments sent and not acknowledged */
    uint32_t backoff, retransmits;      /* doublings of the timer; tries of the oldest segment */
    uint32_t retransmitted;             /* segments ever sent again */
    uint32_t send_queue, receive_queue; /* bytes not acknowledged; bytes the program has not read */
    int64_t rto_ns, rtt_ns;
    int64_t ack_age_ns;                   /* since the peer last acknowledged anything at all, also by data */
    int64_t received_age_ns, sent_age_ns; /* since data last came; since data was last sent, again too */
    enum tcp_timer timer;
    int64_t timer_ns; /* until it strikes */
};

/* Its connections, at most `most`; their number (0: none, or not to be looked at), -1 where
 * the kernel tells nothing. */
int tcp_state_find(pid_t pid, struct tcp_socket *out, int most, struct error *err);
/* Whom it leads to, for connect(2); its length. */
socklen_t tcp_state_peer(const struct tcp_socket *socket, struct sockaddr_storage *out);
/* Of a descriptor of this process's own, also of one that came to its end: 0; 1 where it is no connection of
 * TCP. The queues and the timer are not told, and so 0. */
int tcp_state_of(int fd, struct tcp_state *out, struct error *err);
/* 0; 1 when the connection is gone; -1 where the kernel tells nothing. */
int tcp_state_look(const struct tcp_socket *socket, struct tcp_state *out, struct error *err);
