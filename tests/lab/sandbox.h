/* Sandboxes of a test's own, made by calling the provider directly. Each has a project folder of its own;
 * folder and sandbox are removed when the test process ends, however it ends: a warden forked first waits for
 * that. Functions fail the test by themselves. */
#pragma once
#include "provider/provider.h"
#include <stdbool.h>
#include <stdint.h>

struct rig {
    struct target target;
    struct machine *machine; /* planned, not made */
    char *project;           /* its folder */
};

/* Skips the test where this machine can make no sandbox. */
void rig_needed(void);
/* The same, and one that is planned. `root` NULL: the default tree. Lives as long as the test. */
struct rig *rig_new(const char *root);
/* Makes it and waits until it is ready. */
void rig_make(struct rig *rig);
/* Removes it; fails when the provider says that it could not. */
void rig_remove(struct rig *rig);
/* Runs a command on the guest as root and gives its stdout, malloc'ed; its exit code in
 * `code` (NULL: must be 0). */
char *rig_ssh(const struct rig *rig, const char *command, int *code);
/* Looks, by other means than the provider's own, for anything of the sandbox on this machine; "" or
 * what was found. malloc'ed. */
char *rig_left(const struct rig *rig);
/* Puts this process into mount and network namespaces of its own: /var/lib/triphase is empty, only lo
 * is there, and what the test does to routes and packet filter is seen by nobody else. To be called
 * before the first rig_new. */
void rig_go_private(void);
/* In such a namespace: a neighbour behind 198.51.100.2, the default route, who accepts connections on
 * port 80 and says "outside". */
void rig_start_outside(void);
/* Writes a file that is removed when the test process ends. */
void rig_plant(const char *path, const char *content);
/* Runs a shell command here; fails the test when it fails. */
void rig_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Its stdout, malloc'ed, whatever its code. */
char *rig_output(const char *format, ...) __attribute__((format(printf, 1, 2)));
