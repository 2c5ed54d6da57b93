#include "net/ssh_library.h"

#include "base/memory.h"

#include <dlfcn.h>
#include <libssh/libssh.h>
#include <stdbool.h>

#define CALLS(X)                \
    X(new)                      \
    X(free)                     \
    X(connect)                  \
    X(disconnect)               \
    X(is_connected)             \
    X(get_error)                \
    X(get_poll_flags)           \
    X(get_serverbanner)         \
    X(userauth_none)            \
    X(userauth_publickey)       \
    X(userauth_agent)           \
    X(key_free)                 \
    X(channel_new)              \
    X(channel_free)             \
    X(channel_open_session)     \
    X(channel_request_exec)     \
    X(channel_read_nonblocking) \
    X(channel_write)            \
    X(channel_send_eof)         \
    X(channel_is_eof)           \
    X(channel_is_closed)        \
    X(channel_get_exit_status)

/* Used here alone, for what they take is the library's own. */
#define OWN_CALLS(X)            \
    X(options_set)              \
    X(set_blocking)             \
    X(get_server_publickey)     \
    X(session_is_known_server)  \
    X(pki_export_pubkey_base64) \
    X(pki_import_privkey_file)  \
    X(string_free_char)

struct ssh_calls ssh;

#define DECLARE(name) __typeof__(ssh_##name) *name;
static struct {
    OWN_CALLS(DECLARE)
} own;

#define SAME(name) \
    _Static_assert(__builtin_types_compatible_p(__typeof__(ssh.name), __typeof__(&ssh_##name)), #name);
CALLS(SAME)
_Static_assert(SSH_DONE == SSH_OK && SSH_LATER == SSH_AGAIN, "what calls answer");
_Static_assert((int)SSH_LET_IN == SSH_AUTH_SUCCESS && (int)SSH_LOGIN_LATER == SSH_AUTH_AGAIN &&
                   (int)SSH_LOGIN_FAILED == SSH_AUTH_ERROR,
               "what logins answer");
_Static_assert(SSH_WANTS_TO_WRITE == SSH_WRITE_PENDING, "poll flags");

int ssh_library_load(struct error *err)
{
    static bool loaded;
    if (loaded)
        return 0;
    void *library = dlopen("libssh.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return error_set(err, ERROR_MISSING,
                         "the library libssh is missing (%s); install Debian's package libssh-4", dlerror());
#define FIND_IN(table, name)                              \
    *(void **)&table.name = dlsym(library, "ssh_" #name); \
    if (!table.name)                                      \
        return error_set(err, ERROR_MISSING,              \
                         "the library libssh has no ssh_" #name "; a release from 0.10 on has it");
#define FIND(name)     FIND_IN(ssh, name)
#define FIND_OWN(name) FIND_IN(own, name)
    CALLS(FIND)
    OWN_CALLS(FIND_OWN)
    loaded = true;
    return 0;
}

void ssh_library_set(struct ssh_session_struct *session, enum ssh_option option, const void *value)
{
    static const enum ssh_options_e options[SSH_OPTIONS] = {
        [SSH_OPTION_NO_CONFIG] = SSH_OPTIONS_PROCESS_CONFIG,
        [SSH_OPTION_HOST] = SSH_OPTIONS_HOST,
        [SSH_OPTION_PORT] = SSH_OPTIONS_PORT,
        [SSH_OPTION_USER] = SSH_OPTIONS_USER,
        [SSH_OPTION_DESCRIPTOR] = SSH_OPTIONS_FD,
        [SSH_OPTION_KNOWN_HOSTS] = SSH_OPTIONS_KNOWNHOSTS,
        [SSH_OPTION_MORE_KNOWN_HOSTS] = SSH_OPTIONS_GLOBAL_KNOWNHOSTS,
        [SSH_OPTION_AGENT] = SSH_OPTIONS_IDENTITY_AGENT,
    };
    own.options_set(session, options[option], value);
}

void ssh_library_wait_for_nothing(struct ssh_session_struct *session)
{
    own.set_blocking(session, 0);
}

char *ssh_library_host_key(struct ssh_session_struct *session)
{
    ssh_key key = NULL;
    char *text = NULL;
    if (own.get_server_publickey(session, &key) == SSH_OK)
        (void)own.pki_export_pubkey_base64(key, &text);
    char *copy = xstrdup_or_null(text);
    if (text)
        own.string_free_char(text);
    ssh.key_free(key);
    return copy;
}

enum ssh_known ssh_library_known(struct ssh_session_struct *session)
{
    enum ssh_known_hosts_e state = own.session_is_known_server(session);
    if (state == SSH_KNOWN_HOSTS_OK)
        return SSH_KNOWN_SAME;
    return state == SSH_KNOWN_HOSTS_CHANGED || state == SSH_KNOWN_HOSTS_OTHER ? SSH_KNOWN_OTHER
                                                                              : SSH_KNOWN_NOT;
}

struct ssh_key_struct *ssh_library_open_key(const char *path)
{
    ssh_key key = NULL;
    return own.pki_import_privkey_file(path, NULL, NULL, NULL, &key) == SSH_OK ? key : NULL;
}
