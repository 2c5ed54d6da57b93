/* Who makes and removes machines. A provider is a const table of a few blocking calls; they run in a stage
 * child, which the worker supervises and may kill at any instant, so each must leave what it made findable
 * (owner.json, machine row) before it makes it. */
#pragma once
#include "base/error.h"
#include "config/config.h"
#include "event/machine.h"
#include "provider/listed.h"

struct provider {
    /* What this machine lacks for it: 0, or ERROR_MISSING naming everything missing with the exact command or
     * container flag that mends it. Changes nothing. */
    int (*check)(const struct target *target, struct error *err);
    /* How the host would be reached if it were made now (address, port, user, key, jump; `machine` has its
     * directory at most), for a provider that takes that from what the target says; else NULL. */
    int (*resolve)(const struct target *target, struct machine *machine, struct error *err);
    /* Puts what is revoked, and whom the user trusts to certify, by what his own files say now, in the place
     * of what the machine's host keys hold of it: both change while a machine is there. For a provider whose
     * hosts were there before; else NULL. */
    int (*marks)(const struct target *target, struct machine *machine, struct error *err);
    /* Says before anything exists how it will be called: fills reference, resources and whatever is needed by
     * remove after a crash at any later instant. Makes nothing. */
    int (*plan)(const struct target *target, struct machine *machine, struct error *err);
    /* Makes it and fills address, port, user, key, host_keys, python… Does not wait until it is ready. */
    int (*make)(const struct target *target, struct machine *machine, struct error *err);
    /* Waits, at most `bound_ns`, until it is there and started (the authenticated channel is the transport
     * stage's business). Used on a made machine too: starts it again where it went down with its maker
     * (reboot of this machine). */
    int (*verify)(const struct target *target, struct machine *machine, int64_t bound_ns, struct error *err);
    /* Shuts down in order within the bound, removes each resource on its own and verifies each absent; absent
     * ones are fine. ERROR_PROVIDER names what is still there. `target` is NULL where no file names it any
     * more, and else what it says now: what was made is the machine's row. */
    int (*remove)(const struct target *target, struct machine *machine, int64_t bound_ns, struct error *err);
    /* Everything of this provider that is to be found on this machine or at the service that this target
     * leads to, whoever made it; what cannot tell whose it is has no project's id. `target` is NULL where the
     * provider needs none (sandbox). Changes nothing. */
    int (*list)(const struct project *project, const struct target *target, struct listing *out,
                struct error *err);
    /* Removes one that `list` found and that no store knows, with all that belongs to it, and verifies that
     * it is absent; absent is fine. NULL: it cannot. */
    int (*remove_listed)(const struct project *project, const struct target *target,
                         const struct listed *listed, int64_t bound_ns, struct error *err);
    /* Writes the machine's expires_ns down where `list` reads it. NULL: `list` does not read it from
     * elsewhere than the store. */
    int (*expire)(const struct target *target, const struct machine *machine, struct error *err);
    /* One word for each thing of a machine (its id) that is still to be found on this machine; NULL: nothing
     * of its hosts is here. Changes nothing, contacts no host. */
    int (*left)(const char *machine, struct words *left, struct error *err);
};

extern const struct provider provider_sandbox;
extern const struct provider provider_static;
extern const struct provider provider_command;
extern const struct provider provider_hetzner;
/* NULL when there is none of that name. */
const struct provider *provider_named(const char *name);
