/* The recipe vault from outside, on one real host: a first run, a second, a reboot, a receipt that is gone.
 * What takes longer is in tests/soak/vault.c. */
#include "lab/vault.h"
#include "lab/sandbox.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/words.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <ftw.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(vault, .timeout = 580);

enum { CREATE_BOUND_S = 300, LOOK_MS = 50 };

/* What must not be seen, in the forms in which it could be written. */
static struct words secrets = WORDS_INIT;

static void add_base64(const char *secret)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = strlen(secret);
    /* Within a longer text it stands at one of three places of a group; digits that
     * others share are left out. */
    for (size_t shift = 0; shift < 3; shift++) {
        AUTO_TEXT out = TEXT_INIT;
        for (size_t bit = (shift * 8 + 5) / 6 * 6; bit + 6 <= (shift + length) * 8; bit += 6) {
            unsigned value = 0;
            for (size_t i = bit; i < bit + 6; i++)
                value = value * 2 + ((unsigned char)secret[i / 8 - shift] >> (7 - i % 8) & 1);
            text_add_char(&out, digits[value]);
        }
        words_own(&secrets, text_take(&out));
    }
}

static void add_percent(const char *secret)
{
    AUTO_TEXT out = TEXT_INIT;
    for (const char *at = secret; *at; at++)
        strchr("+/=", *at) ? text_addf(&out, "%%%02X", *at) : text_add_char(&out, *at);
    words_own(&secrets, text_take(&out));
}

static void add_hex(const char *base64)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    AUTO_TEXT out = TEXT_INIT;
    unsigned bits = 0, held = 0;
    for (const char *at = base64; *at && *at != '='; at++) {
        held = held << 6 | (unsigned)(strchr(digits, *at) - digits);
        bits += 6;
        if (bits >= 8)
            text_addf(&out, "%02x", held >> (bits -= 8) & 0xff);
    }
    words_own(&secrets, text_take(&out));
}

static void add_secret(const char *secret)
{
    cr_assert(strlen(secret) > 16, "no secret: '%s'", secret);
    words_add(&secrets, secret);
    add_base64(secret);
    add_percent(secret);
}

/* Shares and root token, while they are all there. */
static bool add_shares(struct lab *lab)
{
    AUTO_FREE char *state = vault_state(lab), *path = file_join(state, "init.json");
    if (!lab_exists(lab, path))
        return false;
    AUTO_JSON *kept = vault_kept(lab);
    const struct json *shares = json_get(kept, "keys_base64");
    cr_assert(eq(sz, json_count(shares), 3));
    add_secret(json_get_string(kept, "root_token", ""));
    for (size_t i = 0; i < 3; i++) {
        add_secret(json_string(json_at(shares, i), ""));
        add_hex(json_string(json_at(shares, i), ""));
    }
    return true;
}

static const char *secret_in(const char *bytes, size_t length)
{
    for (size_t i = 0; i < secrets.count; i++)
        if (length && memmem(bytes, length, secrets.items[i], strlen(secrets.items[i])))
            return secrets.items[i];
    return NULL;
}

struct watched {
    struct lab *lab;
    bool known;         /* the shares */
    struct words argvs; /* what was started on this machine meanwhile; the guest's processes are among them */
};

static void remember_argv(struct watched *watched, long pid)
{
    AUTO_TEXT argv = TEXT_INIT;
    AUTO_FREE char *path = xasprintf("/proc/%ld/cmdline", pid);
    if (pid <= 0 || file_read(path, 4 << 20, &argv, NULL) < 0 || !argv.length)
        return;
    for (size_t i = 0; i + 1 < argv.length; i++)
        if (!argv.bytes[i])
            argv.bytes[i] = ' ';
    if (!words_have(&watched->argvs, argv.bytes))
        words_add(&watched->argvs, argv.bytes);
}

/* The kernel tells each exec; -1 where it does not (no root of the whole machine). */
static int listen_to_execs(void)
{
    struct {
        struct nlmsghdr header;
        struct cn_msg message;
        enum proc_cn_mcast_op what;
    } __attribute__((packed)) ask = {
        .header = {.nlmsg_len = sizeof ask, .nlmsg_type = NLMSG_DONE},
        .message = {.id = {CN_IDX_PROC, CN_VAL_PROC}, .len = sizeof ask.what},
        .what = PROC_CN_MCAST_LISTEN,
    };
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC};
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR), room = 8 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        send(fd, &ask, sizeof ask, 0) == sizeof ask)
        return fd;
    close(fd);
    return -1;
}

static void hear_execs(struct watched *watched, int fd)
{
    char block[4096] __attribute__((aligned(8)));
    for (ssize_t got; (got = recv(fd, block, sizeof block, 0)) > 0;) {
        struct proc_event event;
        size_t before = NLMSG_HDRLEN + offsetof(struct cn_msg, data);
        if ((size_t)got < before + sizeof event)
            continue;
        memcpy(&event, block + before, sizeof event);
        if (event.what == PROC_EVENT_EXEC)
            remember_argv(watched, event.event_data.exec.process_pid);
    }
}

static void look_at_processes(struct watched *watched)
{
    AUTO_WORDS names = WORDS_INIT;
    file_list("/proc", &names, NULL);
    for (size_t i = 0; i < names.count; i++)
        remember_argv(watched, strtol(names.items[i], NULL, 10));
}

/* A first run that tells all Ansible can tell, and what was started meanwhile. */
static void create_and_watch(struct lab *lab, struct watched *watched)
{
    *watched = (struct watched){.lab = lab};
    int execs = listen_to_execs(), status;
    pid_t pid = lab_start(lab, "create", "create", "vault", "--", "-vvv", "--diff", NULL);
    int64_t until = moment_monotonic() + CREATE_BOUND_S * NS_PER_S, next = 0;
    while (waitpid(pid, &status, WNOHANG) == 0 && moment_monotonic() < until) {
        struct pollfd look = {.fd = execs, .events = POLLIN};
        if (poll(&look, 1, LOOK_MS) > 0)
            hear_execs(watched, execs);
        if (moment_monotonic() < next)
            continue;
        look_at_processes(watched);
        if (!watched->known && lab_sql_number(lab, "SELECT count(*) FROM machine"))
            watched->known = add_shares(lab);
        next = moment_monotonic() + (execs >= 0 ? 10 : 1) * LOOK_MS * NS_PER_MS;
    }
    if (execs >= 0)
        close(execs);
    AUTO_FREE char *said = lab_read(lab, "create.err");
    cr_assert(lt(i64, moment_monotonic(), until), "create did not end: %s", said);
    cr_assert(eq(int, WEXITSTATUS(status), 0), "%s", said);
    cr_assert(watched->known, "the shares were never seen");
}

/* To be called when all secrets are known. */
static void hold_argvs(const struct watched *watched)
{
    bool guest = false;
    for (size_t i = 0; i < watched->argvs.count; i++) {
        const char *argv = watched->argvs.items[i];
        cr_expect(secret_in(argv, strlen(argv)) == NULL, "a secret in argv: %s", argv);
        guest = guest || text_starts(argv, "/usr/local/bin/bao server ");
    }
    cr_assert(guest, "the guest's processes were not seen");
}

/* Files below the folder that hold a secret, those in `searched_except` left out. */
static struct text found = TEXT_INIT;
static const char *searched_except;
static int searched;

static int search_file(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)where;
    if (kind != FTW_F || !S_ISREG(status->st_mode) || (searched_except && text_starts(path, searched_except)))
        return 0;
    AUTO_TEXT bytes = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(file_read(path, 256 << 20, &bytes, &err) == 0, "%s", error_text(&err));
    searched++;
    const char *secret = secret_in(bytes.bytes, bytes.length);
    if (secret)
        text_addf(&found, "%s: %.8s...\n", path, secret);
    return 0;
}

static char *search(const char *folder, const char *except)
{
    searched_except = except;
    searched = 0;
    cr_assert(nftw(folder, search_file, 32, FTW_PHYS) == 0);
    return text_take(&found);
}

/* What is kept, each file for its owner alone; and a bundle of the run has none of it, packed out beside. */
static void hold_it_is_closed_and_in_no_bundle(struct lab *lab, const char *state)
{
    AUTO_FREE char *open =
                       rig_output("find %s ! \\( -type d -perm 700 \\) ! \\( -type f -perm 600 \\)", state),
                   *kept = rig_output("cd %s && ls", state),
                   *bundle = file_join(lab_folder(lab), "bundle.tar.gz");
    cr_assert(eq(str, open, ""), "open to others: %s", open);
    cr_assert(strstr(kept, "admin.token") && strstr(kept, "ca.key") && strstr(kept, "init.json") &&
                  strstr(kept, "store") && strstr(kept, "tokens.json"),
              "%s", kept);
    vault_expect(lab, 0, "bundle", "--format", "gz", "-o", bundle, NULL);
    AUTO_FREE char
        *in_it = rig_output(
            "cd %s && mkdir unpacked && tar -xzf bundle.tar.gz -C unpacked && find unpacked -type f "
            "| grep -cE '/(init.json|tokens.json|receipt.json|admin.token|ca.key|slot-.)$' || true",
            lab_folder(lab)),
        *keys = rig_output("grep -rl 'BEGIN.*PRIVATE KEY' %s/unpacked || true", lab_folder(lab));
    cr_assert(eq(str, in_it, "0\n"));
    cr_assert(eq(str, keys, ""));
}

static void hold_secrets_are_kept(struct lab *lab)
{
    AUTO_FREE char *below = vault_state(lab), *state = file_join(lab_folder(lab), below);
    hold_it_is_closed_and_in_no_bundle(lab, state);
    AUTO_JSON *kept = vault_kept(lab);
    cr_assert(json_get(kept, "root_token") == NULL, "the root token is still kept");
    AUTO_FREE char *token_path = file_join(below, "admin.token"), *token = lab_read(lab, token_path),
                   *snapshot = vault_guest(lab, "cat /etc/openbao/snapshot.token", NULL, NULL);
    token[strcspn(token, "\n")] = snapshot[strcspn(snapshot, "\n")] = '\0';
    add_secret(token);

    AUTO_TEXT patterns = TEXT_INIT;
    for (size_t i = 0; i < secrets.count; i++)
        text_addf(&patterns, "%s\n", secrets.items[i]);
    int code;
    AUTO_FREE char *guest = vault_guest(lab,
                                        "umask 077; mkdir /dev/shm/look; cat >/dev/shm/look/patterns; grep "
                                        "-rlaF -f /dev/shm/look/patterns /etc /root /home "
                                        "/opt /run/log /srv /tmp /usr/local /var; journalctl -q --no-pager | "
                                        "grep -aF -f /dev/shm/look/patterns; "
                                        "rm -r /dev/shm/look; true",
                                        text_string(&patterns), &code);
    cr_assert(eq(str, guest, "/etc/openbao/unseal.shares\n"), "secrets on the guest");

    add_secret(snapshot);
    AUTO_FREE char *control = search(state, NULL), *elsewhere = search(lab_folder(lab), state);
    cr_assert(strstr(control, "init.json") && strstr(control, "admin.token"), "the search finds nothing: %s",
              control);
    cr_assert(gt(int, searched, 60));
    cr_assert(eq(str, elsewhere, ""));
}

static void hold_tokens(struct lab *lab, const char *root)
{
    AUTO_FREE char *state = vault_state(lab), *path = file_join(state, "admin.token"),
                   *admin = lab_read(lab, path), *said = NULL;
    cr_assert(eq(int, vault_ask(lab, root, "GET", "/v1/auth/token/lookup-self", NULL), 403),
              "the root token still works");
    cr_assert(eq(int, vault_ask(lab, admin, "GET", "/v1/auth/token/lookup-self", &said), 200));
    cr_assert(strstr(said, "\"policies\":[\"admin\",\"default\"]") && strstr(said, "\"orphan\":true"), "%s",
              said);
    cr_assert(eq(int, vault_ask(lab, admin, "PUT", "/v1/sys/seal", NULL), 403), "the admin token can seal");
}

static void hold_snapshots(struct lab *lab)
{
    /* Not by the playbook's own script: the file is the one that latest.json names, and what is in it
     * has the sums it carries. */
    AUTO_FREE char *said = vault_guest(
        lab,
        "set -eu; cd /var/lib/openbao/snapshots; python3 - <<'END'\n"
        "import hashlib, json, tarfile\n"
        "latest = json.load(open('latest.json'))\n"
        "data = open(latest['file'], 'rb').read()\n"
        "assert hashlib.sha256(data).hexdigest() == latest['sha256'], 'sum of the file'\n"
        "archive = tarfile.open(latest['file'])\n"
        "sums = archive.extractfile('SHA256SUMS').read().decode().split('\\n')\n"
        "for line in filter(None, sums):\n"
        "    value, name = line.split()\n"
        "    assert hashlib.sha256(archive.extractfile(name).read()).hexdigest() == value, name\n"
        "print(len(sums) - 1)\n"
        "END\n"
        "systemctl is-active openbao-snapshot.timer; systemctl is-enabled openbao-snapshot.timer\n"
        "systemctl show -P TimersCalendar openbao-snapshot.timer | grep -o 'OnCalendar=[^ ;]* [^ ;]*'\n"
        "ls openbao-*.snap | wc -l; ls -A | grep -c part || true",
        NULL, NULL);
    cr_assert(eq(str, said, "2\nactive\nenabled\nOnCalendar=*-*-* *:00:00\n1\n0\n"));
}

static void hold_nothing_changes(struct lab *lab)
{
    vault_expect(lab, 0, "run", "vault", "--check-idempotent", NULL);
    AUTO_FREE char *changed = vault_changed(lab);
    cr_assert(eq(str, changed, ""));
    struct lab_result report = lab_run(lab, "report", "--json", NULL);
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *json = json_parse(report.out, strlen(report.out), &err);
    const struct json *steps = json_get(json, "steps");
    cr_assert(eq(sz, json_count(steps), 5), "%s", report.out);
    for (size_t i = 0; i < json_count(steps); i++) {
        const struct json *step = json_at(steps, i);
        cr_assert(eq(i64, json_get_integer(step, "changed", -1), 0), "%s", report.out);
        if (text_is(json_get_string(step, "kind", ""), "phase"))
            cr_assert(gt(i64, json_get_integer(step, "ok", 0), 0), "%s", report.out);
    }
}

/* Once, however often it was looked. */
static void hold_the_decision_is_told(struct lab *lab, const char *decision)
{
    struct lab_result report = lab_run(lab, "report", NULL);
    const char *first = strstr(report.out, "told: vault: ");
    cr_assert(first && strstr(first, decision) && !strstr(first + 1, "told: vault: "), "%s", report.out);
}

static char *guest_state(struct lab *lab)
{
    return vault_guest(lab,
                       "systemctl show -P MainPID -P ActiveEnterTimestamp openbao; find /etc/openbao "
                       "/var/lib/openbao -type f ! -path "
                       "'*/data/*' -exec sha256sum {} + | sort",
                       NULL, NULL);
}

/* The unit had said that it is done only once the server was active: whoever started it waits for that. */
static void hold_it_unseals_itself(struct lab *lab)
{
    AUTO_FREE char *said = vault_guest(
        lab,
        "set -eu; systemctl start openbao-unseal.service; curl -s --cacert /etc/openbao/tls/ca.crt -o "
        "/dev/null -w '%{http_code} ' https://127.0.0.1:8200/v1/sys/health; systemctl stop openbao; "
        "systemctl start openbao; systemctl start openbao-unseal.service; curl -s --cacert "
        "/etc/openbao/tls/ca.crt -o /dev/null -w '%{http_code} ' https://127.0.0.1:8200/v1/sys/health; wc -l "
        "</etc/openbao/unseal.shares; stat -c '%U %a' /etc/openbao/unseal.shares; ls "
        "/var/lib/openbao/bootstrap",
        NULL, NULL);
    cr_assert(eq(str, said, "200 200 2\nroot 600\n"));
}

static bool is_tidy(void *context)
{
    AUTO_FREE char *left =
        vault_guest(context, "find /root/.ansible/tmp /root/.ansible_async -mindepth 1 ! -name 'triphase-*'",
                    NULL, NULL);
    return !*left;
}

Test(vault, it_is_made_unsealed_kept_secret_repeatable_and_comes_back_after_a_reboot)
{
    struct lab *lab = vault_lab();
    struct watched watched;
    create_and_watch(lab, &watched);
    AUTO_FREE char *root = xstrdup(secrets.items[0]);
    vault_expect_active(lab);
    hold_the_decision_is_told(lab, "fresh-init, T0 H0 S0: ");
    hold_secrets_are_kept(lab);
    hold_argvs(&watched);
    words_clear(&watched.argvs);
    hold_tokens(lab, root);
    hold_snapshots(lab);

    hold_nothing_changes(lab);
    hold_the_decision_is_told(lab, "go-on, T1 H1 S1: ");
    /* Ansible's watcher of an async task looks every 5 s, and takes its folder away only then. */
    cr_assert(lab_until(10, is_tidy, lab), "tasks left something in the guest");

    vault_reboot(lab);
    hold_it_unseals_itself(lab);
    vault_expect(lab, 0, "run", "vault", "--check-idempotent", NULL);
    vault_expect_active(lab);

    free(vault_guest(lab, "mv /var/lib/openbao/receipt.json /root/receipt.json", NULL, NULL));
    AUTO_FREE char *before = guest_state(lab), *state = vault_state(lab),
                   *shares_path = file_join(state, "init.json"), *shares = lab_read(lab, shares_path);
    struct lab_result refused = vault_expect(lab, 2, "run", "vault", "converge", NULL);
    cr_assert(strstr(refused.err, "there is initialised data in /var/lib/openbao/data, but no receipt of an "
                                  "initialisation by this playbook. Put back "
                                  "/var/lib/openbao/receipt.json if it was lost") != NULL,
              "%s", refused.err);
    AUTO_FREE char *touched = vault_changed(lab), *after = guest_state(lab),
                   *shares_after = lab_read(lab, shares_path);
    cr_assert(eq(str, touched, ""));
    cr_assert(eq(str, after, before));
    cr_assert(eq(str, shares_after, shares));
    vault_expect_active(lab);
    free(vault_guest(lab, "mv /root/receipt.json /var/lib/openbao/receipt.json", NULL, NULL));
    vault_expect(lab, 0, "run", "vault", "converge", "--check-idempotent", NULL);
}
