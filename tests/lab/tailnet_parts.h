/* What the files of the lab's tailnet share. */
#pragma once
#include "base/words.h"
#include "lab/tailnet.h"
#include "process/child.h"

#define TAILNET_HUB "10.99.0.1"

struct tailnet_lab {
    char *programs, *folder;
    struct child headscale;
    int operators;
    char *api;
    char *api_secret, *api_key; /* of this test alone */
    struct words environment; /* of what the lab starts: programs first in PATH, tailscaled's test settings */
};

struct tailnet_operator {
    struct tailnet_lab *lab;
    int number;
    struct child holder;  /* the process whose namespaces they are */
    struct words wrapper; /* words before a command */
    char *folder, *address, *socket, *joined;
    enum tailnet_tun tun;
    struct child daemon;
};

extern const char tailnet_open_policy[];

/* Starts a program that ends with the test, its output to LOG in the lab's folder. */
void tailnet_start(struct tailnet_lab *lab, const struct words *argv, const char *log, struct child *out);
/* Runs one to its end; its result is kept. */
struct lab_result tailnet_run(struct tailnet_lab *lab, const struct words *argv);
/* Fails the test unless it ended with 0; stdout, malloc'ed. */
char *tailnet_do(struct tailnet_lab *lab, const struct words *argv);
/* The warden: whatever is left in this network namespace when the test ends is ended too. */
void tailnet_warn(pid_t inside);
/* The test fails at its end where one of the lab's keys went astray; on that machine too. */
void tailnet_spilled_begin(void);
void tailnet_spilled_machine(const struct tailnet_operator *op);
