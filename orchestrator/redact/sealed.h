/* The secrets that a phase was given, in sealed memory: what its event callback, the look before its end,
 * and whoever shows its output know them by. Each is its kind, its length in decimal digits and its bytes, a
 * NUL behind the first two. */
#pragma once
#include "base/error.h"
#include "redact/redact.h"
#include <sys/types.h>

/* What such a descriptor is called in /proc/PID/fd: "/memfd:triphase-known (deleted)". */
#define REDACT_SEALED_NAME "triphase-known"

/* Before the key in the kind of a value that says too little by itself. */
#define REDACT_BESIDE "beside "
/* The kind of what is no secret but a name, which a value that is the same gives way to. */
#define REDACT_NAME "name"

/* Appends one. */
int redact_sealed_put(int fd, const char *kind, const char *value, size_t length, struct error *err);
/* Adds those that stand in these bytes, up to one that is damaged or not whole; how many bytes that were. A
 * kind "beside KEY" is known only beside its key, and a kind "name" is what values give way to. */
size_t redact_sealed_read(struct redact_rules *rules, const char *bytes, size_t length);
/* Adds all of them; the descriptor's position stays. One that cannot be read adds nothing. */
void redact_sealed_add(struct redact_rules *rules, int fd);

/* What a process of the same user, a run's worker, knows: all that it has so far, and what comes to that. */
struct redact_sealed;
/* Never NULL. Its descriptors are opened here, so that they outlive that process. */
struct redact_sealed *redact_sealed_of(pid_t pid);
/* Adds what has come since it was opened or asked last; nothing for NULL. */
void redact_sealed_learn(struct redact_sealed *sealed, struct redact_rules *rules);
void redact_sealed_free(struct redact_sealed *sealed);
