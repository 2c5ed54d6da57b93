/* Looking for what must be found nowhere: a secret in files and in processes. Whoever
 * shows it is named on stderr. */
#pragma once

/* How many files below the folder hold it; symbolic links and sockets are none. */
int hidden_files(const char *folder, const char *needle);
/* How many processes have it in argv, and of those with the mark in their environment,
 * also how many have it there. */
int hidden_processes(const char *mark, const char *needle);
