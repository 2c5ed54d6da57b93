#include "lab/silence.h"

#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWERS = 10, MORE_S = 60 };

/* Request, header of nfnetlink: delete all that connection tracking knows. */
static const char flush[] =
    "python3 -c 'import socket,struct; s=socket.socket(socket.AF_NETLINK,socket.SOCK_RAW,12); "
    "s.send(struct.pack(\"=IHHIIBBH\",20,0x102,5,1,0,0,0,0)); "
    "assert struct.unpack_from(\"=i\",s.recv(4096),16)[0]==0'";

static const char restart_docker[] =
    "! systemctl cat docker.service >/dev/null 2>&1 || systemctl restart docker.service";

struct wanted {
    struct firewall_client *client;
    long least;
};

static long answers(const struct firewall_client *client)
{
    AUTO_FREE char *said = firewall_said(client);
    long last = 0;
    for (const char *at = said; (at = strstr(at, "answers ")); at++)
        last = strtol(at + strlen("answers "), NULL, 10);
    return last;
}

static bool has_answers(void *context)
{
    const struct wanted *wanted = context;
    return answers(wanted->client) >= wanted->least;
}

static struct firewall_client *start(struct lab *lab, const struct rig *guest, double kept_s)
{
    AUTO_FREE char *words =
        xasprintf(FIREWALL_CDN " %s %d %g", guest->machine->address, FIREWALL_AGENT, kept_s);
    return firewall_start(lab, "tests/lab/kept_connection.py", words);
}

/* After some more answers than there were when all was done. */
static double end(struct firewall_client *client, double kept_s)
{
    struct wanted wanted = {client, answers(client) + ANSWERS};
    cr_assert(lab_until(kept_s + MORE_S, has_answers, &wanted), "no answers come any more");
    AUTO_FREE char *said = firewall_end(client);
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *seen = json_parse(said, strlen(said), &err);
    const struct json *longest = json_get(seen, "longest");
    cr_assert(longest != NULL, "%s", said);
    return json_real(longest, -1);
}

double silence_of_the_role(struct lab *lab, const struct rig *guest, double kept_s)
{
    struct firewall_client *client = start(lab, guest, kept_s);
    firewall_run(lab, 0, "create");
    free(rig_ssh(guest, restart_docker, NULL));
    return end(client, kept_s);
}

double silence_of_old(struct lab *lab, const struct rig *guest, double kept_s)
{
    free(rig_ssh(guest,
                 "! nft list table inet node_firewall >/dev/null 2>&1 || nft delete table inet node_firewall",
                 NULL));
    struct firewall_client *client = start(lab, guest, kept_s);
    AUTO_FREE char *command = xasprintf(
        "set -e; iptables -A INPUT -i lo -j ACCEPT; iptables -A INPUT -p tcp --dport 22 -j ACCEPT; iptables "
        "-A INPUT -m conntrack "
        "--ctstate ESTABLISHED,RELATED -j ACCEPT; iptables -A INPUT -p tcp --syn --dport %d -s " FIREWALL_CDN
        "/20 -j ACCEPT; iptables -P INPUT DROP; %s; %s",
        FIREWALL_AGENT, flush, restart_docker);
    free(rig_ssh(guest, command, NULL));
    double seconds = end(client, kept_s);
    free(rig_ssh(guest, "iptables -P INPUT ACCEPT; iptables -F INPUT", NULL));
    return seconds;
}
