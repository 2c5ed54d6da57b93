/* A login to the lab's sshd as the stage `transport` does it, with a target and a
 * machine that a test may change. */
#pragma once
#include "lab/lab.h"
#include "transport/route.h"

struct climb {
    struct lab *lab;
    struct target target;
    struct machine *machine;
    struct ssh_arguments ssh;
    char *sockets;
    bool starting; /* the host was just made or rebooted */
};

/* A target that is the lab's sshd, known by its host key. */
struct climb climb_begin(void);
/* transport_open_master with what the fixture holds now. */
int climb_up(struct climb *fixture, bool wait, int64_t bound, struct transport_result *result,
             struct error *err);
void climb_end(struct climb *fixture);
/* A listener on 127.0.0.1 that takes connections into its backlog and says nothing. */
int climb_listener(int *port);
