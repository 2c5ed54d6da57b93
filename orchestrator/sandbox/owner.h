/* Who owns which sandbox on this machine: /var/lib/triphase/<name>/owner.json, written before the first
 * resource of a machine is made and removed after the last, so that everything can be found and removed
 * whatever died at whatever instant. One lock there covers what sandboxes share: subnets and ip_forward. */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include "event/machine.h"
#include <netinet/in.h>
#include <stdbool.h>

#define SANDBOX_HOME "/var/lib/triphase"

enum { SANDBOX_NAME_SIZE = 13 }; /* "tp" and 10 hex digits: an interface's name has 15 characters at most */

/* A file system of the guest: an overlay of `lower` at `at` below the guest's root
 * ("" is the root itself). */
struct sandbox_part {
    char *at, *lower;
};

struct sandbox_owner {
    char name[SANDBOX_NAME_SIZE];
    char *machine, *project, *target, *directory; /* directory: the machine's folder of the project */
    /* of the project (store/identity.h), and its folder; NULL in a note of an older triphase */
    char *project_id, *path;
    /* what the writer saw the machine as: its boot, and the namespaces that folder
     * and processes are seen from */
    char *boot, *view;
    bool first;         /* those of process 1 */
    int64_t made_ns;    /* wall clock, when it was begun; 0: of an older triphase */
    int64_t expires_ns; /* 0: it stays */
    in_addr_t subnet;   /* network byte order, of a /30: +1 is this machine, +2 the guest; 0: none yet */
    struct sandbox_part *parts;
    size_t part_count;
    /* while it is made: nobody takes the cached root tree away (sandbox/root.h); closed by
     * sandbox_owner_clear, -1: none */
    int tree_lock;
};

#define SANDBOX_OWNER_INIT \
    {                      \
        .tree_lock = -1    \
    }
#define AUTO_SANDBOX_OWNER __attribute__((cleanup(sandbox_owner_clear))) struct sandbox_owner
void sandbox_owner_clear(struct sandbox_owner *owner);
void sandbox_owner_add_part(struct sandbox_owner *owner, const char *at, const char *lower);

/* "tp" and the last 10 hex digits of the machine's id; -1 when it is no id. */
int sandbox_name(const char *machine_id, char out[SANDBOX_NAME_SIZE], struct error *err);
bool sandbox_is_name(const char *text);
/* malloc'ed /var/lib/triphase/<name>[/<file>]. */
char *sandbox_path(const char *name, const char *file);

/* Makes /var/lib/triphase and waits, bounded, for its lock. Descriptor, closed by the caller to let go. */
int sandbox_lock(int64_t bound_ns, struct error *err);
/* Makes the folder and writes the file, replacing an older one; boot and view are this process's. */
int sandbox_owner_write(const struct sandbox_owner *owner, struct error *err);
/* 1 and `out` (to be freed), 0 when there is none, -1 where there is one that cannot be read. */
int sandbox_owner_read(const char *name, struct sandbox_owner *out, struct error *err);
/* "a sandbox of target T of project P (folder)", malloc'ed. */
char *sandbox_whose(const struct sandbox_owner *owner);
/* Whether this process sees folders and processes as the note's writer did, or as process 1
 * where that was a boot ago. */
bool sandbox_owner_sees_the_same(const struct sandbox_owner *owner);
/* Fills in whose the machine is, from its folder; ERROR_PROJECT where the note names another project. What
 * lay in the folder that the project was moved from is named by the new one. */
int sandbox_owner_take(struct sandbox_owner *owner, const struct machine *machine, struct error *err);
/* The project was moved: writes it into the notes of all its sandboxes. */
int sandbox_owner_follow(const char *project_directory, struct error *err);
/* Names of all sandboxes that have a folder here. */
int sandbox_names(struct words *out, struct error *err);
/* The guest's and this machine's address of the subnet, dotted, malloc'ed. */
char *sandbox_guest_address(in_addr_t subnet);
char *sandbox_host_address(in_addr_t subnet);
