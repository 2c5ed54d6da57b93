#include "bundle/host.h"

#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "process/program.h"

#include <stdio.h>
#include <string.h>

#define BOUND (90 * NS_PER_S)
enum { EACH_S = 15, SMALL = 256 << 10, LARGE = 4 << 20, OUTPUT_MOST = 48 << 20, MARK_SIZE = 40 };

/* In order: what is short and tells most comes first, in case the time does not suffice for all. `need`: a
 * program without which there is nothing to ask. */
static const struct {
    const char *name, *need;
    int most; /* bytes */
    const char *command;
} questions[] = {
    {"system", "", SMALL, "uname -a; cat /etc/os-release; uptime; id; python3 --version"},
    {"systemd-state", "systemctl", SMALL, "systemctl is-system-running; systemctl list-jobs --no-pager"},
    {"systemd-failed", "systemctl", SMALL,
     "systemctl --failed --no-pager --full --plain; for unit in $(systemctl --failed --plain --no-legend | "
     "cut -d' ' -f1); do"
     " systemctl status --no-pager --full -n 50 -- \"$unit\"; done; true"},
    {"systemd-units", "systemctl", SMALL,
     "systemctl list-units --all --no-pager --full --plain; systemctl list-timers --all --no-pager --full"},
    {"systemd-boot", "systemd-analyze", SMALL,
     "systemd-analyze time; systemd-analyze blame --no-pager | head -n 60"},
    {"processes", "ps", LARGE, "ps -eo pid,ppid,user,stat,lstart,time,rss,wchan:24,args --forest -ww"},
    {"memory", "", SMALL, "free -m; cat /proc/meminfo /proc/loadavg /proc/pressure/* 2>/dev/null; true"},
    {"disk", "df", SMALL, "df -hT; echo; df -i; echo; cat /proc/mounts; lsblk 2>/dev/null; true"},
    {"network-addresses", "ip", SMALL, "ip -d address show"},
    {"network-links", "ip", SMALL, "ip -s link show; ip neigh show"},
    {"network-sockets", "ss", LARGE, "ss -tuanpi"},
    {"network-resolver", "", SMALL, "cat /etc/resolv.conf /etc/hosts"},
    {"routes-v4", "ip", SMALL, "ip -4 rule show; ip -4 route show table all"},
    {"routes-v6", "ip", SMALL, "ip -6 rule show; ip -6 route show table all"},
    {"firewall-v4", "iptables-save", LARGE, "iptables-save -c"},
    {"firewall-v6", "ip6tables-save", LARGE, "ip6tables-save -c"},
    {"firewall-nft", "nft", LARGE, "nft list ruleset"},
    {"tailscale", "tailscale", SMALL, "tailscale version; tailscale status; tailscale netcheck"},
    {"dmesg", "dmesg", LARGE, "dmesg | tail -n 5000"},
    {"cloud-init-status", "cloud-init", SMALL, "cloud-init status --long"},
    {"cloud-init-log", "/var/log/cloud-init.log", LARGE, "tail -n 20000 /var/log/cloud-init.log"},
    {"cloud-init-output", "/var/log/cloud-init-output.log", LARGE,
     "tail -n 20000 /var/log/cloud-init-output.log"},
    {"journal", "journalctl", 2 * LARGE, "journalctl --no-pager --quiet -o short-precise -n 40000"},
    {"docker", "docker", LARGE,
     "docker version; docker info; docker ps -a --no-trunc; docker network ls; for c in $(docker ps -aq); do"
     " docker inspect --format '{{.Name}} {{json .State}} {{json .HostConfig}} {{json .NetworkSettings}}' "
     "\"$c\";"
     " docker logs --timestamps --tail 200 \"$c\"; done"},
    {"podman", "podman", LARGE,
     "podman version; podman ps -a --no-trunc; podman network ls; for c in $(podman ps -aq); do"
     " podman inspect --format '{{.Name}} {{json .State}} {{json .NetworkSettings}}' \"$c\";"
     " podman logs --timestamps --tail 200 \"$c\"; done"},
};

/* In UTF-8: a program that shows ? for a letter would show what is left of a secret. One shell on the host
 * reads this from its stdin, so nothing of it is in argv there. What it writes is told apart by a mark that
 * nobody there can know. Each answer is cut at its size by head, which ends who writes more, and goes by
 * while the exit code takes another way. */
static char *script(const char *mark)
{
    struct text out = TEXT_INIT;
    text_addf(
        &out,
        "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin LC_ALL=C.UTF-8 SYSTEMD_COLORS=0\nexport PATH LC_ALL "
        "SYSTEMD_COLORS\n"
        "root=; limit=\n"
        "if [ \"$(id -u)\" != 0 ] && sudo -n true 2>/dev/null; then root='sudo -n'; fi\n"
        "if command -v timeout >/dev/null 2>&1; then limit='timeout -k 2 %d'; fi\n"
        "printf '\\n%s hello %%s%%s\\n' \"$(id -un)\" \"${root:+ (sudo)}\"\n"
        "take() {\n"
        "  if [ -n \"$3\" ] && ! command -v \"$3\" >/dev/null 2>&1 && ! $root test -r \"$3\"; then\n"
        "    printf '\\n%s absent %%s\\n' \"$1\"; return\n  fi\n"
        "  printf '\\n%s begin %%s\\n' \"$1\"\n"
        "  { code=$({ { $root $limit sh -c \"$4\" </dev/null 2>&1 3>&- 4>&-; echo $? >&3; } | head -c "
        "\"$2\" >&4; } 3>&1)\n"
        "  } 4>&1\n"
        "  printf '\\n%s end %%s\\n' \"$code\"\n}\n",
        EACH_S, mark, mark, mark, mark);
    for (size_t i = 0; i < COUNT_OF(questions); i++) {
        text_addf(&out, "take %s %d '%s' ", questions[i].name, questions[i].most, questions[i].need);
        text_add_shell_word(&out, questions[i].command);
        text_add_char(&out, '\n');
    }
    text_addf(&out, "printf '\\n%s bye\\n'\n", mark);
    return text_take(&out);
}

struct answers {
    const char *at, *end;
    char mark[MARK_SIZE];
};

/* The next line that begins with the mark, from `at` on; the bytes before it in `before`. Its rest,
 * malloc'ed; NULL: there is none. */
static char *next_mark(struct answers *answers, struct text *before)
{
    AUTO_FREE char *needle = xasprintf("\n%s ", answers->mark);
    size_t length = strlen(needle), left = (size_t)(answers->end - answers->at);
    const char *found = left ? memmem(answers->at, left, needle, length) : NULL;
    text_truncate(before, 0);
    text_add_bytes(before, answers->at, found ? (size_t)(found - answers->at) : left);
    if (!found) {
        answers->at = answers->end;
        return NULL;
    }
    const char *rest = found + length, *line = memchr(rest, '\n', (size_t)(answers->end - rest));
    if (!line)
        line = answers->end;
    answers->at = line < answers->end ? line + 1 : line;
    return xstrndup(rest, (size_t)(line - rest));
}

static const char *command_of(const char *name, int *most)
{
    for (size_t i = 0; i < COUNT_OF(questions); i++)
        if (text_is(questions[i].name, name)) {
            *most = questions[i].most;
            return questions[i].command;
        }
    return NULL;
}

/* `code` NULL: the connection ended, or time was up, in the middle of it. */
static int add_answer(struct bundle *bundle, const char *name, const struct text *said, const char *code,
                      struct error *err)
{
    int most = 0;
    const char *command = command_of(name, &most);
    AUTO_FREE char *file = xasprintf("host/%s.txt", name);
    if (!command || bundle_has(bundle, file))
        return 0; /* no question of ours: a host may say anything */
    AUTO_TEXT whole = TEXT_INIT;
    struct json *facts = json_new_object();
    bool cut = said->length >= (size_t)most;
    /* At the top: so that where it was cut the end is the end, as far as redaction is concerned. */
    text_addf(&whole, "$ %s\n[%s%s%s]\n\n", command,
              !code                  ? "cut off"
              : text_is(code, "124") ? "ended after its time was up: "
                                     : "exit ",
              code ? code : "", cut ? ", cut at its size" : "");
    text_add_bytes(&whole, text_string(said), said->length);
    json_set(facts, "exit", code ? json_new_integer(strtol(code, NULL, 10)) : json_new_null());
    json_set_bool(facts, "cut", cut || !code);
    return bundle_add(bundle, file, &whole, facts, err);
}

/* Of a host that was reached: each question without an answer. */
static void say_missing(struct bundle *bundle, const struct words *absent, const char *why)
{
    for (size_t i = 0; i < COUNT_OF(questions); i++) {
        AUTO_FREE char *file = xasprintf("host/%s.txt", questions[i].name);
        if (words_have(absent, questions[i].name))
            bundle_missing(bundle, file, "the host has nothing of the kind");
        else if (!bundle_has(bundle, file))
            bundle_missing(bundle, file, "it was not answered: %s", why);
    }
}

/* All that came, in whatever state. `as` gets who asked there; NULL: nobody was greeted. */
static int add_answers(struct bundle *bundle, struct answers *answers, struct words *absent, char **as,
                       bool *whole, struct error *err)
{
    AUTO_TEXT said = TEXT_INIT;
    AUTO_FREE char *name = NULL;
    for (char *line; (line = next_mark(answers, &said));) {
        AUTO_FREE char *mark = line;
        int result = 0;
        if (text_starts(mark, "hello ") && !*as)
            *as = xstrdup(mark + strlen("hello "));
        else if (text_starts(mark, "absent "))
            words_add(absent, mark + strlen("absent "));
        else if (text_is(mark, "bye"))
            *whole = true;
        if (name)
            result = add_answer(bundle, name, &said, text_starts(mark, "end ") ? mark + strlen("end ") : NULL,
                                err);
        free(TAKE(name));
        if (text_starts(mark, "begin "))
            name = xstrdup(mark + strlen("begin "));
        if (result < 0)
            return -1;
    }
    return name ? add_answer(bundle, name, &said, NULL, err) : 0;
}

/* The last thing ssh said, in one printable line. */
static char *last_line(const struct text *text)
{
    struct text out = TEXT_INIT;
    size_t end = text->length;
    while (end && strchr("\r\n ", text->bytes[end - 1]))
        end--;
    size_t from = end;
    while (from && text->bytes[from - 1] != '\n' && end - from < 300)
        from--;
    text_add_printable(&out, text_string(text) + from, end - from);
    return text_take(&out);
}

int bundle_host_add(struct bundle *bundle, const struct machine *machine, const struct target *target,
                    enum transport_kind kind, const char *agent_directory, const char *directory,
                    struct json **facts, struct error *err)
{
    AUTO_SSH_ARGUMENTS ssh = SSH_ARGUMENTS_INIT;
    AUTO_ERROR why = ERROR_INIT;
    AUTO_JSON *about = json_new_object();
    json_set_bool(about, "reached", false);
    if (ssh_arguments_make(machine, target, kind, NULL, agent_directory, SSH_ALIVE_INTERVAL,
                           ssh_alive_count(BOUND), &ssh, &why) < 0 ||
        !ssh.host) {
        bundle_missing(bundle, "host", "%s", why.kind ? error_text(&why) : "its address is not known");
        *facts = TAKE(about);
        return 0;
    }
    struct answers answers = {0};
    char id[ID_SIZE], again[ID_SIZE];
    id_make(id);
    id_make(again);
    snprintf(answers.mark, sizeof answers.mark, "@%s%s@", id_tail(id, 12), id_tail(again, 12));
    AUTO_FREE char *input = script(answers.mark);
    AUTO_WORDS argv = WORDS_INIT;
    words_add_all(&argv, "ssh", "-T", NULL);
    words_add_list(&argv, words_argv(&ssh.options));
    words_add_all(&argv, "--", ssh.host, "exec sh -s", NULL);
    struct program program = {.argv = words_argv(&argv),
                              .input = input,
                              .directory = directory,
                              .bound_ns = BOUND,
                              .output_limit = OUTPUT_MOST,
                              .keeps_output = true};
    AUTO_TEXT out = TEXT_INIT, complaint = TEXT_INIT;
    struct child_end end = {0};
    int64_t since = moment_monotonic();
    int ran = program_run(&program, &out, &complaint, &end, &why);
    AUTO_WORDS absent = WORDS_INIT;
    AUTO_FREE char *as = NULL;
    bool whole = false;
    answers.at = text_string(&out);
    answers.end = answers.at + out.length;
    int result = add_answers(bundle, &answers, &absent, &as, &whole, err);
    if (result < 0)
        return -1;
    AUTO_FREE char *said = last_line(&complaint);
    /* A login shell that cannot be used may tell so on either. */
    AUTO_FREE char *shell = as ? NULL : last_line(&out);
    const char *reason = ran < 0           ? error_text(&why)
                         : *said           ? said
                         : shell && *shell ? shell
                                           : "the connection ended without a word";
    if (as)
        say_missing(bundle, &absent, whole ? "the host did not say why" : reason);
    else
        bundle_missing(bundle, "host", "it could not be reached over %s: %s", transport_name(kind), reason);
    json_set_bool(about, "reached", as != NULL);
    json_set_string(about, "as", as);
    json_set_string(about, "transport", transport_name(kind));
    json_set(about, "seconds", json_new_real((double)(moment_monotonic() - since) / (double)NS_PER_S));
    *facts = TAKE(about);
    return 0;
}
