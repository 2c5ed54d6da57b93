/* Talking to an ssh master through its control socket, under a timer: a frozen one would hang whoever asks. */
#pragma once
#include <stdbool.h>

/* Whether there is a socket at the path (NULL: no). */
bool master_socket_there(const char *path);
/* ssh -O `command`; 0 when the master answered within 2 s. */
int master_ask(const char *control_path, const char *command);
