/* Behind each server of the fake cloud stands a real host, as the cloud's own images make one. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "lab/hetzner.h"
#include "lab/lab.h"
#include "lab/sandbox.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(hetzner_guests, .timeout = 180);

enum { UP_BOUND_S = 120 };

struct login {
    const char *folder, *address, *said;
};

/* root, by the key that the cloud was given. */
static char *on_host(const struct login *login, const char *command)
{
    return rig_output("ssh -F /dev/null -i %s/key -o BatchMode=yes -o StrictHostKeyChecking=no -o "
                      "UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=5 root@%s '%s'",
                      login->folder, login->address, command);
}

static bool says(void *context)
{
    struct login *login = context;
    AUTO_FREE char *said = on_host(login, "cloud-init status | grep -qx \"status: done\" && cat /root/hello");
    return text_is(said, login->said);
}

static bool is_gone(void *context)
{
    return hetzner_count(context, "servers") == 0;
}

Test(hetzner_guests, a_server_is_a_host_with_its_keys_and_user_data_and_goes_with_it)
{
    struct hetzner *cloud = hetzner_start_hosts(NULL);
    struct lab *lab = lab_new();
    rig_shell("ssh-keygen -q -t ed25519 -N '' -C '' -f %s/key", lab_folder(lab));
    AUTO_FREE char *public = lab_read_line(lab, "key.pub");
    AUTO_FREE char *key = xasprintf("{\"name\": \"k\", \"public_key\": \"%s\"}", public);
    hetzner_by_hand(cloud, "POST", "/ssh_keys", key, 201);
    hetzner_by_hand(
        cloud, "POST", "/servers",
        "{\"name\": \"four\", \"server_type\": \"cx23\", \"image\": \"docker-ce\", \"ssh_keys\": [\"k\"], "
        "\"user_data\": \"#cloud-config\\nwrite_files: [{path: /root/hello, content: hi}]\\n\", "
        "\"public_net\": {\"enable_ipv4\": true, \"enable_ipv6\": true}}",
        201);
    AUTO_JSON *state = hetzner_state(cloud);
    const struct json *server = json_at(json_get(state, "servers"), 0), *net = json_get(server, "public_net");
    struct login login = {lab_folder(lab), json_get_string(json_get(net, "ipv4"), "ip", ""), "hi"};

    cr_expect(lab_until(UP_BOUND_S, says, &login), "%s does not answer", login.address);

    /* The host is ::1 of the network that the cloud tells. */
    AUTO_FREE char *six = xstrdup(json_get_string(json_get(net, "ipv6"), "ip", ""));
    cr_assert(text_ends(six, "::/64"), "%s", six);
    AUTO_FREE char *first = xasprintf("%.*s1", (int)(strlen(six) - strlen("/64")), six);
    AUTO_FREE char *name = on_host(&(struct login){login.folder, first, NULL}, "hostname; ls /home");
    cr_expect_str_eq(name, "four\n");
    AUTO_FREE char *console = xstrdup(json_get_string(server, "console", ""));
    cr_expect(file_exists(console), "%s", console);

    AUTO_FREE char *path = xasprintf("/servers/%lld", (long long)json_get_integer(server, "id", 0));
    hetzner_by_hand(cloud, "DELETE", path, NULL, 200);
    cr_expect(lab_until(30, is_gone, cloud));
    cr_expect_not(file_exists(console));

    /* One that is still booting goes with the cloud. */
    hetzner_by_hand(
        cloud, "POST", "/servers",
        "{\"name\": \"late\", \"server_type\": \"cx23\", \"image\": \"docker-ce\", \"ssh_keys\": [\"k\"]}",
        201);
    AUTO_JSON *later = hetzner_state(cloud);
    AUTO_FREE char *other = xstrdup(json_get_string(json_at(json_get(later, "servers"), 0), "console", ""));
    hetzner_stop(cloud);
    AUTO_FREE char *folder = xstrndup(other, strlen("/tmp/triphase-cloud-XXXXXX"));
    cr_expect_not(file_exists(folder));
    AUTO_FREE char *left = rig_output("grep -l '%s' /var/lib/triphase/*/owner.json 2>/dev/null", folder);
    cr_expect_str_eq(left, "");
}
