/* Hosts of the lab's tailnet: sandboxes with a kernel TUN of their own. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "event/machine.h"
#include "lab/tailnet.h"
#include "lab/tailnet_parts.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const char unit[] = "[Service]\nType=notify\nEnvironment=TS_DEBUG_USE_DERP_HTTP=1 "
                           "TS_NO_LOGS_NO_SUPPORT=1\n"
                           "ExecStart=/usr/bin/tailscaled --tun=tailscale0 --port=41641 "
                           "--state=/var/lib/tailscale/tailscaled.state "
                           "--socket=/run/tailscale/tailscaled.sock\n"
                           "RuntimeDirectory=tailscale\nStateDirectory=tailscale\n"
                           "[Install]\nWantedBy=multi-user.target\n";

struct rig *tailnet_lab_guest(struct tailnet_lab *lab)
{
    struct rig *guest = rig_new(NULL);
    rig_make(guest);
    const char *name = guest->machine->reference;
    AUTO_FREE char *root = xasprintf("/var/lib/triphase/%s/root", name);
    AUTO_FREE char *path = xasprintf("%s/etc/systemd/system/tailscaled.service", root);
    AUTO_ERROR err = ERROR_INIT;
    rig_shell("install -m 0755 %s/tailscale %s/tailscaled %s/usr/bin/", lab->programs, lab->programs, root);
    cr_assert_eq(file_replace(path, unit, strlen(unit), 0644, &err), 0, "%s", error_text(&err));
    return guest;
}

const char *tailnet_guest_join(struct tailnet_lab *lab, struct rig *guest, const char *tag,
                               const char *hostname)
{
    AUTO_FREE char *key = tailnet_lab_key(lab, tag, false, true);
    AUTO_FREE char *path = xasprintf("/var/lib/triphase/%s/root/root/key", guest->machine->reference);
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(file_replace(path, key, strlen(key), 0600, &err), 0, "%s", error_text(&err));
    AUTO_FREE char *command =
        xasprintf("set -e; systemctl daemon-reload; systemctl enable --now -q tailscaled; tailscale up "
                  "--auth-key=file:/root/key --login-server=%s --hostname=%s "
                  "--accept-dns=false --timeout=40s; rm /root/key; tailscale ip -4",
                  tailnet_lab_login_server(lab), hostname);
    char *address = lab_keep(rig_ssh(guest, command, NULL));
    address[strcspn(address, "\n")] = '\0';
    return address;
}

void tailnet_lab_project(struct lab *project, const struct rig *guest, const char *address,
                         const char *target_keys, const char *phase_keys, const char *playbook)
{
    const struct machine *machine = guest->machine;
    AUTO_TEXT host_keys = TEXT_INIT;
    for (size_t i = 0; i < machine->host_keys.count; i++)
        text_addf(&host_keys, "%s'%s'", i ? ", " : "", machine->host_keys.items[i]);
    lab_write(project, "triphase.yml",
              "project: lab\ntargets:\n  host:\n    provider: static\n    recipe: work\n    address: %s\n    "
              "user: %s\n    key: %s\n    python: /usr/bin/python3\n    host_keys: [%s]\n%s",
              address, machine->user, machine->key, text_string(&host_keys), target_keys);
    lab_write(project, "phases/work.yml", "phases:\n  - name: work\n    playbook: playbooks/work.yml\n%s",
              phase_keys);
    lab_write(project, "playbooks/work.yml", "%s", playbook);
}
