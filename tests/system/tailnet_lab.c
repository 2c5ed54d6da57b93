/* A real tailnet, as the other suites use it: triphase's own runs over both of its transports. */
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "lab/tailnet.h"
#include "tailnet/news.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include <unistd.h>

TestSuite(tailnet_lab, .timeout = 240);

static const char playbook[] = "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
                               "    - name: what is written there\n      ansible.builtin.command: hostname\n"
                               "      changed_when: false\n";

/* A phase on a guest that is joined by its own TUN goes over `transport` where `listed` may be taken. */
static void expect_phase(struct tailnet_operator *op, struct rig *guest, const char *address,
                         const char *transport, const char *listed, const char *phase_keys)
{
    struct lab *project = lab_new();
    AUTO_FREE char *keys = xasprintf("    transport: %s\n", listed);
    tailnet_lab_project(project, guest, address, keys, phase_keys, playbook);
    tailnet_operator_enter(op, project);

    struct lab_result made = lab_run(project, "create", "host", NULL);

    cr_assert(eq(int, made.code, 0), "%s%s", made.out, made.err);
    AUTO_FREE char *carried = lab_sql(project, "SELECT transport FROM step WHERE kind = 'phase'");
    cr_expect(eq(str, carried, (char *)(uintptr_t)transport));
}

/* Whether the daemon says that of its own accord. */
static bool is_told(int news, const char *part)
{
    struct pollfd told = {.fd = news, .events = POLLIN};
    struct deadline bound = deadline_in(20 * NS_PER_S);
    AUTO_TEXT said = TEXT_INIT;
    while (!strstr(text_string(&said), part) && deadline_poll(&told, 1, bound) == 1) {
        char bytes[4096];
        ssize_t got = read(news, bytes, sizeof bytes);
        if (got <= 0)
            return false;
        text_add_bytes(&said, bytes, (size_t)got);
    }
    return strstr(text_string(&said), part) != NULL;
}

/* That a daemon tells of itself and of its peers, by which every wait for one goes. */
static void expect_news(struct tailnet_operator *op, struct rig *guest)
{
    AUTO_FREE char *socket =
        xasprintf("/proc/%d/root%s", (int)tailnet_operator_daemon_pid(op), tailnet_operator_socket(op));
    AUTO_CLOSE int news = news_open(socket, deadline_in(5 * NS_PER_S));
    int code = -1;
    cr_assert(ge(int, news, 0));
    free(tailnet_operator_shell(op, "tailscale set --hostname=op-renamed"));
    cr_expect(is_told(news, "op-renamed"), "of a setting");
    free(rig_ssh(guest, "tailscale set --hostname=guest-renamed", &code));
    cr_expect(eq(int, code, 0));
    cr_expect(is_told(news, "guest-renamed"), "of a peer");
}

Test(tailnet_lab, a_host_joined_by_its_own_TUN_is_reached_over_the_operators_TUN)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    struct rig *guest = tailnet_lab_guest(lab);
    const char *address = tailnet_guest_join(lab, guest, "tag:host", "guest");
    tailnet_operator_join(op, "tag:operator");

    /* Userspace is usable as well there, and first; it has no TUN. */
    expect_phase(op, guest, address, "tailnet", "[tailnet-userspace, tailnet]", "    require: [tun]\n");

    AUTO_FREE char *path = tailnet_operator_shell(op, "ip route get %s", address);
    cr_expect(strstr(path, "dev tailscale0") != NULL, "%s", path);
    expect_news(op, guest);
    rig_remove(guest);
}

Test(tailnet_lab, a_host_joined_by_its_own_TUN_is_reached_over_userspace_by_nc)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct rig *guest = tailnet_lab_guest(lab);
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    const char *address = tailnet_guest_join(lab, guest, "tag:host", "guest");
    tailnet_operator_join(op, "tag:operator");

    expect_phase(op, guest, address, "tailnet-userspace", "tailnet-userspace", "");

    cr_expect(ne(int, tailnet_operator_run(op, "ls", "/dev/net/tun", NULL).code, 0));
    rig_remove(guest);
}

Test(tailnet_lab, an_operator_without_a_TUN_really_has_none)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    static const struct {
        enum tailnet_tun tun;
        const char *says;
    } kinds[] = {{TAILNET_TUN, "opens"},
                 {TAILNET_TUN_ABSENT, "No such file"},
                 {TAILNET_TUN_CLOSED, "Permission denied"},
                 {TAILNET_TUN_NO_CAPABILITY, "opens"}};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct tailnet_operator *op = tailnet_lab_operator(lab, kinds[i].tun);
        struct lab_result opened =
            tailnet_operator_run(op, "sh", "-c", "exec 3</dev/net/tun && echo opens >&2", NULL);
        cr_expect(strstr(opened.err, kinds[i].says) != NULL, "%zu: %s", i, opened.err);
        struct lab_result made =
            tailnet_operator_run(op, "ip", "tuntap", "add", "mode", "tun", "name", "tun9", NULL);
        cr_expect(eq(int, made.code == 0, kinds[i].tun == TAILNET_TUN), "%zu: %s", i, made.err);
    }
    cr_expect(eq(int,
                 tailnet_operator_run(tailnet_lab_operator(lab, TAILNET_TUN), "python3", "-c",
                                      "import urllib.request as u; u.urlopen('http://10.99.0.1:8080/"
                                      "health', timeout=5)",
                                      NULL)
                     .code,
                 0));
}
