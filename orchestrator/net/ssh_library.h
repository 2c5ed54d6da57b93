/* libssh, looked up at first use: it brings three further libraries, which no command but two needs. The only
 * file that includes it. Of what is called here nothing waits, once a session is set so. */
#pragma once
#include "base/error.h"
#include <stdint.h>

struct ssh_session_struct;
struct ssh_channel_struct;
struct ssh_key_struct;

/* What they answer. */
enum { SSH_DONE = 0, SSH_LATER = -2 }; /* else it failed */
enum { SSH_LET_IN = 0, SSH_LOGIN_LATER = 4, SSH_LOGIN_FAILED = -1 };
enum { SSH_WANTS_TO_WRITE = 8 }; /* of get_poll_flags */

/* The library's own functions, of these names behind "ssh_". */
extern struct ssh_calls {
    struct ssh_session_struct *(*new)(void);
    void (*free)(struct ssh_session_struct *);
    int (*connect)(struct ssh_session_struct *);
    void (*disconnect)(struct ssh_session_struct *);
    int (*is_connected)(struct ssh_session_struct *);
    const char *(*get_error)(void *);
    int (*get_poll_flags)(struct ssh_session_struct *);
    const char *(*get_serverbanner)(struct ssh_session_struct *);
    int (*userauth_none)(struct ssh_session_struct *, const char *user);
    int (*userauth_publickey)(struct ssh_session_struct *, const char *user, struct ssh_key_struct *const);
    int (*userauth_agent)(struct ssh_session_struct *, const char *user);
    void (*key_free)(struct ssh_key_struct *);
    struct ssh_channel_struct *(*channel_new)(struct ssh_session_struct *);
    void (*channel_free)(struct ssh_channel_struct *);
    int (*channel_open_session)(struct ssh_channel_struct *);
    int (*channel_request_exec)(struct ssh_channel_struct *, const char *command);
    int (*channel_read_nonblocking)(struct ssh_channel_struct *, void *, uint32_t, int of_errors);
    int (*channel_write)(struct ssh_channel_struct *, const void *, uint32_t);
    int (*channel_send_eof)(struct ssh_channel_struct *);
    int (*channel_is_eof)(struct ssh_channel_struct *);
    int (*channel_is_closed)(struct ssh_channel_struct *);
    int (*channel_get_exit_status)(struct ssh_channel_struct *);
} ssh;

/* ERROR_MISSING, with the package that has it. */
int ssh_library_load(struct error *err);

enum ssh_option {
    SSH_OPTION_NO_CONFIG, /* a bool, false */
    SSH_OPTION_HOST,
    SSH_OPTION_PORT, /* an unsigned */
    SSH_OPTION_USER,
    SSH_OPTION_DESCRIPTOR, /* an int */
    SSH_OPTION_KNOWN_HOSTS,
    SSH_OPTION_MORE_KNOWN_HOSTS,
    SSH_OPTION_AGENT,
    SSH_OPTIONS
};
void ssh_library_set(struct ssh_session_struct *session, enum ssh_option option, const void *value);
void ssh_library_wait_for_nothing(struct ssh_session_struct *session);

/* The key that the host showed, in base64; malloc'ed, NULL for none. */
char *ssh_library_host_key(struct ssh_session_struct *session);
enum ssh_known { SSH_KNOWN_NOT, SSH_KNOWN_SAME, SSH_KNOWN_OTHER };
/* By the files of known hosts that are set. */
enum ssh_known ssh_library_known(struct ssh_session_struct *session);
/* A private key without a passphrase, for key_free; NULL where it does not open. */
struct ssh_key_struct *ssh_library_open_key(const char *path);
