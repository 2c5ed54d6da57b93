#include "net/tcp_state.h"

#include "base/memory.h"
#include "base/moment.h"
#include "net/socket_diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { INODES_MOST = 1024, ESTABLISHED = 1, LISTENING = 10, TIME_WAITING = 6, STATES = 12 };

_Static_assert(sizeof(struct inet_diag_sockid) == sizeof((struct tcp_socket){0}.id), "a connection's name");

struct search {
    const uint32_t *inodes;
    int inode_count;
    struct tcp_socket *out;
    int count, most;
};

static bool see_connection(void *context, const void *payload, size_t length)
{
    struct search *search = context;
    const struct inet_diag_msg *message = payload;
    if (length < sizeof *message)
        return true;
    for (int i = 0; i < search->inode_count; i++) {
        if (search->inodes[i] != message->idiag_inode)
            continue;
        struct tcp_socket *found = &search->out[search->count++];
        found->family = message->idiag_family;
        memcpy(found->id, &message->id, sizeof found->id);
        break;
    }
    return search->count < search->most;
}

int tcp_state_find(pid_t pid, struct tcp_socket *out, int most, struct error *err)
{
    uint32_t inodes[INODES_MOST];
    struct search search = {.inodes = inodes,
                            .inode_count = socket_diag_inodes(pid, inodes, INODES_MOST),
                            .out = out,
                            .most = most};
    static const uint8_t families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < COUNT_OF(families) && search.inode_count && search.count < most; i++) {
        struct inet_diag_req_v2 request = {.sdiag_family = families[i],
                                           .sdiag_protocol = IPPROTO_TCP,
                                           .idiag_states = ~(1U << LISTENING | 1U << TIME_WAITING)};
        if (socket_diag_ask(&request, sizeof request, true, see_connection, &search, err) < 0)
            return -1;
    }
    return search.count;
}

static void show_address(int family, const void *address, uint16_t port, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";
    inet_ntop(family, address, host, sizeof host);
    snprintf(out, size, family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, (unsigned)ntohs(port));
}

static int64_t milliseconds(uint32_t ms)
{
    return (int64_t)ms * NS_PER_MS;
}

static const char *name_of(unsigned state)
{
    static const char *const names[STATES] = {"?",          "established", "syn-sent",  "syn-received",
                                              "fin-wait-1", "fin-wait-2",  "time-wait", "closed",
                                              "close-wait", "last-ack",    "listening", "closing"};
    return names[state < STATES ? state : 0];
}

static struct tcp_state state_of(const struct tcp_info *info, unsigned state)
{
    return (struct tcp_state){
        .state = name_of(state),
        .established = state == ESTABLISHED,
        .unacked = info->tcpi_unacked,
        .backoff = info->tcpi_backoff,
        .retransmits = info->tcpi_retransmits,
        .retransmitted = info->tcpi_total_retrans,
        .rto_ns = (int64_t)info->tcpi_rto * 1000,
        .rtt_ns = (int64_t)info->tcpi_rtt * 1000,
        .ack_age_ns = milliseconds(info->tcpi_last_ack_recv),
        .received_age_ns = milliseconds(info->tcpi_last_data_recv),
        .sent_age_ns = milliseconds(info->tcpi_last_data_sent),
    };
}

static bool see_state(void *context, const void *payload, size_t length)
{
    struct tcp_state *out = context;
    const struct inet_diag_msg *message = payload;
    struct tcp_info info = {0};
    size_t size;
    const void *told = length < sizeof *message
                           ? NULL
                           : socket_diag_attribute(payload, length, sizeof *message, INET_DIAG_INFO, &size);
    if (!told)
        return true;
    /* Kernels differ in how much they tell; what is used here has been there for long. */
    memcpy(&info, told, size < sizeof info ? size : sizeof info);
    *out = state_of(&info, message->idiag_state);
    out->send_queue = message->idiag_wqueue;
    out->receive_queue = message->idiag_rqueue;
    out->timer = (enum tcp_timer)(message->idiag_timer <= TCP_TIMER_WINDOW ? message->idiag_timer : 0);
    out->timer_ns = milliseconds(message->idiag_expires);
    show_address(message->idiag_family, message->id.idiag_src, message->id.idiag_sport, out->local,
                 sizeof out->local);
    show_address(message->idiag_family, message->id.idiag_dst, message->id.idiag_dport, out->remote,
                 sizeof out->remote);
    return false;
}

socklen_t tcp_state_peer(const struct tcp_socket *socket, struct sockaddr_storage *out)
{
    struct inet_diag_sockid id;
    memcpy(&id, socket->id, sizeof id);
    *out = (struct sockaddr_storage){.ss_family = (sa_family_t)socket->family};
    if (socket->family == AF_INET6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
        v6->sin6_port = id.idiag_dport;
        /* A link-local address means something on its own link only. */
        v6->sin6_scope_id = id.idiag_if;
        memcpy(&v6->sin6_addr, id.idiag_dst, sizeof v6->sin6_addr);
        return sizeof *v6;
    }
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    v4->sin_port = id.idiag_dport;
    memcpy(&v4->sin_addr, id.idiag_dst, sizeof v4->sin_addr);
    return sizeof *v4;
}

static void show_end(const struct sockaddr_storage *end, char *out, size_t size)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)end;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)end;
    if (end->ss_family == AF_INET6)
        show_address(AF_INET6, &v6->sin6_addr, v6->sin6_port, out, size);
    else if (end->ss_family == AF_INET)
        show_address(AF_INET, &v4->sin_addr, v4->sin_port, out, size);
}

int tcp_state_of(int fd, struct tcp_state *out, struct error *err)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return errno == EOPNOTSUPP || errno == ENOPROTOOPT
                   ? 1
                   : error_system(err, errno, "cannot ask the kernel for the state of a connection");
    *out = state_of(&info, info.tcpi_state);
    struct sockaddr_storage local = {0}, remote = {0};
    socklen_t local_size = sizeof local, remote_size = sizeof remote;
    (void)getsockname(fd, (struct sockaddr *)&local, &local_size);
    (void)getpeername(fd, (struct sockaddr *)&remote, &remote_size);
    show_end(&local, out->local, sizeof out->local);
    show_end(&remote, out->remote, sizeof out->remote);
    return 0;
}

int tcp_state_look(const struct tcp_socket *socket, struct tcp_state *out, struct error *err)
{
    struct inet_diag_req_v2 request = {.sdiag_family = (uint8_t)socket->family,
                                       .sdiag_protocol = IPPROTO_TCP,
                                       .idiag_ext = 1 << (INET_DIAG_INFO - 1),
                                       .idiag_states = ~0U};
    memcpy(&request.id, socket->id, sizeof request.id);
    struct tcp_state seen = {0};
    int result = socket_diag_ask(&request, sizeof request, false, see_state, &seen, err);
    if (result < 0 || !seen.state)
        return result < 0 ? -1 : 1;
    *out = seen;
    return 0;
}
