/* What has to hold of a host before its first phase: one entry of a target's `ready`, in order. */
#pragma once
#include "base/words.h"
#include <stdint.h>

enum ready_kind { READY_CLOUD_INIT, READY_APT, READY_REBOOT, READY_SYSTEMD, READY_USER, READY_COMMAND };

struct ready_step {
    enum ready_kind kind;
    struct words command; /* READY_COMMAND: a program of the host and its arguments */
    int64_t within_ns;
};
