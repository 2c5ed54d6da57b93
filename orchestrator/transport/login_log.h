/* How far a login got, from the log that ssh itself wrote of it (LogLevel=VERBOSE with LOGIN_LOG_VERBOSE;
 * OpenSSH 8.5 to 10). Pure. */
#pragma once
#include "base/text.h"
#include "base/words.h"
#include <stdbool.h>

/* For -o LogVerbose: the functions whose lines are read, beside what is logged anyhow. They are silent
 * once the login is through. */
#define LOGIN_LOG_VERBOSE                                                               \
    "*:ssh_connect_direct():*,*:kex_exchange_identification():*,*:verify_host_key():*," \
    "*:check_host_key():*,*:userauth_pubkey():*,*:load_identity_file():*"

/* The rung that is climbed: a login that ended in it failed there. */
enum login_rung { LOGIN_TCP, LOGIN_BANNER, LOGIN_KEY_EXCHANGE, LOGIN_HOST_KEY, LOGIN_AUTH, LOGIN_DONE };

struct login_log {
    enum login_rung rung;
    char *version;       /* what the server says it is; NULL: it did not */
    char *host_key;      /* that the server showed, "ssh-ed25519 SHA256:…"; NULL: none */
    struct words keys;   /* that were offered, "PATH TYPE SHA256:…" */
    struct text said;    /* what is no mere trace, "; " between lines, printable */
    struct text instead; /* lines in place of the server's version, the same */
};

#define LOGIN_LOG_INIT                                          \
    {                                                           \
        LOGIN_TCP, NULL, NULL, WORDS_INIT, TEXT_INIT, TEXT_INIT \
    }
#define AUTO_LOGIN_LOG __attribute__((cleanup(login_log_clear))) struct login_log

/* Fills `out`, which is as LOGIN_LOG_INIT. An unfinished last line counts. */
void login_log_read(const char *bytes, size_t length, struct login_log *out);
void login_log_clear(struct login_log *log);
/* Whether Tailscale's own SSH server answers in place of the host's sshd. */
bool login_log_is_tailscale(const struct login_log *log);
/* "tcp" "banner" "key-exchange" "host-key" "auth" "channel". Static. */
const char *login_rung_name(enum login_rung rung);
