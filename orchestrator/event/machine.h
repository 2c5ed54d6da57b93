/* What was really made for a target: everything needed to reach and to remove it, whatever the project's
 * files say later. */
#pragma once
#include "base/words.h"
#include "config/transport_kind.h"
#include "format/json.h"
#include <stdbool.h>
#include <stdint.h>

struct machine {
    char *id; /* UUIDv7 */
    char *project, *target, *provider;
    char *reference; /* the provider's own name for it (sandbox: tp<10 hex>) */
    char *address;   /* where SSH reaches it directly; NULL while unknown */
    int port;        /* 0 while unknown */
    char *user;      /* NULL: ssh's own choice */
    char *key;       /* path of the private key, "agent", or NULL */
    char *jump;      /* ProxyJump, or NULL */
    /* known_hosts lines without the host column ("ssh-ed25519 AAAA…"); empty: the
     * user's known_hosts are asked */
    struct words host_keys;
    char *python; /* interpreter that was found on the host, where none was named; NULL while unknown */
    struct words ssh_options; /* "Name=value" */
    bool ssh_options_known;   /* false: of an older version's row, which does not hold them */
    char *root;               /* what a sandbox's tree was made of; NULL: unknown, or no sandbox */
    struct json *said; /* what was said of it when it was made, by key (provider/made.h); NULL: not known */
    /* absolute (in the store from the project's folder) .triphase/machines/<id>: key,
     * known_hosts, console.log, state/ */
    char *directory;
    /* Its device in a tailnet: {"address", "address6", "node", "name", "tags": […], "login_server",
     * "socket"}, each as far as it is known; NULL: it never joined, or has left. */
    struct json *tailnet;
    struct json *resources; /* the provider's own record of what it made, for remove */
    int64_t made_ns;        /* wall clock; 0 while being made */
    int64_t removed_ns;     /* 0 while it is there */
    int64_t expires_ns;     /* wall clock; 0: it stays */
};

/* Member of the resources: how the host keys came to be known ("throw-away key", "given", "accept-new"),
 * where the provider says it. */
#define MACHINE_HOST_KEYS_BY "host_keys_by"

struct machine *machine_new(void);
void machine_free(struct machine *machine);
void machine_cleanup(struct machine **machine);
/* A host that was there before (provider static) is never made by a run, and so no run's fresh machine. */
bool machine_was_there(const struct machine *machine);
#define AUTO_MACHINE __attribute__((cleanup(machine_cleanup))) struct machine
/* Where SSH reaches it over this transport: over a tailnet its device's own address, where one is known, else
 * as over every other. Its host keys are the same over all. Borrowed; NULL while unknown. */
const char *machine_address(const struct machine *machine, enum transport_kind kind);
/* When it may be swept: so long after it was made (one that is still to be made: from now), and not before
 * `needed_ns`. 0, never, without a `ttl_ns`, and of a host that was there before. */
int64_t machine_expiry(const struct machine *machine, int64_t ttl_ns, int64_t needed_ns);
/* Whether a host key is known, and not only what is revoked. */
bool machine_has_host_key(const struct machine *machine);
/* The project's folder, three above the machine's (.triphase/machines/<id>). malloc'ed; NULL
 * where the machine has none. */
char *machine_project(const struct machine *machine);
struct machine *machine_copy(const struct machine *machine);
/* Whole content as a JSON object and back (unknown members ignored, absent ones NULL/0). */
struct json *machine_to_json(const struct machine *machine);
struct machine *machine_from_json(const struct json *object);
/* The same as a row of the store has it: what lies in the project's folder is named from there, so
 * that the folder can be moved. The machine's folder never leads out of it by ".."; its key does where
 * the user's file says so. */
struct json *machine_to_row(const struct machine *machine, const char *project_directory);
struct machine *machine_from_row(const struct json *object, const char *project_directory);
