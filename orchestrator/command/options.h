/* A command's options, by getopt_long(3) but for two things that cost a user a run which was not meant: a
 * beginning of a name is no option (--check of ansible-playbook is not --check-idempotent), and an option
 * that a command does not have is refused with what may be meant. */
#pragma once
#include "command/command.h"

/* Where "--" stands in argv, argc where it does not. */
int options_dashes(int argc, char **argv);
/* As getopt_long with the command's options and letters; argv[0] is the command's name, and optind 0 begins.
 * '?' once what is wrong has been said. */
int options_next(const struct command *command, int argc, char **argv);
