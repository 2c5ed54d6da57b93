/* The values that must not stand in a bundle: what the target and its peers name as secrets, passwords and
 * passphrases, private keys of the machine, what the environment of this process calls a token or password,
 * and what phases keep in the state folders of target and machine (unseal keys, root tokens). */
#pragma once
#include "config/config.h"
#include "event/machine.h"
#include "format/json.h"
#include "redact/redact.h"

struct bundle_secrets {
    const struct project *project; /* NULL: its files cannot be read */
    const struct target *target;   /* NULL: they do not name it any more */
    const struct machine *machine; /* NULL: none is known */
    const char *state;             /* the folder .triphase */
    const char *target_name;
    const char *const *environment;
};

/* Each source is read within 10 s. What could not be read, or is too short, is added to `unread` as {"value":
 * what it is, "why": "not redacted by value because …"}. */
void bundle_secrets_add(const struct bundle_secrets *from, struct redact_rules *rules, struct json *unread);
