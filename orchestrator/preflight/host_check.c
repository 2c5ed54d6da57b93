#include "preflight/host_check.h"

#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "playbook/scan.h"
#include "transport/known_hosts.h"
#include "transport/master_control.h"
#include "transport/route.h"

#include <stdio.h>
#include <string.h>

enum { LOOK_BOUND_S = 30, ROOM_LEAST_KIB = 1024, ROOM_SMALL_KIB = 200 * 1024 };

/* Lines "name=value"; the last says that all came. `$1`: the interpreter, may be empty. */
static const char script[] =
    "say() { printf '%s=%s\\n' \"$1\" \"$(printf %s \"$2\" | head -n 1)\"; }\n"
    "say user \"$(id -un 2>/dev/null)\"\n"
    "u=$(id -u)\n"
    "say uid \"$u\"\n"
    "case $u in 0) ;; *) if command -v sudo >/dev/null 2>&1\n"
    "then e=$(sudo -n true 2>&1 </dev/null) && say sudo ok || say sudo \"$e\"\n"
    "else say sudo 'sudo: not found'; fi ;; esac\n"
    "if [ -n \"$python\" ]\n"
    "then v=$(\"$python\" -c 'import sys; print(\"%d.%d.%d\" % sys.version_info[:3])' 2>&1 </dev/null)\n"
    "say python \"$v\"; fi\n"
    "for d in \"$HOME\" /tmp; do\n"
    "k=$(df -Pk \"$d\" 2>/dev/null | { read -r x; read -r x x x k x; printf %s \"$k\"; })\n"
    "i=$(df -Pi \"$d\" 2>/dev/null | { read -r x; read -r x t x i x; [ \"$t\" = 0 ] || printf %s \"$i\"; })\n"
    "w=yes; [ -w \"$d\" ] || w=no\n"
    "say disk \"$w ${k:--} ${i:--} $d\"; done\n";

void host_check_add(struct json *report, const char *name, const char *state, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *words = xvasprintf(format, args);
    va_end(args);
    AUTO_TEXT text = TEXT_INIT;
    text_add_printable_lines(&text, words, "; ");
    struct json *entry = json_new_object();
    json_set_string(entry, "name", name);
    json_set_string(entry, "state", state);
    json_set_string(entry, "text", text_string(&text));
    json_append(json_get(report, "checks"), entry);
}

static struct json *new_report(void)
{
    struct json *report = json_new_object();
    json_set_bool(report, "reached", false);
    json_set(report, "checks", json_new_array());
    return report;
}

struct json *host_check_alone(const char *name, const char *state, const char *text)
{
    struct json *report = new_report();
    host_check_add(report, name, state, "%s", text);
    return report;
}

/* What a rung of the login saw; "" where it was not come to. */
static const char *saw(const struct transport_result *result, const char *rung)
{
    const struct json *rungs = json_get(result->evidence, "rungs");
    for (size_t i = 0; i < json_count(rungs); i++)
        if (text_is(json_get_string(json_at(rungs, i), "rung", NULL), rung))
            return json_get_string(json_at(rungs, i), "saw", "");
    return "";
}

static void look_at_login(const struct host_check_request *request, const struct transport_result *result,
                          const struct error *failed, struct json *report)
{
    const char *key = saw(result, "host-key"), *host = json_get_string(result->evidence, "host", "it");
    bool by_key = text_is(result->rung, "host-key");
    if (failed->kind == ERROR_NONE)
        host_check_add(report, "login", "ok", "user %s at %s port %d over %s (%s)",
                       json_get_string(result->evidence, "user", "?"), host,
                       (int)json_get_integer(result->evidence, "port", 0), transport_name(request->kind),
                       saw(result, "banner"));
    else
        host_check_add(report, "login", by_key ? "unknown" : "failed", "%s",
                       by_key ? "the host's key was not accepted, so nobody logged in" : error_text(failed));
    if (by_key)
        host_check_add(report, "host-key", "failed", "%s", error_text(failed));
    else if (*key)
        host_check_add(report, "host-key", "ok", "%s, %s", key,
                       request->target->host_key_kind == HOST_KEYS_ACCEPT_NEW
                           ? "as it was known, or new and accepted"
                           : "the known one");
}

/* The value of the first line `name=` at or after *at, malloc'ed; moves *at behind
 * it. NULL: there is none. */
static char *value_of(const char **at, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = *at; *line;) {
        size_t size = strcspn(line, "\n");
        const char *next = line + size + (line[size] == '\n');
        if (size > length && !strncmp(line, name, length) && line[length] == '=') {
            *at = next;
            return xstrndup(line + length + 1, size - length - 1);
        }
        line = next;
    }
    return NULL;
}

/* Whether something of the recipe's playbooks is to be done as another user; the place that
 * says so, malloc'ed, or NULL. */
static char *find_become(const struct host_check_request *request)
{
    const struct recipe *recipe = project_recipe(request->project, request->target->recipe);
    char *where = NULL;
    for (size_t i = 0; recipe && i < recipe->phase_count && !where; i++) {
        struct scan found = {0};
        scan_playbook(request->project, recipe->phases[i].playbook, &found);
        for (size_t f = 0; f < found.count && !where; f++)
            if (found.items[f].kind == SCAN_BECOME)
                where = xstrdup(found.items[f].where);
        scan_clear(&found);
    }
    return where;
}

static void look_at_sudo(const struct host_check_request *request, const char *answer, struct json *report)
{
    const char *at = answer;
    AUTO_FREE char *user = value_of(&at, "user");
    AUTO_FREE char *uid = value_of(&at, "uid");
    AUTO_FREE char *sudo = value_of(&at, "sudo");
    if (text_is(uid, "0")) {
        host_check_add(report, "sudo", "ok", "not needed, the login is root's");
    } else if (text_is(sudo, "ok")) {
        host_check_add(report, "sudo", "ok", "%s becomes root without a password", user ? user : "the user");
    } else if (request->target->become_password.kind != SECRET_NONE && sudo && strstr(sudo, "password")) {
        host_check_add(report, "sudo", "warning",
                       "it asks for a password; become_password is set, and was not tried");
    } else {
        AUTO_FREE char *where = find_become(request);
        host_check_add(
            report, "sudo", where ? "failed" : "warning",
            "user %s cannot become root: %s; %s: install sudo there and give the user a NOPASSWD rule, set "
            "become_password, or log in as root",
            user ? user : "?", sudo ? sudo : "no answer",
            where ? where : "nothing in the playbooks says become, but a look at the host needs it too");
    }
}

/* The least Python of the host that modules of an ansible-core run on (its
 * documentation, "support matrix"). */
static const struct {
    int ansible, python; /* minor versions: 2.x, 3.x */
} least_python[] = {{20, 9}, {18, 8}, {17, 7}, {16, 6}, {14, 5}};

static int least_for(const char *ansible_version)
{
    int minor = 0;
    if (!ansible_version || sscanf(ansible_version, "2.%d", &minor) != 1)
        return 0;
    for (size_t i = 0; i < COUNT_OF(least_python); i++)
        if (minor >= least_python[i].ansible)
            return least_python[i].python;
    return 0;
}

static void look_at_python(const struct host_check_request *request, const char *interpreter,
                           const char *answer, struct json *report)
{
    const char *at = answer;
    AUTO_FREE char *version = value_of(&at, "python");
    int major = 0, minor = 0, least = least_for(request->ansible_version);
    if (!interpreter || !*interpreter)
        host_check_add(
            report, "python", "failed",
            "none was found there; install python3 (a playbook may do so with raw, before anything else), or "
            "name it with python:");
    else if (!version || sscanf(version, "%d.%d", &major, &minor) != 2)
        host_check_add(report, "python", "failed",
                       "%s does not work: %s; install it there, or name another with python:", interpreter,
                       version ? version : "no answer");
    else if (least && (major < 3 || minor < least))
        host_check_add(
            report, "python", "failed",
            "%s is %s, and modules of Ansible %s need 3.%d or newer; install one there and name it with "
            "python:, or take an older Ansible",
            interpreter, version, request->ansible_version, least);
    else
        host_check_add(report, "python", "ok", "%s (%s)", interpreter, version);
}

static void look_at_disk(const char *answer, struct json *report)
{
    const char *at = answer;
    bool first = true;
    for (char *line; (line = value_of(&at, "disk")); first = false) {
        AUTO_FREE char *owned = line;
        char writable[4], room[24], nodes[24];
        int name = 0;
        if (sscanf(line, "%3s %23s %23s %n", writable, room, nodes, &name) < 3 || !name)
            continue;
        const char *folder = line + name;
        bool known = strspn(room, "0123456789") == strlen(room);
        long long kib = known ? strtoll(room, NULL, 10) : 0;
        /* Ansible puts its modules below the home; what a play writes to /tmp nobody knows. */
        const char *bad = first ? "failed" : "warning";
        if (!text_is(writable, "yes"))
            host_check_add(report, "disk", bad,
                           "%s cannot be written by the user; mend its rights or its mount, or set "
                           "ansible_remote_tmp to a folder that can",
                           folder);
        else if (known && kib < ROOM_LEAST_KIB)
            host_check_add(report, "disk", bad, "%s is full (%lld KiB are left); make room there", folder,
                           kib);
        else if (text_is(nodes, "0"))
            host_check_add(report, "disk", bad, "%s has no inode left; remove files there", folder);
        else if (known && kib < ROOM_SMALL_KIB)
            host_check_add(report, "disk", "warning", "%s has only %lld MiB left", folder, kib / 1024);
        else
            host_check_add(report, "disk", known ? "ok" : "unknown", "%s has %lld MiB left", folder,
                           kib / 1024);
    }
}

static void look_inside(const struct host_check_request *request, const struct ssh_arguments *ssh,
                        const struct transport_result *result, struct json *report)
{
    const char *interpreter = request->target->python ? request->target->python : result->python;
    AUTO_TEXT input = TEXT_INIT, out = TEXT_INIT, said = TEXT_INIT;
    AUTO_ERROR failed = ERROR_INIT;
    struct child_end end = {0};
    char id[ID_SIZE];
    id_make(id);
    text_add(&input, "python=");
    text_add_shell_word(&input, interpreter ? interpreter : "");
    text_addf(&input, "\nprintf '\\n%s\\n'\n%s", id, script);
    struct program how = {.bound_ns = LOOK_BOUND_S * NS_PER_S};
    int status = master_run(result->control_path, ssh, text_string(&input), &how, &out, &said, &end, &failed);
    const char *begin = status == 0 && out.length ? strstr(out.bytes, id) : NULL;
    if (!begin) {
        host_check_add(report, "sudo", "unknown", "the host did not answer: %s",
                       status < 0 ? error_text(&failed) : text_string(&said));
        return;
    }
    begin += strlen(id);
    look_at_sudo(request, begin, report);
    look_at_python(request, interpreter, begin, report);
    look_at_disk(begin, report);
}

/* The first that fails counts. */
static int worst_of(const struct json *report, enum error_kind kind, struct error *err)
{
    const struct json *checks = json_get(report, "checks");
    for (size_t i = 0; i < json_count(checks); i++)
        if (text_is(json_get_string(json_at(checks, i), "state", NULL), "failed"))
            return error_set(err, kind, "%s", json_get_string(json_at(checks, i), "text", ""));
    return 0;
}

int host_check(const struct host_check_request *request, struct json **out, struct error *err)
{
    AUTO_SSH_ARGUMENTS ssh = SSH_ARGUMENTS_INIT;
    AUTO_ERROR failed = ERROR_INIT;
    if (known_hosts_write(request->machine, request->target, request->project->directory, err) < 0 ||
        ssh_arguments_make(request->machine, request->target, request->kind, request->sockets,
                           request->sockets, SSH_ALIVE_INTERVAL,
                           ssh_alive_count(request->target->transport_ns), &ssh, err) < 0)
        return -1;
    const struct transport_request open = {.target = request->target,
                                           .machine = request->machine,
                                           .kind = request->kind,
                                           .ssh = &ssh,
                                           .control_directory = request->sockets,
                                           .masters = request->masters,
                                           .deadline = deadline_in(request->target->transport_ns)};
    struct transport_result result = {0};
    struct json *report = new_report();
    int status = transport_open_master(&open, &result, &failed);
    json_set_bool(report, "reached", status == 0);
    look_at_login(request, &result, &failed, report);
    if (status == 0)
        look_inside(request, &ssh, &result, report);
    transport_result_clear(&result);
    *out = report;
    return worst_of(report,
                    status < 0 && failed.kind == ERROR_UNREACHABLE ? ERROR_UNREACHABLE : ERROR_PROJECT, err);
}
