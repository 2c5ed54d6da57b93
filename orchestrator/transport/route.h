/* How a host is reached over a transport: what ssh makes of its arguments, verification rung by rung, and the
 * shared SSH master of a run. Blocking: for stage children and commands. Everything goes through the OpenSSH
 * client with the very arguments of the inventory. */
#pragma once
#include "base/deadline.h"
#include "base/error.h"
#include "format/json.h"
#include "process/scope.h"
#include "transport/ssh_options.h"
#include <stdint.h>

/* What ssh itself makes of the arguments and its configuration files (ssh -G). */
struct transport_route {
    char *hostname, *user, *control_path; /* control_path NULL: none */
    char *host_key_alias, *proxy;         /* NULL: none; proxy: ProxyJump or ProxyCommand as ssh has it */
    int port;
};
int transport_resolve(const struct ssh_arguments *ssh, struct transport_route *out, struct error *err);
void transport_route_clear(struct transport_route *route);

struct transport_request {
    const struct target *target;
    const struct machine *machine;
    enum transport_kind kind;
    const struct ssh_arguments *ssh; /* with a control directory */
    const char *control_directory;   /* exists, 0700 */
    const char *log_path;        /* the master's own messages (ssh -E); NULL: control_directory/master.log */
    const struct scope *masters; /* NULL: none */
    const char *const *environment; /* NULL: inherited */
    struct deadline deadline;
    /* one that is down, or closes the connection, is tried again until then, at growing distances */
    bool wait;
    /* it was just made or rebooted: with `wait`, one that refuses the user is tried again too */
    bool starting;
};

struct transport_result {
    /* the one that was not taken: "tcp" "banner" "key-exchange" "host-key" "auth"
     * "channel" "output"; "done" */
    char *rung;
    const char *cause; /* class of the failure as in docs/contract.md; NULL when done. Static */
    char *python;      /* interpreter found on the host; NULL: none */
    char *session;     /* logind session of the master; NULL: the host has none */
    char *boot;        /* boot id of the host and start of its first process; NULL: not known */
    /* the host's clock ticks since its boot, at that moment of this machine's monotonic clock or
     * shortly before; 0: not known */
    int64_t host_ticks, at_ns;
    char *control_path;
    bool sudo_needs_tty;   /* sudo there refuses whoever has no terminal, and so a pipelined module */
    struct json *evidence; /* object: rungs with milliseconds, what each saw */
};

/* One login (transport/login.h), then one channel over it that printed what it was asked, more than one MTU
 * of output, interpreter and session. The master stays (in the scope `masters`) until
 * transport_close_masters or the scope's end. A master that is there already is verified and kept. On
 * failure (ERROR_UNREACHABLE, message names the rung, the cause class and what ssh said; ERROR_MISSING
 * without ssh) `result` is filled as far as it came. */
int transport_open_master(const struct transport_request *request, struct transport_result *result,
                          struct error *err);
void transport_result_clear(struct transport_result *result);
/* Asks every master in the directory to end (each at most 2 s), unlinks sockets and log, removes the
 * directory. Absent is fine. */
int transport_close_masters(const char *control_directory, struct error *err);
