/* The provider `static`: a host that exists already. It makes and removes nothing; it finds out how the
 * user's own ssh reaches the host. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/number.h"
#include "base/text.h"
#include "config/invoker.h"
#include "process/program.h"
#include "provider/provider.h"
#include "transport/known_hosts.h"
#include "transport/ssh_options.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BOUND (30 * NS_PER_S)

enum { SSH_PORT = 22 };

static int check(const struct target *target, struct error *err)
{
    (void)target;
    static const char *const programs[] = {"ssh", "ssh-keygen"};
    for (size_t i = 0; i < COUNT_OF(programs); i++) {
        AUTO_FREE char *path = file_find_program(programs[i], NULL);
        if (!path)
            return error_set(err, ERROR_MISSING,
                             "the program %s is missing: apt-get install -y openssh-client", programs[i]);
    }
    return 0;
}

/* What the user's ssh config says of a host: the lines of `ssh -G`. */
struct ssh_view {
    struct words lines;
};

static const char *view_value(const struct ssh_view *view, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < view->lines.count; i++)
        if (text_starts(view->lines.items[i], name) && view->lines.items[i][length] == ' ')
            return view->lines.items[i] + length + 1;
    return NULL;
}

/* The configuration file that Ansible's own ssh arguments name, malloc'ed; NULL: ssh's usual ones. */
static char *find_config(const struct target *target)
{
    const char *const texts[] = {target->ssh_args, target->ssh_common_args, target->ssh_extra_args};
    AUTO_WORDS words = WORDS_INIT;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (texts[i])
            (void)words_add_split(&words, texts[i]);
    for (size_t i = words.count; i-- > 0;)
        if (text_starts(words.items[i], "-F") && (words.items[i][2] || i + 1 < words.count))
            return xstrdup(words.items[i][2] ? words.items[i] + 2 : words.items[i + 1]);
    return NULL;
}

static int look_up(const char *host, const struct target *target, const char *directory, struct ssh_view *out,
                   struct error *err)
{
    AUTO_FREE char *config_file = find_config(target);
    AUTO_INVOKER invoker = {.home = NULL};
    AUTO_TEXT config = TEXT_INIT;
    AUTO_TEXT answer = TEXT_INIT;
    AUTO_TEXT said = TEXT_INIT;
    AUTO_WORDS argv = WORDS_INIT;
    invoker_find(NULL, &invoker);
    words_add_all(&argv, "ssh", "-G", NULL);
    const struct passwd *person = invoker.behind_sudo ? getpwuid(invoker.uid) : NULL;
    if (config_file) {
        words_add_all(&argv, "-F", config_file, NULL);
    } else if (person) {
        /* Behind sudo: their file first, and where it names no user, they themselves rather than root. */
        AUTO_FREE char *file = xasprintf("%s/.ssh/config", person->pw_dir);
        if (file_exists(file))
            text_addf(&config, "Include \"%s\"\n", file);
        text_addf(&config, "Host *\n    User %s\n", person->pw_name);
        words_add_all(&argv, "-F", "/dev/stdin", NULL);
    }
    words_add_all(&argv, "--", host, NULL);
    struct program program = {.argv = words_argv(&argv),
                              .directory = config_file ? directory : NULL,
                              .input = config.length ? config.bytes : NULL,
                              .bound_ns = BOUND};
    struct child_end end;
    if (program_run(&program, &answer, &said, &end, err) < 0)
        return -1;
    if (end.code != 0 || !answer.length)
        return error_set(err, ERROR_PROJECT, "ssh cannot read its configuration for '%s': %.*s", host,
                         (int)strcspn(text_string(&said), "\r\n"), text_string(&said));
    char *state = NULL;
    for (const char *line = strtok_r(answer.bytes, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
        words_add(&out->lines, line);
    return 0;
}

static void set(char **at, const char *value)
{
    char *fresh = xstrdup_or_null(value);
    free(*at);
    *at = fresh;
}

/* The first identity of the configuration that is there, malloc'ed; NULL leaves the choice to ssh. */
static char *find_identity(const struct ssh_view *view)
{
    AUTO_FREE char *home = ssh_invoking_home();
    for (size_t i = 0; i < view->lines.count; i++) {
        const char *path = view->lines.items[i];
        if (!text_starts(path, "identityfile "))
            continue;
        path += strlen("identityfile ");
        char *full = text_starts(path, "~/") ? file_join(home, path + 2) : xstrdup(path);
        if (file_exists(full))
            return full;
        free(full);
    }
    return NULL;
}

static int parse_port(const char *text)
{
    int port = SSH_PORT;
    (void)number_parse_int(text, 1, UINT16_MAX, &port, NULL);
    return port;
}

/* "type key" of a line of known_hosts or of a public key, behind the marker of one that
 * has one; 1 when it was one. */
static int add_key(struct words *keys, const char *line)
{
    char type[64], key[16384];
    const char *at = line;
    if (*line == '#')
        return 0;
    int marker = *line == '@' ? (int)strcspn(line, " \t") : 0;
    at += marker;
    for (int column = 0; column < 2; column++) {
        if (sscanf(at, " %63[a-zA-Z0-9@.-] %16383[A-Za-z0-9+/=]", type, key) == 2 &&
            (text_starts(type, "ssh-") || text_starts(type, "ecdsa-") || text_starts(type, "sk-")) &&
            text_starts(key, "AAAA")) {
            AUTO_FREE char *both = xasprintf("%.*s%s%s %s", marker, line, marker ? " " : "", type, key);
            if (!words_have(keys, both))
                words_add(keys, both);
            return 1;
        }
        at += strspn(at, " \t");
        at += strcspn(at, " \t");
    }
    return 0;
}

static void add_keys(struct words *keys, char *content)
{
    char *state = NULL;
    for (const char *line = content ? strtok_r(content, "\n", &state) : NULL; line;
         line = strtok_r(NULL, "\n", &state))
        add_key(keys, line);
}

/* The host's name in known_hosts files. malloc'ed. */
static char *known_name(const struct ssh_view *view, const struct machine *machine)
{
    const char *alias = view_value(view, "hostkeyalias");
    return alias || machine->port == SSH_PORT ? xstrdup(alias ? alias : machine->address)
                                              : xasprintf("[%s]:%d", machine->address, machine->port);
}

/* Asks the known_hosts files that ssh itself would ask. `unread` says why the first of them
 * that cannot be read cannot. */
static int find_known(const struct ssh_view *view, const char *name, struct words *keys, struct error *unread,
                      struct error *err)
{
    static const char *const kinds[] = {"userknownhostsfile", "globalknownhostsfile"};
    AUTO_FREE char *home = ssh_invoking_home();
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        AUTO_FREE char *files = xstrdup_or_null(view_value(view, kinds[i]));
        char *state = NULL;
        for (const char *file = files ? strtok_r(files, " ", &state) : NULL; file;
             file = strtok_r(NULL, " ", &state)) {
            AUTO_FREE char *path = text_starts(file, "~/")       ? file_join(home, file + 2)
                                   : text_starts(file, "/root/") ? file_join(home, file + strlen("/root/"))
                                                                 : xstrdup(file);
            AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
            if (fd < 0 && errno != ENOENT && errno != ENOTDIR && unread->kind == ERROR_NONE)
                error_system(unread, errno, "cannot read %s", path);
            if (fd < 0)
                continue;
            const char *const argv[] = {"ssh-keygen", "-F", name, "-f", path, NULL};
            struct program program = {.argv = argv, .bound_ns = BOUND};
            struct child_end end;
            AUTO_TEXT found = TEXT_INIT;
            /* It exits with 1 when there is none. */
            if (program_run(&program, &found, NULL, &end, err) < 0)
                return -1;
            add_keys(keys, found.bytes);
        }
    }
    return 0;
}

static bool is_marked(const char *key, const char *marker)
{
    size_t length = strlen(marker);
    return text_starts(key, marker) && key[length] == ' ';
}

static int say_unknown(const struct machine *machine, const char *name, struct error *err)
{
    AUTO_FREE char *home = ssh_invoking_home();
    AUTO_FREE char *known = file_join(home, ".ssh/known_hosts");
    AUTO_TEXT command = TEXT_INIT;
    text_add(&command, "ssh-keyscan");
    if (machine->port != SSH_PORT)
        text_addf(&command, " -p %d", machine->port);
    text_add_char(&command, ' ');
    text_add_shell_word(&command, machine->address);
    text_add(&command, " >>");
    text_add_shell_word(&command, known);
    return error_set(err, ERROR_PROJECT,
                     "no host key of %s is known: learn it with `%s` and compare it with what the host "
                     "itself says (ssh-keygen -lf "
                     "/etc/ssh/ssh_host_ed25519_key.pub there), or give host_keys",
                     name, text_string(&command));
}

/* A certificate names the host as the user does, so that name is asked for. */
static void note_authorities(const struct words *keys, const struct ssh_view *view, struct machine *machine)
{
    const char *alias = view_value(view, "hostkeyalias");
    bool certified = false;
    for (size_t i = 0; i < keys->count; i++)
        certified |= is_marked(keys->items[i], "@cert-authority");
    if (!machine->resources)
        machine->resources = json_new_object();
    json_set_string(machine->resources, SSH_CERTIFIED_AS,
                    certified ? alias ? alias : machine->address : NULL);
}

/* What the user's known_hosts say: keys and authorities where the target names none itself,
 * what is revoked in any case. */
static int take_known(const struct target *target, const struct ssh_view *view, struct machine *machine,
                      struct words *keys, struct error *err)
{
    AUTO_WORDS known = WORDS_INIT;
    AUTO_FREE char *name = known_name(view, machine);
    AUTO_ERROR unread = ERROR_INIT;
    bool any = keys->count > 0;
    if (find_known(view, name, &known, &unread, err) < 0)
        return -1;
    for (size_t i = 0; i < known.count; i++) {
        bool revoked = is_marked(known.items[i], "@revoked");
        if (!revoked && target->host_key_kind != HOST_KEYS_DEFAULT)
            continue;
        words_add(keys, known.items[i]);
        any |= !revoked;
    }
    if (!any && target->host_key_kind == HOST_KEYS_DEFAULT)
        return unread.kind == ERROR_NONE
                   ? say_unknown(machine, name, err)
                   : error_set(err, ERROR_PROJECT,
                               "whether a host key of %s is known cannot be told: %s; or give host_keys",
                               name, error_text(&unread));
    note_authorities(keys, view, machine);
    return 0;
}

static int look_up_marks(const struct target *target, const struct ssh_view *view, struct machine *machine,
                         struct error *err)
{
    AUTO_WORDS known = WORDS_INIT, keys = WORDS_INIT;
    AUTO_FREE char *name = known_name(view, machine);
    AUTO_ERROR unread = ERROR_INIT; /* then those of the row hold */
    bool of_user = target->host_key_kind == HOST_KEYS_DEFAULT;
    if (find_known(view, name, &known, &unread, err) < 0)
        return -1;
    for (size_t i = 0; i < machine->host_keys.count; i++) {
        const char *key = machine->host_keys.items[i];
        if (*key != '@' || (!of_user && is_marked(key, "@cert-authority")))
            words_add(&keys, key);
    }
    for (size_t i = 0; i < known.count; i++)
        if (is_marked(known.items[i], "@revoked") ||
            (of_user && is_marked(known.items[i], "@cert-authority")))
            words_add(&keys, known.items[i]);
    note_authorities(&keys, view, machine);
    words_clear(&machine->host_keys);
    words_add_list(&machine->host_keys, words_argv(&keys));
    return 0;
}

static int marks(const struct target *target, struct machine *machine, struct error *err)
{
    struct ssh_view view = {WORDS_INIT};
    AUTO_FREE char *project = machine_project(machine);
    const char *name = target->address ? target->address : target->name;
    int result = !machine->address || *name == '-' || look_up(name, target, project, &view, err) < 0
                     ? -1
                     : look_up_marks(target, &view, machine, err);
    words_clear(&view.lines);
    return result;
}

static int find_host_keys(const struct target *target, const struct ssh_view *view, struct machine *machine,
                          struct error *err)
{
    AUTO_WORDS keys = WORDS_INIT;
    if (target->host_key_kind == HOST_KEYS_LIST) {
        for (size_t i = 0; i < target->host_keys.count; i++)
            if (!add_key(&keys, target->host_keys.items[i]))
                return error_set(err, ERROR_PROJECT,
                                 "target %s: '%s' is no public host key (\"ssh-ed25519 AAAA…\")",
                                 target->name, target->host_keys.items[i]);
    } else if (target->host_key_kind == HOST_KEYS_FILE) {
        AUTO_TEXT content = TEXT_INIT;
        if (file_read(target->host_key_file, 1 << 20, &content, err) < 0)
            return error_prefix(err, "target %s: host_keys", target->name);
        add_keys(&keys, content.bytes);
        if (!keys.count)
            return error_set(err, ERROR_PROJECT, "target %s: there is no public host key in %s", target->name,
                             target->host_key_file);
    }
    if (take_known(target, view, machine, &keys, err) < 0)
        return error_prefix(err, "target %s", target->name);
    words_clear(&machine->host_keys);
    words_add_list(&machine->host_keys, words_argv(&keys));
    return 0;
}

/* The program by which the user's ssh config reaches the first jump host; one that a shell has to make
 * out first is left to it. */
static int check_jump(const struct target *target, const char *directory, const char *jump, struct error *err)
{
    AUTO_FREE char *hop = xstrndup(jump, strcspn(jump, ","));
    const char *host = strchr(hop, '@') ? strrchr(hop, '@') + 1 : hop;
    if (!*host || *host == '-' || *host == '[')
        return 0;
    AUTO_FREE char *name = xstrndup(host, strcspn(host, ":"));
    struct ssh_view view = {WORDS_INIT};
    int result = look_up(name, target, directory, &view, err);
    const char *proxy = result == 0 ? view_value(&view, "proxycommand") : NULL;
    if (proxy && text_starts(proxy, "exec "))
        proxy += strlen("exec ");
    AUTO_FREE char *program = proxy ? xstrndup(proxy, strcspn(proxy, " \t")) : NULL;
    if (program && *program && !text_is(program, "none") && !strpbrk(program, "%$~'\"\\=;&|(){}<>")) {
        AUTO_FREE char *found = file_find_program(program, NULL);
        if (!found || !file_is_program(found))
            result = error_set(
                err, ERROR_PROJECT,
                "target %s: the user's ssh config reaches the jump host %s by the ProxyCommand '%s', "
                "whose program is not to be found",
                target->name, name, proxy);
    }
    words_clear(&view.lines);
    return result;
}

static int look_up_target(const struct target *target, struct ssh_view *view, struct machine *machine,
                          struct error *err)
{
    AUTO_FREE char *project = machine_project(machine);
    const char *name = target->address ? target->address : target->name;
    if (*name == '-')
        return error_set(err, ERROR_PROJECT, "target %s: '%s' is no address", target->name, name);
    if (look_up(name, target, project, view, err) < 0)
        return -1;
    const char *jump = view_value(view, "proxyjump"), *host = view_value(view, "hostname");
    set(&machine->address, host ? host : name);
    machine->port = target->port ? target->port : parse_port(view_value(view, "port"));
    set(&machine->user, target->user ? target->user : view_value(view, "user"));
    set(&machine->jump, target->jump ? target->jump : jump && !text_is(jump, "none") ? jump : NULL);
    free(machine->key);
    machine->key = target->key ? xstrdup(target->key) : find_identity(view);
    return 0;
}

static int resolve(const struct target *target, struct machine *machine, struct error *err)
{
    struct ssh_view view = {WORDS_INIT};
    int result = look_up_target(target, &view, machine, err);
    words_clear(&view.lines);
    return result;
}

static int plan(const struct target *target, struct machine *machine, struct error *err)
{
    struct ssh_view view = {WORDS_INIT};
    AUTO_FREE char *project = machine_project(machine);
    int result = look_up_target(target, &view, machine, err);
    const char *proxy = result == 0 ? view_value(&view, "proxycommand") : NULL;
    if (proxy && !text_is(proxy, "none") && !target->jump)
        result = error_set(err, ERROR_PROJECT,
                           "target %s: the user's ssh config reaches %s by a ProxyCommand, which a transport "
                           "of triphase would replace; say "
                           "the way with jump: or name the address",
                           target->name, target->address ? target->address : target->name);
    if (result == 0) {
        set(&machine->reference, machine->address);
        result = find_host_keys(target, &view, machine, err);
    }
    if (result == 0 && machine->jump)
        result = check_jump(target, project, machine->jump, err);
    if (result == 0 && !machine->resources)
        machine->resources = json_new_object();
    words_clear(&view.lines);
    return result;
}

static int make(const struct target *target, struct machine *machine, struct error *err)
{
    AUTO_FREE char *project = machine_project(machine);
    if ((!machine->address && plan(target, machine, err) < 0) ||
        file_make_dirs(machine->directory, 0700, err) < 0 ||
        known_hosts_write(machine, target, project, err) < 0)
        return -1;
    AUTO_INVOKER invoker = {.home = NULL};
    AUTO_FREE char *known = file_join(machine->directory, "known_hosts");
    invoker_find(NULL, &invoker);
    invoker_own(&invoker, machine->directory);
    invoker_own(&invoker, known);
    machine->made_ns = moment_wall();
    return 0;
}

/* Whether it answers is the transport's to find out, over the way that the target names. */
static int verify(const struct target *target, struct machine *machine, int64_t bound_ns, struct error *err)
{
    (void)bound_ns;
    if (!machine->address)
        return error_set(err, ERROR_PROVIDER, "target %s has no address", target->name);
    return 0;
}

static int remove_nothing(const struct target *target, struct machine *machine, int64_t bound_ns,
                          struct error *err)
{
    (void)target;
    (void)bound_ns;
    (void)err;
    if (!machine->directory)
        return 0;
    AUTO_FREE char *known = file_join(machine->directory, "known_hosts");
    unlink(known);
    rmdir(machine->directory);
    return 0;
}

static int list(const struct project *project, const struct target *target, struct listing *out,
                struct error *err)
{
    (void)project;
    (void)target;
    (void)out;
    (void)err;
    return 0;
}

const struct provider provider_static = {
    .check = check,
    .resolve = resolve,
    .marks = marks,
    .plan = plan,
    .make = make,
    .verify = verify,
    .remove = remove_nothing,
    .list = list,
};
