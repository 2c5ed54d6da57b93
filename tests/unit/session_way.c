/* The line to a host's sshd: its name is looked up within the bound, each of its addresses gets its turn. */
#include "transport/session_way.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "event/cause.h"
#include "folder.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(session_way, .timeout = 60, .init = folder_fill, .fini = folder_clean);

/* In place of the system's own: what it says, and how it ends. */
static void resolver_is(const char *script)
{
    AUTO_FREE char *path = folder_path("getent");
    AUTO_FREE char *folder = folder_path("");
    AUTO_FREE char *search = xasprintf("%s:%s", folder, getenv("PATH"));
    folder_write("getent", script);
    chmod(path, 0755);
    setenv("PATH", search, 1);
}

/* A port of 127.0.0.1 alone at which somebody listens. */
static int listen_somewhere(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 8) == 0);
    cr_assert(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    *port = ntohs(address.sin_port);
    return fd;
}

Test(session_way, a_resolver_that_never_answers_is_ended_with_the_bound)
{
    struct session_way way = {.host = (char[]){"vault.example"}, .port = 22};
    struct session_line line = SESSION_LINE_INIT;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *mark = folder_path("pid");
    AUTO_FREE char *script = xasprintf("#!/bin/sh\necho $$ >%s\nexec sleep 50\n", mark);
    int64_t since = moment_monotonic();
    resolver_is(script);
    cr_assert(session_line_open(&way, deadline_in(NS_PER_S), &line, &err) < 0);
    cr_assert_lt(moment_monotonic() - since, 10 * NS_PER_S);
    cr_assert_eq(err.kind, ERROR_UNREACHABLE);
    cr_assert_str_eq(error_text(&err),
                     "could not resolve hostname vault.example: no name server answered in time");
    cr_assert_str_eq(cause_of_text(error_text(&err)), "dns");
    cr_assert(line.fd == -1 && line.name_ns == -1);
    AUTO_FREE char *gone = xasprintf("! kill -0 $(cat %s) 2>/dev/null", mark);
    cr_assert(access(mark, F_OK) < 0 || system(gone) == 0, "it is still there");
}

Test(session_way, a_name_without_an_address_is_said_so)
{
    struct session_way way = {.host = (char[]){"vault.example"}, .port = 22};
    struct session_line line = SESSION_LINE_INIT;
    AUTO_ERROR err = ERROR_INIT;
    resolver_is("#!/bin/sh\nexit 2\n");
    cr_assert(session_line_open(&way, deadline_in(20 * NS_PER_S), &line, &err) < 0);
    cr_assert_str_eq(error_text(&err), "could not resolve hostname vault.example: there is no such name");
}

Test(session_way, of_several_addresses_the_first_that_answers_is_taken)
{
    int port, server = listen_somewhere(&port);
    struct session_way way = {.host = (char[]){"vault.example"}, .port = port};
    struct session_line line = SESSION_LINE_INIT;
    AUTO_ERROR err = ERROR_INIT;
    resolver_is("#!/bin/sh\n[ \"$*\" = 'ahosts -- vault.example' ] || exit 1\n"
                "printf '127.0.0.9 STREAM vault.example\\n127.0.0.9 DGRAM\\n127.0.0.1       STREAM \\n'\n");
    cr_assert(session_line_open(&way, deadline_in(20 * NS_PER_S), &line, &err) == 0, "%s", error_text(&err));
    cr_assert_eq(((struct sockaddr_in *)&line.address)->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    cr_assert(line.name_ns >= 0 && line.connect_ns >= 0);
    session_line_close(&line);
    close(server);
}

Test(session_way, a_numeric_address_asks_no_resolver)
{
    int port, server = listen_somewhere(&port);
    struct session_way way = {.host = (char[]){"127.0.0.1"}, .port = port};
    struct session_line line = SESSION_LINE_INIT;
    AUTO_ERROR err = ERROR_INIT;
    resolver_is("#!/bin/sh\nexec sleep 50\n");
    cr_assert(session_line_open(&way, deadline_in(20 * NS_PER_S), &line, &err) == 0, "%s", error_text(&err));
    session_line_close(&line);
    close(server);
}

Test(session_way, the_systems_own_resolver_is_understood)
{
    int port, server = listen_somewhere(&port);
    struct session_way way = {.host = (char[]){"localhost"}, .port = port};
    struct session_line line = SESSION_LINE_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(session_line_open(&way, deadline_in(20 * NS_PER_S), &line, &err) == 0, "%s", error_text(&err));
    session_line_close(&line);
    close(server);
}
