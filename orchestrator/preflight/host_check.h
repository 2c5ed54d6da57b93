/* What only the host itself can tell before a run (`plan --contact`): login, host key, sudo, Python, disk.
 * Blocking; one login, which ends with the look. Nothing is changed there. */
#pragma once
#include "base/error.h"
#include "config/config.h"
#include "event/machine.h"
#include "format/json.h"
#include "process/scope.h"
#include "transport/ssh_options.h"

struct host_check_request {
    const struct project *project;
    const struct target *target;
    const struct machine *machine; /* with a directory */
    enum transport_kind kind;
    const char *sockets;         /* folder of control sockets, and of the agent where the key needs one */
    const struct scope *masters; /* whoever uses it ends it */
    const char *ansible_version; /* NULL: not known */
};

/* {"reached": bool, "checks": [{"name": "login" "host-key" "sudo" "python" "disk", "state": "ok" "warning"
 * "failed" "unknown", "text": …}]}: a text says what was seen and, where it is not ok, what to do. `failed`:
 * a run would certainly fail by it. 0, or -1 and the error of the one that counts: ERROR_UNREACHABLE where
 * there is no channel, else ERROR_PROJECT. */
int host_check(const struct host_check_request *request, struct json **out, struct error *err);
/* The same where there is nobody to ask, or no way: `state` of the name, the text says why. */
struct json *host_check_alone(const char *name, const char *state, const char *text);
/* One more check, after those that are there. */
void host_check_add(struct json *report, const char *name, const char *state, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
