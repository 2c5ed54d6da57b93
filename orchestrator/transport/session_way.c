#include "transport/session_way.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/number.h"
#include "base/text.h"
#include "net/knock.h"
#include "net/resolve.h"
#include "process/program.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* A Match exec of the user's ssh configuration may run in it. */
#define RESOLVE_BOUND (10 * NS_PER_S)
#define END_BOUND     (2 * NS_PER_S)

enum { SAID_MOST = 2000 };

/* ------------------------------------------------------------ what ssh makes of it */

struct asked {
    struct session_way *way;
    const struct ssh_arguments *ssh;
    char *jump, *agent;
    bool only_named;
};

/* ssh's tokens, as far as they can stand in what is used here. */
static char *expand(const struct session_way *way, const char *value)
{
    AUTO_FREE char *home = ssh_invoking_home();
    struct text out = TEXT_INIT;
    if (text_starts(value, "~/")) {
        text_add(&out, home);
        value++;
    }
    for (const char *c = value; *c; c++) {
        char token = *c == '%' ? c[1] : '\0';
        c += token != '\0';
        if (token == 'h' || token == 'n')
            text_add(&out, way->host);
        else if (token == 'p')
            text_addf(&out, "%d", way->port);
        else if (token == 'r')
            text_add(&out, way->user);
        else if (token == 'd')
            text_add(&out, home);
        else if (token && token != '%')
            text_addf(&out, "%%%c", token);
        else
            text_add_char(&out, *c);
    }
    return text_take(&out);
}

/* Several paths, between spaces; one that has spaces itself is told by its being there. */
static void add_files(struct session_way *way, const char *value)
{
    AUTO_FREE char *whole = expand(way, value);
    if (file_exists(whole)) {
        words_add(&way->known_hosts, whole);
        return;
    }
    AUTO_FREE char *copy = xstrdup(value);
    char *state = NULL;
    for (char *part = strtok_r(copy, " ", &state); part; part = strtok_r(NULL, " ", &state))
        words_own(&way->known_hosts, expand(way, part));
}

static void set(char **place, const char *value)
{
    free(*place);
    *place = text_is(value, "none") || !*value ? NULL : xstrdup(value);
}

/* First pass: what the second needs for its tokens. */
static void take_names(struct asked *asked, const char *name, const char *value)
{
    struct session_way *way = asked->way;
    if (text_is(name, "hostname"))
        set(&way->host, value);
    else if (text_is(name, "user"))
        set(&way->user, value);
    else if (text_is(name, "port"))
        (void)number_parse_int(value, 1, UINT16_MAX, &way->port, NULL);
}

static void take_rest(struct asked *asked, const char *name, const char *value)
{
    struct session_way *way = asked->way;
    if (text_is(name, "hostkeyalias"))
        set(&way->host_key_alias, value);
    else if (text_is(name, "userknownhostsfile") || text_is(name, "globalknownhostsfile"))
        add_files(way, value);
    else if (text_is(name, "identityfile"))
        words_own(&way->keys, expand(way, value));
    else if (text_is(name, "identitiesonly"))
        asked->only_named = text_is(value, "yes");
    else if (text_is(name, "identityagent"))
        set(&asked->agent, value);
    else if (text_is(name, "proxyjump"))
        set(&asked->jump, value);
    else if (text_is(name, "proxycommand") && !text_is(value, "none"))
        set(&way->proxy, value);
}

static void each_line(struct asked *asked, const char *lines,
                      void (*take)(struct asked *, const char *name, const char *value))
{
    AUTO_FREE char *copy = xstrdup(lines);
    char *state = NULL;
    for (char *line = strtok_r(copy, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        size_t length = strcspn(line, " ");
        if (!line[length])
            continue;
        line[length] = '\0';
        take(asked, line, line + length + 1);
    }
}

/* As ssh itself does it: another ssh, with the same file of settings, that hands the stream on. */
static char *jump_line(const struct asked *asked)
{
    AUTO_FREE char *hops = xstrdup(asked->jump);
    char *last = strrchr(hops, ',');
    struct text out = TEXT_INIT;
    text_add(&out, "ssh -o BatchMode=yes -o ConnectTimeout=10 ");
    for (size_t i = 0; i + 1 < asked->ssh->options.count; i++)
        if (text_is(asked->ssh->options.items[i], "-F")) {
            text_add(&out, "-F ");
            text_add_shell_word(&out, asked->ssh->options.items[i + 1]);
            text_add_char(&out, ' ');
        }
    if (last) {
        *last = '\0';
        text_add(&out, "-J ");
        text_add_shell_word(&out, hops);
        text_add_char(&out, ' ');
    }
    AUTO_FREE char *url = xasprintf("ssh://%s", last ? last + 1 : hops);
    text_addf(&out, "-W '[%s]:%d' -- ", asked->way->host, asked->way->port);
    text_add_shell_word(&out, text_starts(url + 6, "ssh://") ? url + 6 : url);
    return text_take(&out);
}

static void find_agent(struct asked *asked)
{
    const char *named = asked->agent && !text_is(asked->agent, "SSH_AUTH_SOCK") ? asked->agent : NULL;
    const char *socket_path = named ? named : getenv("SSH_AUTH_SOCK");
    asked->way->agent_for_closed = asked->only_named;
    if (socket_path && *socket_path)
        asked->way->agent_socket = expand(asked->way, socket_path);
}

static int ask(const struct ssh_arguments *ssh, struct text *answer, struct error *err)
{
    AUTO_WORDS argv = WORDS_INIT;
    AUTO_TEXT said = TEXT_INIT, shown = TEXT_INIT;
    struct child_end end = {0};
    words_add_all(&argv, "ssh", "-G", NULL);
    words_add_list(&argv, words_argv(&ssh->options));
    words_add_all(&argv, "--", ssh->host, NULL);
    struct program program = {.argv = words_argv(&argv), .bound_ns = RESOLVE_BOUND};
    if (program_run(&program, answer, &said, &end, err) < 0)
        return error_prefix(err, "asking ssh how it would reach %s", ssh->host);
    if (end.code == 0)
        return 0;
    text_add_printable_lines(&shown, text_string(&said), "; ");
    return error_set(err, ERROR_PROJECT, "ssh does not accept how %s is to be reached: %s", ssh->host,
                     text_string(&shown));
}

int session_way_find(const struct ssh_arguments *ssh, struct session_way *out, struct error *err)
{
    AUTO_TEXT answer = TEXT_INIT;
    if (ask(ssh, &answer, err) < 0)
        return -1;
    struct session_way way = {.host = xstrdup(ssh->host), .port = 22};
    struct asked asked = {.way = &way, .ssh = ssh};
    each_line(&asked, text_string(&answer), take_names);
    if (!way.user)
        way.user = xstrdup("root");
    each_line(&asked, text_string(&answer), take_rest);
    if (asked.jump) {
        free(way.proxy);
        way.proxy = jump_line(&asked);
    } else if (way.proxy) {
        AUTO_FREE char *raw = way.proxy;
        way.proxy = expand(&way, raw);
    }
    find_agent(&asked);
    free(asked.jump);
    free(asked.agent);
    *out = way;
    return 0;
}

void session_way_clear(struct session_way *way)
{
    free(way->host);
    free(way->user);
    free(way->host_key_alias);
    free(way->proxy);
    free(way->agent_socket);
    words_clear(&way->known_hosts);
    words_clear(&way->keys);
    *way = (struct session_way){0};
}

/* ------------------------------------------------------------ the line */

static int open_proxy(const struct session_way *way, struct session_line *out, struct error *err)
{
    int ends[2];
    AUTO_FREE char *line = xasprintf("exec %s", way->proxy);
    AUTO_CLOSE int said = memfd_create("proxy", MFD_CLOEXEC);
    if (said < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return error_system(err, errno, "cannot prepare the proxy of %s", way->host);
    struct child_plan plan = {.argv = (const char *const[]){"/bin/sh", "-c", line, NULL},
                              .in = ends[1],
                              .out = ends[1],
                              .error = said,
                              .die_with_parent = true};
    int status = child_start(&plan, &out->proxy, err);
    close(ends[1]);
    if (status < 0) {
        close(ends[0]);
        return -1;
    }
    out->fd = ends[0];
    out->said = TAKE_FD(said);
    return 0;
}

static int connect_one(const struct sockaddr_storage *address, socklen_t size, struct deadline deadline,
                       struct session_line *out)
{
    AUTO_CLOSE int fd = knock_begin((const struct sockaddr *)address, size);
    struct pollfd look = {.fd = fd, .events = POLLOUT};
    if (fd < 0)
        return errno;
    if (deadline_poll(&look, 1, deadline) <= 0)
        return ETIMEDOUT;
    int problem = knock_decided(fd);
    if (problem)
        return problem;
    /* As ssh does: what is small does not wait for an answer to what went before. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    out->fd = TAKE_FD(fd);
    out->address = *address;
    return 0;
}

static int open_tcp(const struct session_way *way, struct deadline deadline, struct session_line *out,
                    struct error *err)
{
    struct resolved found;
    AUTO_ERROR nowhere = ERROR_INIT;
    int64_t since = moment_monotonic();
    if (resolve_host(way->host, way->port, deadline, &found, &nowhere) < 0)
        return error_set(err, ERROR_UNREACHABLE, "%s", error_text(&nowhere));
    int64_t named = moment_monotonic();
    int problem = ETIMEDOUT;
    for (size_t i = 0; i < found.count && out->fd < 0; i++) {
        /* One of several that is silent leaves time for the next. */
        struct deadline own = i + 1 < found.count ? deadline_in(deadline_left(deadline) / 2) : deadline;
        problem = connect_one(&found.addresses[i], found.sizes[i], own, out);
    }
    if (problem)
        return error_set(err, ERROR_UNREACHABLE, "connecting to %s port %d: %s", way->host, way->port,
                         strerror(problem));
    out->name_ns = named - since;
    out->connect_ns = moment_monotonic() - named;
    return 0;
}

int session_line_open(const struct session_way *way, struct deadline deadline, struct session_line *out,
                      struct error *err)
{
    struct session_line line = SESSION_LINE_INIT;
    if ((way->proxy ? open_proxy(way, &line, err) : open_tcp(way, deadline, &line, err)) < 0)
        return -1;
    *out = line;
    return 0;
}

int session_line_log_in(const struct session_way *way, struct session_line *line, struct deadline deadline,
                        struct ssh_session **out, struct ssh_session_login *login, struct error *err)
{
    struct ssh_session_order order = {.fd = TAKE_FD(line->fd),
                                      .host = way->host,
                                      .user = way->user,
                                      .port = way->port,
                                      .host_key_alias = way->host_key_alias,
                                      .known_hosts = words_argv(&way->known_hosts),
                                      .keys = words_argv(&way->keys),
                                      .agent_socket = way->agent_socket,
                                      .agent_for_closed = way->agent_for_closed,
                                      .lets_in_by_address = way->lets_in_by_address};
    if (ssh_session_open(&order, deadline, out, login, err) == 0)
        return 0;
    AUTO_FREE char *said = session_line_said(line);
    if (*said)
        error_prefix(err, "the proxy said: %s", said);
    return -1;
}

char *session_line_said(const struct session_line *line)
{
    char bytes[SAID_MOST + 1];
    struct text out = TEXT_INIT;
    ssize_t count = line->said < 0 ? 0 : pread(line->said, bytes, SAID_MOST, 0);
    bytes[count > 0 ? count : 0] = '\0';
    while (count > 0 && strchr("\r\n ", bytes[count - 1]))
        bytes[--count] = '\0';
    text_add_printable_lines(&out, bytes, "; ");
    return text_take(&out);
}

void session_line_close(struct session_line *line)
{
    fd_close(&line->fd);
    if (line->proxy.pid > 0) {
        child_signal(&line->proxy, SIGKILL);
        child_await(&line->proxy, END_BOUND);
    }
    child_close(&line->proxy);
    fd_close(&line->said);
}
