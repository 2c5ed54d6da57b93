/* Starting ansible-playbook in its own interpreter, behind one of our scripts: launcher/triphase_launch.py
 * saves the interpreter's tear-down and its garbage collections (measured: speed figures in the README),
 * launcher/triphase_ask.py says of a listing what Ansible does not. Only where the program is the plain
 * script that pip and Debian install; anything else is started as it is. */
#pragma once
#include "base/error.h"
#include "base/words.h"

/* `argv[0]` is the absolute ansible-playbook; puts interpreter and script (its name,
 * "triphase_launch.py") before it where that is possible. The script is laid down in `folder`, where it
 * is not there yet as it is now. */
int launcher_wrap(struct words *argv, const char *script, const char *folder, struct error *err);
/* From here on a launcher in `folder` shares what Ansible makes of modules by way of the folder `payloads`
 * (an absolute path; launcher/triphase_payloads.py). */
int launcher_share(const char *payloads, const char *folder, struct error *err);
/* Lays this file of launcher/ down there, for a launcher to import. */
int launcher_lay_down(const char *file, const char *folder, struct error *err);
/* The interpreter that such a program is run by; NULL: it is another kind of program. malloc'ed. */
char *launcher_interpreter(const char *program);
