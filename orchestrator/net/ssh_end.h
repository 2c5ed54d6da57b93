/* How far a connection of SSH came and how it ended, in words and told from them. Pure. */
#pragma once

enum ssh_rung { SSH_RUNG_BANNER, SSH_RUNG_KEY_EXCHANGE, SSH_RUNG_HOST_KEY, SSH_RUNG_AUTH, SSH_RUNG_DONE };
/* How a connection came to its end. */
enum ssh_end {
    SSH_END_NONE,
    SSH_END_SILENT,   /* the deadline came */
    SSH_END_CLOSED,   /* the other side, or the proxy, closed it */
    SSH_END_RESET,    /* the connection was reset */
    SSH_END_HOST_KEY, /* it is not the known one */
    SSH_END_AUTH,     /* no key was taken */
    SSH_END_PROTOCOL, /* what came was no SSH, or none that libssh speaks */
};

/* "silent" "closed" "reset" "host-key" "auth" "protocol", "" for none; "banner" "key-exchange" "host-key"
 * "auth" "channel". Static. */
const char *ssh_end_name(enum ssh_end end);
const char *ssh_rung_name(enum ssh_rung rung);
/* What libssh's own words say of how it ended, on that rung: it has no codes for that. */
enum ssh_end ssh_end_of_words(const char *words, enum ssh_rung rung);
