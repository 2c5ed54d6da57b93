/* Commit-confirm as the host does it (host/confirm.sh): what is so there is kept on its disk with a time
 * after which it is put back, and each question that comes over a new connection makes the time begin anew.
 * Blocking: for asides and stages. */
#pragma once
#include "base/words.h"
#include "format/json.h"
#include "stage/host_script.h"

enum confirm_action {
    CONFIRM_ARM,    /* over the run's master, where there is one */
    CONFIRM_RENEW,  /* these over a connection of their own */
    CONFIRM_DISARM, /* nothing is left there */
    CONFIRM_SETTLE, /* nobody confirms it any more: what is armed is put back now; it is told and forgotten */
};

/* Whose host it is, and what is armed there. All is borrowed. */
struct confirm_host {
    struct host host;
    enum transport_kind kind;
    const char *sockets; /* folder of the run's masters; may be NULL */
    const char *id;      /* RUN/NN, of the step */
    int64_t time_ns;     /* without a proven way in, then it is put back */
    bool reboots;        /* a boot starts the time anew, in place of putting back at once */
};

char *confirm_host_id(const char *run, int step); /* malloc'ed */

struct confirm_question {
    const struct confirm_host *of;
    enum confirm_action action;
    int connect_s;    /* until the host's sshd has answered */
    int64_t bound_ns; /* for all of it */
};

enum confirm_state {
    CONFIRM_STATE_NONE,
    CONFIRM_ARMED,
    CONFIRM_RENEWED,
    CONFIRM_DISARMED,
    CONFIRM_RESTORED, /* it was put back; the answer says when, why, and what was different */
    CONFIRM_BUSY,     /* another one's is armed there */
    CONFIRM_REFUSED,  /* it cannot be armed */
    CONFIRM_ABSENT,   /* the host knows nothing of it */
};

/* The work of an aside, of a struct confirm_question: the answer as JSON {"state", "words": [..], "why",
 * "at_ns", "difference"}. ERROR_UNREACHABLE: no connection, or no answer within the bound. */
int confirm_host_ask(const void *question, struct text *out, struct error *err);
/* What the host said, as that JSON; the caller frees. Pure. ERROR_UNREACHABLE when it breaks off,
 * ERROR_SYSTEM when it is no answer. */
int confirm_host_read(const char *bytes, size_t length, const char *nonce, struct json **out,
                      struct error *err);
enum confirm_state confirm_host_state(const struct json *answer);
/* What it had to say, in one line; malloc'ed, "" for nothing. NULL has nothing to say. */
char *confirm_host_words(const struct json *answer);
/* The detail of a note `confirm` (docs/contract.md). `answer`: the host's, may be NULL; what was different
 * goes in where it is of a host that was put back. The caller frees. */
struct json *confirm_host_detail(const char *state, const char *id, const char *message,
                                 const struct json *answer);
