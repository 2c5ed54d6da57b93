/* Where the servers of the fake cloud really run (tests/lab/hetzner/guests.py): a child that makes and
 * removes sandboxes of the given tree with a NoCloud seed in it, as a line of JSON on stdin asks, and answers
 * with a line. When stdin ends, also because its parent was killed, all that it made goes.
 *
 *   {"do": "claim", "name"}          -> {"id", "ipv4", "ipv6", "console"}: an address, and nothing else yet
 *   {"do": "boot", "id", "name", "seed": {FILE: TEXT, …}}          -> {}
 *   {"do": "remove", "id"}           -> {}
 * or {"error": …}. */
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "event/machine.h"
#include "format/json.h"
#include "process/program.h"
#include "provider/provider.h"
#include "sandbox/boot.h"
#include "sandbox/forward.h"
#include "sandbox/mounts.h"
#include "sandbox/network.h"
#include "sandbox/owner.h"
#include "sandbox/prepare.h"
#include "sandbox/tree.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define BOUND (60 * NS_PER_S)
#define SEED  "var/lib/cloud/seed/nocloud"

enum { SSH_PORT = 22 };

/* The address is set from outside; apt's sources are those that the tree was made from; an RSA key takes long
 * to make. */
static const char image_config[] = "datasource_list: [NoCloud]\nnetwork: {config: disabled}\n"
                                   "apt: {preserve_sources_list: true}\nlocale: false\n"
                                   "ssh_genkeytypes: [ed25519, ecdsa]\n";
static const char *tree;
static char folder[] = "/tmp/triphase-cloud-XXXXXX";
static struct words made; /* ids */

/* Of the id alone: what is to be known of it lies in its folder. */
static struct machine *machine_of(const char *id)
{
    struct machine *machine = machine_new();
    machine->id = xstrdup(id);
    machine->project = xstrdup("cloud");
    machine->target = xstrdup("server");
    machine->provider = xstrdup("sandbox");
    machine->directory = xasprintf("%s/.triphase/machines/%s", folder, id);
    return machine;
}

/* A /64 that no other guest of this machine has, as long as its IPv4 subnet is its own. */
static char *prefix_of(in_addr_t subnet)
{
    uint32_t number = ntohl(subnet);
    return xasprintf("2001:db8:%x:%x", number >> 16, number & 0xffff);
}

static int claim(const struct json *asked, struct json *told, struct error *err)
{
    (void)asked;
    char id[ID_SIZE];
    AUTO_SANDBOX_OWNER owner = SANDBOX_OWNER_INIT;
    id_make(id);
    AUTO_MACHINE *machine = machine_of(id);
    words_add(&made, id);
    if (sandbox_name(id, owner.name, err) < 0 || file_make_dirs(machine->directory, 0700, err) < 0)
        return -1;
    owner.machine = xstrdup(id);
    owner.project = xstrdup(machine->project);
    owner.target = xstrdup(machine->target);
    sandbox_owner_add_part(&owner, "", tree);
    AUTO_CLOSE int lock = sandbox_lock(BOUND, err);
    if (lock < 0 || sandbox_owner_take(&owner, machine, err) < 0 || network_choose(&owner, err) < 0 ||
        sandbox_owner_write(&owner, err) < 0 || forward_on(err) < 0)
        return -1;
    AUTO_FREE char *address = sandbox_guest_address(owner.subnet), *prefix = prefix_of(owner.subnet),
                   *network = xasprintf("%s::/64", prefix),
                   *console = file_join(machine->directory, "console.log");
    json_set_string(told, "id", id);
    json_set_string(told, "ipv4", address);
    json_set_string(told, "ipv6", network);
    json_set_string(told, "console", console);
    return 0;
}

/* As at the cloud, the guest is the first host of its network. A machine without IPv6 has none. */
static void add_ipv6(const struct sandbox_owner *owner)
{
    AUTO_FREE char *prefix = prefix_of(owner->subnet), *here = xasprintf("%s::fffe/64", prefix),
                   *guest = xasprintf("%s::1/64", prefix), *way = xasprintf("%s::fffe", prefix),
                   *inside = xasprintf("--net=/run/netns/%s", owner->name);
    program_do(BOUND, NULL, NULL, "ip", "addr", "add", here, "dev", owner->name, "nodad", NULL);
    program_do(BOUND, NULL, NULL, "nsenter", inside, "ip", "addr", "add", guest, "dev", "host0", "nodad",
               NULL);
    program_do(BOUND, NULL, NULL, "nsenter", inside, "ip", "route", "add", "default", "via", way, NULL);
}

/* An image's host has no keys yet, neither of its own nor of who may come in: cloud-init sees to both. */
static int prepare(const struct sandbox_owner *owner, const char *name, const struct json *seed,
                   struct error *err)
{
    static const char *const not_in_an_image[] = {
        "etc/ssh/ssh_host_ed25519_key",
        "etc/ssh/ssh_host_ed25519_key.pub",
        "etc/ssh/sshd_config.d/00-triphase.conf",
        "root/.ssh/authorized_keys",
    };
    AUTO_TEXT resolvers = TEXT_INIT;
    AUTO_FREE char *python = NULL, *root = mounts_root(owner->name);
    network_resolvers(&resolvers);
    struct sandbox_settings settings = {.machine = owner->machine,
                                        .host_name = name,
                                        .user = "root",
                                        .port = SSH_PORT,
                                        .authorized_key = "",
                                        .host_key = "",
                                        .host_public = "",
                                        .resolvers = text_string(&resolvers)};
    if (prepare_guest(root, &settings, &python, err) < 0)
        return -1;
    AUTO_CLOSE int inside = tree_open(root, err);
    if (inside < 0)
        return -1;
    for (size_t i = 0; i < COUNT_OF(not_in_an_image); i++)
        if (tree_remove(inside, not_in_an_image[i], err) < 0)
            return -1;
    if (tree_write(inside, "etc/cloud/cloud.cfg.d/90_image.cfg", image_config, strlen(image_config), 0644,
                   err) < 0)
        return -1;
    void *at = NULL;
    const char *file;
    struct json *text;
    while (json_each(seed, &at, &file, &text)) {
        AUTO_FREE char *path = xasprintf(SEED "/%s", file);
        const char *bytes = json_string(text, "");
        if (tree_write(inside, path, bytes, strlen(bytes), 0600, err) < 0)
            return -1;
    }
    return 0;
}

static int boot(const struct json *asked, struct json *told, struct error *err)
{
    (void)told;
    char name[SANDBOX_NAME_SIZE];
    AUTO_SANDBOX_OWNER owner = SANDBOX_OWNER_INIT;
    if (sandbox_name(json_get_string(asked, "id", ""), name, err) < 0 ||
        sandbox_owner_read(name, &owner, err) < 1 || network_make(&owner, err) < 0)
        return -1;
    add_ipv6(&owner);
    if (mounts_make(&owner, err) < 0 ||
        prepare(&owner, json_get_string(asked, "name", "server"), json_get(asked, "seed"), err) < 0)
        return -1;
    return boot_start(&owner, err);
}

/* Without waiting for its shutdown: a deleted server is switched off. */
static int remove_guest(const char *id, struct error *err)
{
    char name[SANDBOX_NAME_SIZE];
    AUTO_MACHINE *machine = machine_of(id);
    if (sandbox_name(id, name, err) < 0)
        return -1;
    boot_stop(id, name, 0, deadline_in(BOUND), NULL);
    return provider_sandbox.remove(NULL, machine, BOUND, err);
}

static int remove_asked(const struct json *asked, struct json *told, struct error *err)
{
    (void)told;
    return remove_guest(json_get_string(asked, "id", ""), err);
}

static void answer(const char *line)
{
    static const struct {
        const char *name;
        int (*call)(const struct json *asked, struct json *told, struct error *err);
    } calls[] = {{"claim", claim}, {"boot", boot}, {"remove", remove_asked}};
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *told = json_new_object();
    AUTO_JSON *asked = json_parse(line, strlen(line), &err);
    int result = -1;
    for (size_t i = 0; asked && i < COUNT_OF(calls); i++)
        if (text_is(json_get_string(asked, "do", ""), calls[i].name))
            result = calls[i].call(asked, told, &err);
    if (result < 0)
        json_set_string(told, "error", err.kind != ERROR_NONE ? error_text(&err) : "not understood");
    AUTO_FREE char *text = json_compact(told);
    printf("%s\n", text);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc != 2 || !mkdtemp(folder))
        return 64;
    tree = argv[1];
    /* Whoever ends a test's processes leaves this one its time (setup/run-tests.py). */
    prctl(PR_SET_NAME, "test-warden");
    setsid();
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    AUTO_FREE char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0)
        answer(line);
    for (size_t i = 0; i < made.count; i++) {
        AUTO_ERROR err = ERROR_INIT;
        if (remove_guest(made.items[i], &err) < 0)
            fprintf(stderr, "cannot remove the guest %s: %s\n", made.items[i], error_text(&err));
    }
    words_clear(&made);
    file_remove_tree(folder, NULL);
    return 0;
}
