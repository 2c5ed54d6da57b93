#include "lab/climb.h"

#include "base/file.h"
#include "base/memory.h"
#include "transport/known_hosts.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

struct climb climb_begin(void)
{
    struct climb made = {.lab = lab_new()};
    int port = lab_sshd(made.lab);
    AUTO_FREE char *key = lab_read(made.lab, "sshd/host_key.pub");
    made.target =
        (struct target){.name = "host", .provider = "static", .recipe = "work", .host_name = "host"};
    made.machine = machine_new();
    made.machine->id = xstrdup("01890000-0000-7000-8000-00000000abcd");
    made.machine->provider = xstrdup("static");
    made.machine->address = xstrdup("127.0.0.1");
    made.machine->port = port;
    made.machine->key = file_join(lab_folder(made.lab), "key");
    made.machine->directory = xstrdup(lab_folder(made.lab));
    words_own(&made.machine->host_keys, xstrndup(key, strcspn(key, "\n")));
    made.sockets = file_join(lab_folder(made.lab), "s");
    cr_assert(file_make_dirs(made.sockets, 0700, NULL) == 0);
    return made;
}

int climb_up(struct climb *fixture, bool wait, int64_t bound, struct transport_result *result,
             struct error *err)
{
    ssh_arguments_clear(&fixture->ssh);
    cr_assert(known_hosts_write(fixture->machine, &fixture->target, "/", err) == 0, "%s", error_text(err));
    cr_assert(ssh_arguments_make(fixture->machine, &fixture->target, TRANSPORT_DIRECT, fixture->sockets, NULL,
                                 2, 8, &fixture->ssh, err) == 0,
              "%s", error_text(err));
    struct transport_request request = {.target = &fixture->target,
                                        .machine = fixture->machine,
                                        .kind = TRANSPORT_DIRECT,
                                        .ssh = &fixture->ssh,
                                        .control_directory = fixture->sockets,
                                        .deadline = deadline_in(bound),
                                        .wait = wait,
                                        .starting = fixture->starting};
    return transport_open_master(&request, result, err);
}

void climb_end(struct climb *fixture)
{
    cr_assert(transport_close_masters(fixture->sockets, NULL) == 0);
    cr_assert_not(file_exists(fixture->sockets), "the folder of sockets is gone");
    ssh_arguments_clear(&fixture->ssh);
    machine_free(fixture->machine);
    free(fixture->sockets);
}

int climb_listener(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(fd, (struct sockaddr *)&address, length) == 0 && listen(fd, 8) == 0);
    cr_assert(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    *port = ntohs(address.sin_port);
    return fd;
}
