#include "sandbox/network.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "process/program.h"
#include "sandbox/firewall.h"
#include "sandbox/subnet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BOUND (30 * NS_PER_S)

enum { SMALL_FILE = 65536, PLAIN_MTU = 1500 };

/* Adds the file's nameservers that are IPv4 and no loopback ones as dotted addresses, and its search list. */
static void read_resolvers(const char *path, struct words *servers, struct text *search)
{
    AUTO_TEXT content = TEXT_INIT;
    if (file_read(path, SMALL_FILE, &content, NULL) < 0)
        return;
    char *state = NULL;
    for (char *line = content.bytes ? strtok_r(content.bytes, "\n", &state) : NULL; line;
         line = strtok_r(NULL, "\n", &state)) {
        char address[64];
        struct in_addr parsed;
        if (sscanf(line, " nameserver %63s", address) == 1) {
            if (inet_pton(AF_INET, address, &parsed) == 1 && ntohl(parsed.s_addr) >> 24 != 127 &&
                parsed.s_addr)
                words_add(servers, address);
        } else if ((text_starts(line, "search ") || text_starts(line, "domain ")) && search &&
                   !search->length) {
            text_addf(search, "search %s\n", line + strlen("search "));
        }
    }
}

static void find_resolvers(struct words *servers, struct text *search)
{
    static const char *const files[] = {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf",
                                        "/run/NetworkManager/no-stub-resolv.conf",
                                        "/run/resolvconf/resolv.conf"};
    for (size_t i = 0; i < COUNT_OF(files) && !servers->count; i++)
        read_resolvers(files[i], servers, search);
}

void network_resolvers(struct text *out)
{
    AUTO_WORDS servers = WORDS_INIT;
    AUTO_TEXT search = TEXT_INIT;
    find_resolvers(&servers, &search);
    text_add(out, text_string(&search));
    for (size_t i = 0; i < servers.count; i++)
        text_addf(out, "nameserver %s\n", servers.items[i]);
}

int network_choose(struct sandbox_owner *owner, struct error *err)
{
    AUTO_SUBNETS taken = {NULL, 0};
    AUTO_WORDS names = WORDS_INIT;
    AUTO_WORDS servers = WORDS_INIT;
    if (subnets_add_routes(&taken, err) < 0 || sandbox_names(&names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        AUTO_SANDBOX_OWNER other = SANDBOX_OWNER_INIT;
        if (!text_is(names.items[i], owner->name) && sandbox_owner_read(names.items[i], &other, NULL) > 0 &&
            other.subnet)
            subnets_add(&taken, ntohl(other.subnet), 30);
    }
    /* A resolver behind the default route shows in no route. */
    find_resolvers(&servers, NULL);
    for (size_t i = 0; i < servers.count; i++) {
        struct in_addr address;
        if (inet_pton(AF_INET, servers.items[i], &address) == 1)
            subnets_add(&taken, ntohl(address.s_addr), 32);
    }
    return subnet_choose(&taken, owner->name, &owner->subnet, err);
}

/* The MTU of the interface behind the default route: a smaller one than the guest's would lose its larger
 * packets where ICMP is filtered. */
static int way_out_mtu(void)
{
    AUTO_TEXT routes = TEXT_INIT;
    AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || file_read("/proc/net/route", SMALL_FILE * 16, &routes, NULL) < 0)
        return PLAIN_MTU;
    char *state = NULL;
    for (char *line = routes.bytes ? strtok_r(routes.bytes, "\n", &state) : NULL; line;
         line = strtok_r(NULL, "\n", &state)) {
        struct ifreq ask = {.ifr_mtu = 0};
        if (sscanf(line, "%15s 00000000", ask.ifr_name) == 1 && strstr(line, "\t00000000\t") &&
            ioctl(fd, SIOCGIFMTU, &ask) == 0)
            return ask.ifr_mtu >= 576 && ask.ifr_mtu < PLAIN_MTU ? ask.ifr_mtu : PLAIN_MTU;
    }
    return PLAIN_MTU;
}

/* `namespace` is the path of the namespace's file, NULL for this one. nsenter rather than `ip -n`, which
 * wants / to be a mount point: in a chroot it is none. */
static int ip_batch(const char *namespace, const char *commands, struct error *err)
{
    AUTO_FREE char *enter = xasprintf("--net=%s", namespace ? namespace : "");
    const char *const inside[] = {"nsenter", enter, "ip", "-batch", "-", NULL};
    const char *const outside[] = {"ip", "-batch", "-", NULL};
    struct program program = {.argv = namespace ? inside : outside, .input = commands, .bound_ns = BOUND};
    struct child_end end;
    AUTO_TEXT said = TEXT_INIT;
    if (program_run(&program, NULL, &said, &end, err) < 0)
        return -1;
    if (!end.exited || end.code != 0)
        return error_set(err, ERROR_PROVIDER, "ip cannot make the sandbox's network: %.*s",
                         (int)strcspn(text_string(&said), "\n"), text_string(&said));
    return 0;
}

static char *namespace_path(const char *name)
{
    return xasprintf("/run/netns/%s", name);
}

bool network_is_there(const char *name)
{
    AUTO_FREE char *path = namespace_path(name);
    return file_exists(path) && if_nametoindex(name);
}

int network_interfaces(struct words *out, struct error *err)
{
    struct if_nameindex *all = if_nameindex();
    if (!all)
        return error_system(err, errno, "cannot list this machine's network interfaces");
    for (const struct if_nameindex *one = all; one->if_index; one++)
        words_add(out, one->if_name);
    if_freenameindex(all);
    return 0;
}

int network_make(const struct sandbox_owner *owner, struct error *err)
{
    const char *name = owner->name;
    AUTO_FREE char *here = sandbox_host_address(owner->subnet);
    AUTO_FREE char *guest = sandbox_guest_address(owner->subnet);
    AUTO_TEXT outside = TEXT_INIT;
    AUTO_TEXT inside = TEXT_INIT;
    int mtu = way_out_mtu();
    AUTO_FREE char *path = namespace_path(name);
    if ((file_exists(path) || if_nametoindex(name)) && network_remove(name, err) < 0)
        return -1;
    text_addf(&outside,
              "netns add %s\n"
              "link add %s mtu %d type veth peer name host0 mtu %d netns %s\n"
              "addr add %s/30 dev %s\n"
              "link set %s up\n",
              name, name, mtu, mtu, name, here, name, name);
    text_addf(&inside,
              "addr add %s/30 dev host0\nlink set host0 up\nlink set lo up\nroute add default via %s\n",
              guest, here);
    if (ip_batch(NULL, text_string(&outside), err) < 0 || ip_batch(path, text_string(&inside), err) < 0)
        return -1;
    return firewall_add(name, owner->subnet, err);
}

int network_remove(const char *name, struct error *err)
{
    AUTO_ERROR first = ERROR_INIT;
    AUTO_FREE char *path = namespace_path(name);
    AUTO_TEXT commands = TEXT_INIT;
    /* The pair apart from the namespace: the kernel ends a namespace some time after its last user. */
    if (if_nametoindex(name))
        text_addf(&commands, "link del %s\n", name);
    if (file_exists(path))
        text_addf(&commands, "netns del %s\n", name);
    const char *const argv[] = {"ip", "-force", "-batch", "-", NULL};
    struct program program = {.argv = argv, .input = text_string(&commands), .bound_ns = BOUND};
    struct child_end end;
    if (commands.length)
        program_run(&program, NULL, NULL, &end, &first);
    /* A namespace's file without a namespace behind it, of a maker that died between the two. */
    unlink(path);
    AUTO_ERROR second = ERROR_INIT;
    if (firewall_remove(name, &second) < 0 && first.kind == ERROR_NONE)
        error_move(&first, &second);
    return first.kind == ERROR_NONE ? 0 : error_move(err, &first);
}

int network_left(const char *name, struct words *left, struct error *err)
{
    AUTO_FREE char *path = namespace_path(name);
    if (file_exists(path))
        words_addf(left, "network namespace %s", path);
    if (if_nametoindex(name))
        words_addf(left, "interface %s", name);
    return firewall_left(name, left, err);
}
