#include "run/subscribers.h"

#include "base/memory.h"

extern const struct subscriber subscriber_journal, subscriber_store;

const struct subscriber *const run_subscribers[] = {
    &subscriber_journal,
    &subscriber_store,
};
const size_t run_subscribers_count = COUNT_OF(run_subscribers);
