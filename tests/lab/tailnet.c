#include "lab/tailnet.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "format/json.h"
#include "lab/spilled.h"
#include "lab/tailnet_parts.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RUN_BOUND_S = 120, UP_BOUND_S = 40, MOST_NAMESPACES = 64, WARDEN_ROUNDS = 200, WARDEN_MS = 20 };

/* In memory, in the test's own mount namespace. */
static const char folder[] = "/run/tailnet-lab";
/* Each is somebody's own in an operator's namespace. */
static const char own_folders[] = "/run/tailscale /var/lib/tailscale /var/lib/triphase-tailnet";

static const char config[] =
    "server_url: http://" TAILNET_HUB ":8080\nlisten_addr: " TAILNET_HUB ":8080\n"
    "metrics_listen_addr: 127.0.0.1:9090\ngrpc_listen_addr: 127.0.0.1:50443\n"
    "noise: {private_key_path: /run/tailnet-lab/noise.key}\n"
    "prefixes: {v4: 100.64.0.0/10, v6: 'fd7a:115c:a1e0::/48', allocation: sequential}\n"
    "derp:\n  server: {enabled: true, region_id: 999, region_code: hs, region_name: hs, stun_listen_addr: "
    "'" TAILNET_HUB
    ":3478', private_key_path: /run/tailnet-lab/derp.key, automatically_add_embedded_derp_region: true, "
    "ipv4: " TAILNET_HUB "}\n  urls: []\n  paths: []\n  auto_update_enabled: false\n"
    "disable_check_updates: true\n"
    "database: {type: sqlite, sqlite: {path: /run/tailnet-lab/headscale.db, write_ahead_log: true}}\n"
    "unix_socket: /run/tailnet-lab/headscale.sock\npolicy: {mode: database}\n"
    "dns: {magic_dns: false, override_local_dns: false, base_domain: ''}\n"
    "node: {ephemeral: {inactivity_timeout: 120s}}\nlogtail: {enabled: false}\n"
    "log: {level: info}\n";

const char tailnet_open_policy[] = "{\"tagOwners\": {\"tag:operator\": [\"ops@\"], \"tag:host\": [\"ops@\"], "
                                   "\"tag:vault\": [\"ops@\"]},\n"
                                   "\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": "
                                   "[\"*:*\"]}]}\n";

/* What is to be found only by its network namespace: daemons that the program under test left running. */

static ino_t namespace_of(const char *pid)
{
    AUTO_FREE char *path = xasprintf("/proc/%s/ns/net", pid);
    struct stat status;
    return stat(path, &status) == 0 ? status.st_ino : 0;
}

static bool is_named(const char *pid, const char *begin)
{
    AUTO_FREE char *path = xasprintf("/proc/%s/comm", pid);
    AUTO_TEXT comm = TEXT_INIT;
    return file_read(path, 64, &comm, NULL) == 0 && text_starts(text_string(&comm), begin);
}

/* The first of them is the hub's own, where others' wardens are at work. */
static int end_all(const ino_t *namespaces, size_t count)
{
    AUTO_WORDS pids = WORDS_INIT;
    int found = 0;
    file_list("/proc", &pids, NULL);
    for (size_t i = 0; i < pids.count; i++) {
        long pid = strtol(pids.items[i], NULL, 10);
        ino_t its = pid > 0 && pid != getpid() ? namespace_of(pids.items[i]) : 0;
        for (size_t j = 0; its && j < count; j++)
            if (its == namespaces[j] && (j || is_named(pids.items[i], "tailscale"))) {
                kill((pid_t)pid, SIGKILL);
                found++;
            }
    }
    return found;
}

static int warden = -1;

static void watch(int from)
{
    ino_t namespaces[MOST_NAMESPACES];
    size_t count = 0;
    for (ino_t one; read(from, &one, sizeof one) == (ssize_t)sizeof one;)
        if (count < COUNT_OF(namespaces))
            namespaces[count++] = one;
    /* A process that was killed may have had a child meanwhile. */
    for (int round = 0; round < WARDEN_ROUNDS && end_all(namespaces, count); round++)
        poll(NULL, 0, WARDEN_MS);
    _exit(0);
}

void tailnet_warn(pid_t inside)
{
    AUTO_FREE char *pid = xasprintf("%d", (int)inside);
    ino_t its = namespace_of(pid);
    cr_assert(its && write(warden, &its, sizeof its) == (ssize_t)sizeof its);
}

static void start_warden(void)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        setsid();
        prctl(PR_SET_NAME, "tailnet-warden");
        signal(SIGTERM, SIG_IGN);
        signal(SIGINT, SIG_IGN);
        close(ends[1]);
        watch(ends[0]);
    }
    close(ends[0]);
    warden = ends[1];
    tailnet_warn(getpid());
}

void tailnet_start(struct tailnet_lab *lab, const struct words *argv, const char *log, struct child *out)
{
    AUTO_FREE char *path = file_join(lab->folder, log);
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct child_plan plan = {.argv = words_argv(argv),
                              .environment = words_argv(&lab->environment),
                              .in = -1,
                              .out = fd,
                              .error = fd,
                              .die_with_parent = true};
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(child_start(&plan, out, &err), 0, "%s", error_text(&err));
}

struct lab_result tailnet_run(struct tailnet_lab *lab, const struct words *argv)
{
    AUTO_TEXT out = TEXT_INIT, said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct child_end end = {0};
    struct program program = {.argv = words_argv(argv),
                              .environment = words_argv(&lab->environment),
                              .bound_ns = RUN_BOUND_S * NS_PER_S,
                              .output_limit = 64 << 20};
    int64_t before = moment_monotonic();
    int status = program_run(&program, &out, &said, &end, &err);
    cr_assert(status == 0 || !end.exited, "%s: %s", argv->items[0], error_text(&err));
    return (struct lab_result){end.exited ? end.code : 128 + end.signal, lab_keep(text_take(&out)),
                               lab_keep(text_take(&said)),
                               (double)(moment_monotonic() - before) / (double)NS_PER_S};
}

char *tailnet_do(struct tailnet_lab *lab, const struct words *argv)
{
    struct lab_result result = tailnet_run(lab, argv);
    AUTO_FREE char *line = words_join(argv, " ");
    cr_assert_eq(result.code, 0, "%s: exit code %d: %s%s", line, result.code, result.out, result.err);
    return xstrdup(result.out);
}

static char *find_programs(void)
{
    const char *given = getenv("TEST_TAILNET");
    char *found = given && *given ? xstrdup(given) : rig_output("setup/tailnet-lab.sh --where");
    found[strcspn(found, "\n")] = '\0';
    AUTO_FREE char *headscale = file_join(found, "headscale");
    if (!file_is_program(headscale))
        cr_skip_test("no headscale in %s: setup/tailnet-lab.sh builds it", found);
    return found;
}

/* Mounts that operators cover for themselves have to be mounts of their own here; all others are shared with
 * them, so that a sandbox that is made there can be removed from here. */
static void lay_out(void)
{
    rig_go_private();
    rig_shell("mkdir -p %s %s && mount -t tmpfs -o mode=0700 tmpfs %s && for one in %s /dev/net; do mount "
              "--bind $one $one || exit; done && cp /etc/resolv.conf %s/resolv.conf && mount --bind "
              "%s/resolv.conf /etc/resolv.conf && mount --make-rshared / && ip addr add " TAILNET_HUB
              "/32 dev lo && echo 1 >/proc/sys/net/ipv4/ip_forward",
              own_folders, folder, folder, own_folders, folder, folder);
}

static bool answers(void *context)
{
    (void)context;
    AUTO_FREE char *said =
        rig_output("python3 -c 'import urllib.request as u; print(u.build_opener(u.ProxyHandler({}))"
                   ".open(\"http://" TAILNET_HUB ":8080/health\", timeout=2).status)' 2>/dev/null");
    return text_is(said, "200\n");
}

void tailnet_lab_start(struct tailnet_lab *lab)
{
    AUTO_WORDS argv = WORDS_INIT;
    words_add_all(&argv, "headscale", "-c", "/run/tailnet-lab/headscale.yaml", "serve", NULL);
    tailnet_start(lab, &argv, "headscale.log", &lab->headscale);
    if (!lab_until(UP_BOUND_S, answers, NULL)) {
        AUTO_FREE char *log = rig_output("tail -n 20 /run/tailnet-lab/headscale.log");
        cr_assert_fail("headscale does not answer: %s", log);
    }
}

void tailnet_lab_stop(struct tailnet_lab *lab)
{
    child_signal(&lab->headscale, SIGKILL);
    cr_assert(child_await(&lab->headscale, 10 * NS_PER_S));
    child_close(&lab->headscale);
}

struct tailnet_lab *tailnet_lab_new(void)
{
    struct tailnet_lab *lab = lab_keep(xcalloc(1, sizeof *lab));
    lab->programs = find_programs();
    lab->folder = xstrdup(folder);
    lay_out();
    start_warden();
    words_add_list(&lab->environment, (const char *const *)environ);
    AUTO_FREE char *path = xasprintf("%s:%s", lab->programs, getenv("PATH"));
    words_set_env(&lab->environment, "PATH", path);
    words_set_env(&lab->environment, "HOME", folder);
    words_set_env(&lab->environment, "TS_DEBUG_USE_DERP_HTTP", "1");
    words_set_env(&lab->environment, "TS_NO_LOGS_NO_SUPPORT", "1");
    rig_plant("/run/tailnet-lab/headscale.yaml", config);
    tailnet_lab_start(lab);
    free(tailnet_lab_headscale(lab, "users", "create", "ops", NULL));
    tailnet_lab_policy(lab, tailnet_open_policy);
    tailnet_spilled_begin();
    return lab;
}

const char *tailnet_lab_programs(const struct tailnet_lab *lab)
{
    return lab->programs;
}

const char *tailnet_lab_folder(const struct tailnet_lab *lab)
{
    return lab->folder;
}

const char *tailnet_lab_login_server(const struct tailnet_lab *lab)
{
    (void)lab;
    return "http://" TAILNET_HUB ":8080";
}

char *tailnet_lab_headscale(struct tailnet_lab *lab, const char *word, ...)
{
    AUTO_WORDS argv = WORDS_INIT;
    words_add_all(&argv, "headscale", "-c", "/run/tailnet-lab/headscale.yaml", NULL);
    va_list more;
    va_start(more, word);
    for (; word; word = va_arg(more, const char *))
        words_add(&argv, word);
    va_end(more);
    return tailnet_do(lab, &argv);
}

void tailnet_lab_policy(struct tailnet_lab *lab, const char *policy)
{
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(file_replace("/run/tailnet-lab/policy.json", policy, strlen(policy), 0600, &err), 0, "%s",
                 error_text(&err));
    free(tailnet_lab_headscale(lab, "policy", "set", "-f", "/run/tailnet-lab/policy.json", NULL));
}

char *tailnet_lab_key(struct tailnet_lab *lab, const char *tag, bool reusable, bool ephemeral)
{
    AUTO_WORDS argv = WORDS_INIT;
    words_add_all(&argv, "headscale", "-c", "/run/tailnet-lab/headscale.yaml", "preauthkeys", "create",
                  "--expiration", "1h", "--user", "1", "--tags", tag, "-o", "json", NULL);
    if (reusable)
        words_add(&argv, "--reusable");
    if (ephemeral)
        words_add(&argv, "--ephemeral");
    AUTO_FREE char *said = tailnet_do(lab, &argv);
    AUTO_ERROR err = ERROR_INIT;
    struct json *made = json_parse(said, strlen(said), &err);
    cr_assert_not_null(made, "%s: %s", error_text(&err), said);
    char *key = xstrdup(json_get_string(made, "key", ""));
    json_free(made);
    cr_assert(*key, "%s", said);
    spilled_watch(key);
    return key;
}
