/* Starting ansible-playbook through launcher/triphase_launch.py, which saves the interpreter's tear-down and its garbage collections (measured: speed
 * figures in the README). Only where the program is the plain script that pip and Debian install; anything else is started as it is. */
#pragma once
#include "base/error.h"
#include "base/words.h"

/* `argv[0]` is the absolute ansible-playbook; puts interpreter and launcher before it where that is possible. The launcher is laid down in `folder`. */
int launcher_wrap(struct words *argv, const char *folder, struct error *err);
