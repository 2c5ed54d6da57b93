/* What is true of each provider's hosts, for whoever has to know it: the row of a provider in
 * the one table of them, which also leads to its calls (provider/provider.h). Nothing else asks
 * for a provider by its name. */
#pragma once
#include <stdbool.h>

struct provider; /* provider/provider.h; what is in here knows of it only that it is there */

struct provider_preset {
    const char *key, *value; /* as a target's key has it: "ready", "[cloud-init, apt]" */
};

struct provider_facts {
    const char *name; /* as in `provider:`; "" in the row of a name that is none */
    /* The host was there before and stays: `address` says where, the user's ssh knows its key, what the files
     * say of it counts anew at each use, and destroy claims nothing. */
    bool existing;
    /* the host is on this machine: nothing leads to it but its address, and `root` says what it is made of */
    bool local;
    bool by_programs; /* the user's own make and remove it: `make`, `verify`, `remove` are required */
    /* a cloud's API makes them: the target's cloud keys count, and a token is needed */
    bool cloud;
    bool own_key;     /* triphase makes its key, which has no passphrase */
    const char *user; /* where the target names none; NULL: whom ssh takes */
    int port;         /* likewise; 0: ssh's own */
    /* what is built in for its hosts in the place of what the schema has, a NULL key at the end; NULL: all as
     * there */
    const struct provider_preset *presets;
    const struct provider *calls;
};

/* Never NULL: for a name that is none (a store of a later version may hold one) all is
 * false and there are no calls. */
const struct provider_facts *provider_facts(const char *name);
/* All names, NULL-terminated, for what takes one of them. */
const char *const *provider_names(void);
