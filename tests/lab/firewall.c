#include "lab/firewall.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/words.h"
#include "lab/recipe_lab.h"
#include "process/child.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RUN_BOUND_S = 120, SERVES_BOUND_S = 20, STREAM_BOUND_S = 30 };

static const char probe[] = "tests/lab/firewall_probe.py";

static void bring_agent(const struct rig *guest)
{
    AUTO_TEXT program = TEXT_INIT, command = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(file_read(probe, 1 << 20, &program, &err), 0, "%s", error_text(&err));
    text_addf(&command,
              "cat >/usr/local/bin/agent <<'END'\n%sEND\n"
              "printf '[Service]\\nExecStart=python3 /usr/local/bin/agent serve %d %d\\n[Install]\\n"
              "WantedBy=multi-user.target\\n' >/etc/systemd/system/agent.service\n"
              "systemctl daemon-reload; systemctl enable --now -q agent.service",
              text_string(&program), FIREWALL_AGENT, FIREWALL_ANOTHER);
    free(rig_ssh(guest, text_string(&command), NULL));
}

static bool serves(void *context)
{
    const struct rig *guest = context;
    AUTO_FREE char *flows =
        xasprintf("open,tcp," FIREWALL_CDN ",%s,%d open,udp," FIREWALL_CDN_6 "," FIREWALL_HOST_6 ",%d",
                  guest->machine->address, FIREWALL_AGENT, FIREWALL_ANOTHER);
    AUTO_FREE char *seen = firewall_ask(flows);
    return !strstr(seen, "silent") && !strstr(seen, "refused");
}

struct rig *firewall_guest(const char *root)
{
    rig_needed();
    rig_go_private();
    struct rig *guest = rig_new(root);
    rig_make(guest);
    const char *name = guest->machine->reference;
    rig_shell("for one in " FIREWALL_CDN " " FIREWALL_CONTROL " " FIREWALL_ELSEWHERE
              "; do ip addr add $one/32 dev lo; done; "
              "for one in " FIREWALL_CDN_6 " " FIREWALL_CONTROL_6 " " FIREWALL_ELSEWHERE_6
              "; do ip addr add $one/128 dev lo nodad; done; ip addr add fd77::1/64 dev %s nodad; "
              "nsenter --net=/run/netns/%s sh -c 'ip addr add " FIREWALL_HOST_6
              "/64 dev host0 nodad; ip route add default via fd77::1'",
              name, name);
    bring_agent(guest);
    cr_assert(lab_until(SERVES_BOUND_S, serves, guest), "the agent does not serve");
    return guest;
}

void firewall_play(struct lab *lab, const char *role, const char *more)
{
    lab_write(lab, "playbooks/node/one-role.yml",
              "- hosts: recipe_work\n  become: true\n  gather_facts: false\n%s  roles: [%s]\n", more, role);
}

struct lab *firewall_project(const struct rig *guest)
{
    struct lab *lab = recipe_lab_new(RUN_BOUND_S);
    const struct machine *machine = guest->machine;
    lab_write(lab, "triphase.yml",
              "project: lab\ntargets:\n  host:\n    provider: static\n    recipe: work\n    address: %s\n    "
              "user: %s\n    key: %s\n    python: /usr/bin/python3\n    host_keys: ['%s']\n    vars:\n"
              "      node_firewall_ranges_v4_url: ''\n      node_firewall_undo: 10\n"
              "      node_firewall_ssh_from: [203.0.113.0/24, '2001:db8:7::/48']\n",
              machine->address, machine->user, machine->key, machine->host_keys.items[0]);
    lab_write(lab, "phases/work.yml",
              "phases:\n  - name: work\n    playbook: playbooks/node/one-role.yml\n"
              "    attempts: 1\n");
    firewall_play(lab, "node_firewall", "");
    return lab;
}

struct lab_result firewall_run(struct lab *lab, int code, const char *word)
{
    return recipe_lab_expect(lab, RUN_BOUND_S, code, word, "host", NULL);
}

char *firewall_ask(const char *flows)
{
    return rig_output("python3 %s ask %s", probe, flows);
}

struct firewall_client {
    struct lab *lab;
    struct child child;
    int stdin_end;
    char *said; /* its file, below the lab's folder */
};

char *firewall_said(const struct firewall_client *client)
{
    return lab_read(client->lab, client->said);
}

static bool has_begun(void *context)
{
    AUTO_FREE char *said = firewall_said(context);
    return strchr(said, '\n') != NULL;
}

struct firewall_client *firewall_start(struct lab *lab, const char *program, const char *words)
{
    static int number;
    struct firewall_client *client = lab_keep(xcalloc(1, sizeof *client));
    client->lab = lab;
    client->said = xasprintf("client%d", ++number);
    AUTO_FREE char *path = file_join(lab_folder(lab), client->said), *copy = xstrdup(words);
    AUTO_CLOSE int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    AUTO_WORDS argv = WORDS_INIT;
    words_add_all(&argv, "python3", program, NULL);
    char *state = NULL;
    for (char *one = strtok_r(copy, " ", &state); one; one = strtok_r(NULL, " ", &state))
        words_add(&argv, one);
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    struct child_plan plan = {
        .argv = words_argv(&argv), .in = ends[0], .out = out, .error = out, .die_with_parent = true};
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(child_start(&plan, &client->child, &err), 0, "%s", error_text(&err));
    close(ends[0]);
    client->stdin_end = ends[1];
    cr_assert(lab_until(SERVES_BOUND_S, has_begun, client), "%s does not begin", program);
    return client;
}

void firewall_tell(struct firewall_client *client, const char *word)
{
    AUTO_FREE char *line = xasprintf("%s\n", word);
    cr_assert_eq(file_write_all(client->stdin_end, line, strlen(line)), 0);
}

char *firewall_end(struct firewall_client *client)
{
    close(client->stdin_end);
    cr_assert(child_await(&client->child, STREAM_BOUND_S * NS_PER_S), "it does not end");
    child_close(&client->child);
    AUTO_FREE char *said = firewall_said(client);
    size_t length = strlen(said);
    cr_assert(length > 0 && said[length - 1] == '\n', "it broke: %s", said);
    said[length - 1] = '\0';
    const char *last = strrchr(said, '\n');
    return xstrdup(last ? last + 1 : said);
}

struct firewall_client *firewall_stream(struct lab *lab, const char *flows)
{
    AUTO_FREE char *words = xasprintf("stream %s", flows);
    return firewall_start(lab, probe, words);
}
