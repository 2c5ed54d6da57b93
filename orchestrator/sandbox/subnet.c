#include "sandbox/subnet.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Routes this wide stand for "everywhere". */
enum { DEFAULT_BITS = 2, GUEST_BITS = 30, ANSWER_SIZE = 32768 };

void subnets_add(struct subnets *list, uint32_t address, int bits)
{
    list->items = xreallocarray(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = (struct subnet){address, bits};
}

void subnets_clear(struct subnets *list)
{
    free(list->items);
    *list = (struct subnets){NULL, 0};
}

static void add_route(struct subnets *list, const struct nlmsghdr *message)
{
    const struct rtmsg *route = NLMSG_DATA(message);
    int left = (int)RTM_PAYLOAD(message);
    if (route->rtm_family != AF_INET || route->rtm_dst_len <= DEFAULT_BITS)
        return;
    for (const struct rtattr *one = RTM_RTA(route); RTA_OK(one, left); one = RTA_NEXT(one, left)) {
        uint32_t address;
        if (one->rta_type == RTA_DST && RTA_PAYLOAD(one) == sizeof address) {
            memcpy(&address, RTA_DATA(one), sizeof address);
            subnets_add(list, ntohl(address), route->rtm_dst_len);
        }
    }
}

int subnets_add_routes(struct subnets *list, struct error *err)
{
    struct {
        struct nlmsghdr header;
        struct rtmsg route;
    } ask = {.header = {.nlmsg_len = sizeof ask,
                        .nlmsg_type = RTM_GETROUTE,
                        .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
             .route = {.rtm_family = AF_INET}};
    struct timeval bound = {5, 0};
    AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound) < 0 ||
        send(fd, &ask, sizeof ask, 0) < 0)
        return error_system(err, errno, "cannot ask the kernel for its routes");
    AUTO_FREE char *answer = xmalloc(ANSWER_SIZE);
    for (;;) {
        ssize_t got = recv(fd, answer, ANSWER_SIZE, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return error_system(err, errno, "cannot read the kernel's routes");
        unsigned left = (unsigned)got;
        for (const struct nlmsghdr *message = (const struct nlmsghdr *)answer; NLMSG_OK(message, left);
             message = NLMSG_NEXT(message, left)) {
            if (message->nlmsg_type == NLMSG_DONE)
                return 0;
            if (message->nlmsg_type == NLMSG_ERROR)
                return error_set(err, ERROR_SYSTEM,
                                 "cannot read the kernel's routes: it refused to tell them");
            if (message->nlmsg_type == RTM_NEWROUTE)
                add_route(list, message);
        }
    }
}

static bool overlap(uint32_t a, int a_bits, uint32_t b, int b_bits)
{
    int bits = a_bits < b_bits ? a_bits : b_bits;
    uint32_t mask = bits ? UINT32_MAX << (32 - bits) : 0;
    return (a & mask) == (b & mask);
}

static bool is_free(const struct subnets *taken, uint32_t address)
{
    for (size_t i = 0; i < taken->count; i++)
        if (overlap(address, GUEST_BITS, taken->items[i].address, taken->items[i].bits))
            return false;
    return true;
}

int subnet_choose(const struct subnets *taken, const char *seed, in_addr_t *out, struct error *err)
{
    static const struct subnet ranges[] = {
        {0x0ad50000, 16}, /* 10.213.0.0/16 */
        {0xac1d8000, 17}, /* 172.29.128.0/17 */
        {0xc0a8d500, 24}, /* 192.168.213.0/24 */
        {0x0a060000, 16}, /* 10.6.0.0/16 */
        {0xc6120000, 15}, /* 198.18.0.0/15 */
    };
    /* FNV-1a: any spread will do. */
    uint32_t hash = 2166136261;
    for (; *seed; seed++)
        hash = (hash ^ (unsigned char)*seed) * 16777619;
    for (size_t i = 0; i < COUNT_OF(ranges); i++) {
        uint32_t places = UINT32_C(1) << (GUEST_BITS - ranges[i].bits);
        for (uint32_t tried = 0; tried < places; tried++) {
            uint32_t address = ranges[i].address + ((hash + tried) % places) * 4;
            if (is_free(taken, address)) {
                *out = htonl(address);
                return 0;
            }
        }
    }
    return error_set(err, ERROR_PROVIDER,
                     "cannot find a free subnet for the sandbox: routes of this machine cover all of "
                     "10.213.0.0/16, 172.29.128.0/17, "
                     "192.168.213.0/24, 10.6.0.0/16 and 198.18.0.0/15; remove a route or another sandbox");
}
