/* The key of one join: made for it where there are credentials, else the given one; and gone when the join
 * is over. What is made is written down before it is used, so that the next `up` removes what a killed one
 * left. */
#pragma once
#include "base/deadline.h"
#include "base/error.h"
#include "config/tailnet_login.h"

struct minted {
    char *key; /* free with minted_drop */
    char *id;  /* NULL: it was given, not made */
};

/* ERROR_PROJECT where nothing is given to join with. */
int minted_make(const struct operator_settings *settings, const char *directory, const char *hostname,
                struct deadline deadline, struct minted *out, struct error *err);
/* Wipes it here and deletes it there; what could not be deleted ends by itself within MINTED_SECONDS, and
 * the error says so. */
int minted_drop(const struct operator_settings *settings, const char *directory, struct deadline deadline,
                struct minted *minted, struct error *err);
/* Deletes one that a killed `up` left. */
int minted_clean(const struct operator_settings *settings, const char *directory, struct deadline deadline,
                 struct error *err);

enum { MINTED_SECONDS = 300 };
