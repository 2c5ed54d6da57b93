#include "diagnose/look.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "net/knock.h"
#include "net/local_socket.h"
#include "process/program.h"
#include "tailnet/local_api.h"
#include "tailnet/tun.h"
#include "tailnet/tun_advice.h"
#include "transport/master_control.h"
#include "transport/route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NAME_S = 6,
    DAEMON_S = 2,
    KNOCK_S = 3,
    PING_S = 2,
    PINGS = 3,
    OTHER_PORT = 1 /* where nobody listens */
};

/* ---- This machine ---- */

/* Where packets to the address leave from; false where there is no way, or it is a name. */
static bool find_source(const char *address, struct sockaddr_storage *out)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM}, *found = NULL;
    if (!address || getaddrinfo(address, "9", &hints, &found) != 0)
        return false;
    AUTO_CLOSE int fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof *out;
    bool there = fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0 &&
                 getsockname(fd, (struct sockaddr *)out, &size) == 0;
    freeaddrinfo(found);
    return there;
}

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
    if (!a || a->sa_family != b->sa_family)
        return false;
    if (a->sa_family == AF_INET)
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    return a->sa_family == AF_INET6 && memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
                                              &((const struct sockaddr_in6 *)b)->sin6_addr, 16) == 0;
}

static void add_interface(const char *name, struct text *out)
{
    struct ifreq wanted = {0};
    AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(wanted.ifr_name, name, strnlen(name, sizeof wanted.ifr_name - 1));
    text_add(out, name);
    if (fd >= 0 && ioctl(fd, SIOCGIFMTU, &wanted) == 0)
        text_addf(out, ", mtu %d", wanted.ifr_mtu);
}

/* "eth0, mtu 1500, no /dev/net/tun, no NET_ADMIN, in a container (docker)". malloc'ed. */
static char *network_of(const char *address)
{
    struct sockaddr_storage source;
    struct ifaddrs *all = NULL;
    AUTO_TEXT out = TEXT_INIT;
    if (find_source(address, &source) && getifaddrs(&all) == 0)
        for (struct ifaddrs *at = all; at && !out.length; at = at->ifa_next)
            if (same_address(at->ifa_addr, (struct sockaddr *)&source))
                add_interface(at->ifa_name, &out);
    freeifaddrs(all);
    if (!out.length)
        text_add(&out, "no way to the address");
    if (!file_exists("/dev/net/tun"))
        text_add(&out, ", no /dev/net/tun");
    if (!tun_net_admin())
        text_add(&out, ", no NET_ADMIN");
    const char *container = tun_advice_container();
    if (container)
        text_addf(&out, ", in a container (%s)", container);
    return text_take(&out);
}

static bool is_numeric(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* By a child: a resolver may take as long as it likes. */
static void look_up(const char *name, struct surroundings *out)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_TEXT said = TEXT_INIT;
    struct child_end end = {0};
    const char *const argv[] = {"getent", "ahosts", name, NULL};
    const struct program program = {.argv = argv, .bound_ns = NAME_S * NS_PER_S};
    out->name = xstrdup(name);
    if (program_run(&program, &said, NULL, &end, &err) < 0) {
        if (err.kind == ERROR_DEADLINE)
            out->name_error = xstrdup("no name server answers");
    } else if (end.code != 0) {
        out->name_error = xstrdup("there is no such name");
    }
}

/* ---- Daemons ---- */

static const char *daemon_state(const struct error *failed)
{
    return failed->kind == ERROR_MISSING    ? "absent"
           : failed->kind == ERROR_DEADLINE ? "silent"
                                            : "not-running";
}

static void look_at_daemon(const struct cell_order *order, struct surroundings_way *way)
{
    AUTO_ERROR err = ERROR_INIT;
    struct tailnet_status status = {0};
    const char *address = machine_address(order->machine, order->kind);
    if (local_api_status(order->target->tailscale_socket, true, deadline_in(DAEMON_S * NS_PER_S), &status,
                         &err) < 0) {
        way->daemon = xstrdup(daemon_state(&err));
        way->daemon_said = xstrdup(error_text(&err));
        return;
    }
    bool running = text_is(status.state, "Running");
    const struct tailnet_peer *peer = address ? tailnet_status_peer(&status, address) : NULL;
    way->daemon = xstrdup(running ? "answers" : "not-running");
    way->daemon_said = running ? NULL : xstrdup(status.state);
    way->peer = xstrdup(!peer ? "unknown" : peer->online ? "online" : "offline");
    if (peer && tailnet_peer_path(peer) != TAILNET_PATH_UNKNOWN)
        way->path = xstrdup(tailnet_path_name(tailnet_peer_path(peer)));
    tailnet_status_clear(&status);
}

static void ping(const struct cell_order *order, struct surroundings_way *way)
{
    const char *address = machine_address(order->machine, order->kind);
    way->pings = way->pongs = 0;
    for (int i = 0; i < PINGS && !way->pongs; i++) {
        AUTO_JSON *answer = NULL;
        way->pings++;
        if (local_api_ping(order->target->tailscale_socket, address, "disco", 0,
                           deadline_in(PING_S * NS_PER_S), &answer, NULL) == 0)
            way->pongs += !*json_get_string(answer, "Err", "");
    }
}

/* ---- The host's port ---- */

/* "open" "refused" "silent", or NULL where this machine knows no way. */
static const char *knock(const char *address, int port)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM},
                    *found = NULL;
    AUTO_FREE char *service = xasprintf("%d", port);
    if (!address || getaddrinfo(address, service, &hints, &found) != 0)
        return NULL;
    AUTO_CLOSE int fd = knock_begin(found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    if (fd < 0)
        return NULL;
    struct pollfd polled = {fd, POLLOUT, 0};
    if (deadline_poll(&polled, 1, deadline_in(KNOCK_S * NS_PER_S)) <= 0)
        return "silent";
    int decided = knock_decided(fd);
    return decided == 0 ? "open" : decided == ECONNREFUSED ? "refused" : "silent";
}

static void knock_at(const struct cell_order *order, struct surroundings_way *way)
{
    const char *address = machine_address(order->machine, order->kind);
    int port = order->machine->port ? order->machine->port : 22;
    way->port = xstrdup_or_null(knock(address, port));
    if (!way->port || text_is(way->port, "open"))
        return;
    const char *other = knock(address, OTHER_PORT);
    AUTO_TEXT ignored = TEXT_INIT;
    const char *const argv[] = {"ping", "-n", "-c", "1", "-W", "2", address, NULL};
    struct child_end end = {.code = 1};
    const struct program program = {.argv = argv, .bound_ns = (PING_S + 1) * NS_PER_S};
    way->host_answers = text_is(other, "refused") || text_is(other, "open");
    if (!way->host_answers && program_run(&program, &ignored, NULL, &end, NULL) == 0)
        way->host_answers = end.code == 0;
}

/* ---- Masters ---- */

static bool listens(const char *path)
{
    AUTO_CLOSE int fd = local_socket_connect(path);
    /* A backlog that is full is one of somebody who does not listen any more. */
    return fd >= 0 || errno == EAGAIN;
}

static const char *master_state(const char *path)
{
    return !listens(path) ? "stale" : master_ask(path, "check") == 0 ? "answers" : "frozen";
}

static void add_sockets(const char *directory, struct words *out)
{
    AUTO_WORDS names = WORDS_INIT;
    file_list(directory, &names, NULL);
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *path = file_join(directory, names.items[i]);
        if (master_socket_there(path) && !text_is(names.items[i], SSH_AGENT_SOCKET) && !words_have(out, path))
            words_add(out, path);
    }
}

void look_for_masters(const struct cell_order *way, const struct words *control_directories,
                      struct words *out)
{
    for (size_t i = 0; i < control_directories->count; i++)
        add_sockets(control_directories->items[i], out);
    const char *address = machine_address(way->machine, way->kind);
    if (!address)
        return;
    /* What the user's own `ssh` and a plain Ansible would share. */
    AUTO_SSH_ARGUMENTS own = SSH_ARGUMENTS_INIT;
    struct transport_route route = {0};
    own.host = xstrdup(address);
    if (way->machine->user)
        words_add_all(&own.options, "-l", way->machine->user, NULL);
    if (way->machine->port)
        words_addf(&own.options, "-p%d", way->machine->port);
    if (transport_resolve(&own, &route, NULL) < 0)
        return;
    if (route.control_path && master_socket_there(route.control_path) && !words_have(out, route.control_path))
        words_add(out, route.control_path);
    transport_route_clear(&route);
}

void look_before(const struct cell_order *ways, size_t count, const struct words *masters,
                 struct surroundings *out)
{
    char node[256] = "";
    const char *address = machine_address(ways[0].machine, ways[0].kind);
    if (gethostname(node, sizeof node - 1) == 0)
        out->node = xstrdup(node);
    out->network = network_of(address);
    for (size_t i = 0; i < count; i++) {
        struct surroundings_way *way = surroundings_add_way(out, transport_name(ways[i].kind));
        const char *name = machine_address(ways[i].machine, ways[i].kind);
        if (name && !is_numeric(name) && !out->name)
            look_up(name, out);
        if (ways[i].kind != TRANSPORT_DIRECT)
            look_at_daemon(&ways[i], way);
    }
    for (size_t i = 0; i < masters->count; i++)
        surroundings_add_master(out, masters->items[i], master_state(masters->items[i]));
}

void look_behind(const struct cell_order *order, struct surroundings *out)
{
    const struct surroundings_way *known = surroundings_way(out, transport_name(order->kind));
    struct surroundings_way *way =
        known ? &out->ways[known - out->ways] : surroundings_add_way(out, transport_name(order->kind));
    if (order->kind != TRANSPORT_TAILNET_USERSPACE)
        knock_at(order, way);
    if (order->kind != TRANSPORT_DIRECT && text_is(way->daemon, "answers"))
        ping(order, way);
}
