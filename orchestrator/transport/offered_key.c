#include "transport/offered_key.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "event/cause.h"
#include "process/program.h"
#include "transport/ssh_words.h"

#include <string.h>
#include <unistd.h>

#define FINGERPRINT_BOUND (10 * NS_PER_S)

/* The kinds of the keys that are known, as ssh calls them when it asks for one. */
static void add_known_kinds(const struct machine *machine, struct words *out)
{
    static const struct {
        const char *type, *asked;
    } kinds[] = {{"ssh-ed25519", "ssh-ed25519"},
                 {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"},
                 {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"},
                 {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521"},
                 {"ssh-rsa", "rsa-sha2-512,rsa-sha2-256"}};
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        for (size_t k = 0; k < machine->host_keys.count; k++) {
            AUTO_FREE char *type =
                xstrndup(machine->host_keys.items[k], strcspn(machine->host_keys.items[k], " "));
            if (text_is(type, kinds[i].type) && !words_have(out, kinds[i].asked))
                words_add(out, kinds[i].asked);
        }
}

static bool names_kinds_itself(const struct ssh_arguments *ssh)
{
    for (size_t i = 0; i < ssh->options.count; i++)
        if (text_starts(ssh->options.items[i], "HostKeyAlgorithms"))
            return true;
    return false;
}

static int connect_once(const struct machine *machine, const struct ssh_arguments *ssh, const char *known,
                        int64_t bound_ns, struct text *said, struct error *err)
{
    AUTO_WORDS argv = WORDS_INIT, kinds = WORDS_INIT;
    AUTO_TEXT file = TEXT_INIT;
    struct child_end end;
    text_add(&file, "UserKnownHostsFile=");
    ssh_add_option_value(&file, known, true);
    /* Before the machine's own options, so that they count. Nobody is logged in at a stranger's. */
    words_add_all(&argv, "ssh", "-o", text_string(&file), "-o", "GlobalKnownHostsFile=/dev/null", "-o",
                  "StrictHostKeyChecking=accept-new", "-o", "UpdateHostKeys=no", "-o", "HashKnownHosts=no",
                  "-o", "PreferredAuthentications=none", NULL);
    add_known_kinds(machine, &kinds);
    if (kinds.count && !names_kinds_itself(ssh)) {
        AUTO_FREE char *list = words_join(&kinds, ",");
        words_add(&argv, "-o");
        words_addf(&argv, "HostKeyAlgorithms=^%s", list);
    }
    words_add_list(&argv, words_argv(&ssh->options));
    words_add_all(&argv, "--", ssh->host, "true", NULL);
    /* Paths in ssh's arguments start in the project's folder. */
    AUTO_FREE char *project = machine_project(machine);
    struct program program = {
        .argv = words_argv(&argv), .directory = project, .bound_ns = bound_ns, .keeps_output = true};
    return program_run(&program, NULL, said, &end, err);
}

/* "TYPE KEY" behind the name in a line of known_hosts, malloc'ed; NULL: there is none. */
static char *read_key(const char *path)
{
    AUTO_TEXT content = TEXT_INIT;
    if (!file_exists(path) || file_read(path, 1 << 16, &content, NULL) < 0 || !content.length)
        return NULL;
    const char *key = strchr(content.bytes, ' ');
    return key ? xstrndup(key + 1, strcspn(key + 1, "\r\n")) : NULL;
}

int offered_key_ask(const struct machine *machine, const struct target *target, enum transport_kind kind,
                    int64_t bound_ns, char **out, struct error *err)
{
    AUTO_SSH_ARGUMENTS ssh = SSH_ARGUMENTS_INIT;
    AUTO_FREE char *known = file_join(machine->directory, "known_hosts.offered");
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR why = ERROR_INIT;
    if (ssh_arguments_make(machine, target, kind, NULL, NULL, SSH_ALIVE_INTERVAL, 8, &ssh, err) < 0)
        return -1;
    unlink(known);
    int status = connect_once(machine, &ssh, known, bound_ns, &said, &why);
    AUTO_FREE char *key = read_key(known);
    unlink(known);
    if (status < 0 && why.kind == ERROR_MISSING)
        return error_set(err, ERROR_MISSING,
                         "the program ssh is missing; install Debian's package openssh-client");
    if (!key) {
        const char *words = said.length ? text_string(&said) : status < 0 ? error_text(&why) : "nothing";
        const char *cause = cause_of_text(words);
        return error_set(err, ERROR_UNREACHABLE, "the host showed no key (%s): ssh said %.*s",
                         cause ? cause : "other", (int)strcspn(words, "\r\n"), words);
    }
    *out = TAKE(key);
    return 0;
}

int offered_key_fingerprint(const char *line, char **out, struct error *err)
{
    static const char *const argv[] = {"ssh-keygen", "-l", "-f", "-", NULL};
    const char *key = *line == '@' ? line + strcspn(line, " ") : line;
    AUTO_FREE char *input = xasprintf("%s\n", key + strspn(key, " "));
    struct program program = {.argv = argv, .input = input, .bound_ns = FINGERPRINT_BOUND};
    AUTO_TEXT said = TEXT_INIT;
    char print[128], kind[32];
    if (program_do_all(&program, &said, err) < 0)
        return error_prefix(err, "cannot read a host key");
    const char *last = strrchr(text_string(&said), '(');
    if (sscanf(text_string(&said), "%*d %127s", print) != 1 || !last || sscanf(last, "(%31[^)])", kind) != 1)
        return error_set(err, ERROR_SYSTEM, "ssh-keygen said '%s' of a host key", text_string(&said));
    *out = xasprintf("%s %s", kind, print);
    return 0;
}
