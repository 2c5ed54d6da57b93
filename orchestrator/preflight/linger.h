/* What ends with a user's last login, and takes along what runs for that user. */
#pragma once
#include <sys/types.h>

/* What to tell a user whose runs end with the last login, and the command that mends it; malloc'ed. NULL
 * for root, where the user lingers, and where no systemd looks after logins. `root` is put before every
 * path ("" for this machine). */
char *linger_warning(uid_t user, const char *root);
