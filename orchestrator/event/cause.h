/* The class of one UNREACHABLE (docs/contract.md, "Causes of an UNREACHABLE"), from what
 * OpenSSH or Ansible said. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* "connect-timeout", "refused", … ; "other" where nothing known is said, NULL for an
 * empty text. Static strings. */
const char *cause_of_text(const char *message);
/* Whether the host let nobody in for who was asking: the same question gets the same answer. */
bool cause_is_refusal(const char *cause);
/* How long to wait before the try behind the `tries`-th: nobody is burdened by one that nobody took; one that
 * the host's sshd saw counts there, so the next is 5 s and more away. */
int64_t cause_pause_ns(const char *cause, int tries);
