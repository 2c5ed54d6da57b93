/* What goes into a bundle: the store's rows and the reports of a run, its folder, the configuration, the
 * versions of the tools, and what the host says. */
#pragma once
#include "bundle/archive.h"
#include "config/config.h"
#include "event/machine.h"
#include "figures/account.h"

struct bundle_subject {
    struct sql *db; /* one moment of the store, until bundle_parts_add_stored has returned */
    const char *state;
    const struct account *account;
    const struct machine *machine; /* NULL: none is known */
    const struct project *project; /* NULL: its files cannot be read */
    const char *project_problem;   /* why */
    const struct target *target;   /* NULL: they do not name it any more */
};

/* What comes from the store. */
int bundle_parts_add_stored(struct bundle *bundle, const struct bundle_subject *subject, struct error *err);
/* Files of this side. */
int bundle_parts_add_files(struct bundle *bundle, const struct bundle_subject *subject, struct error *err);
/* The host's side; `facts` is for the manifest, the caller frees. */
int bundle_parts_add_host(struct bundle *bundle, const struct bundle_subject *subject, struct json **facts,
                          struct error *err);
