/* The commands: a const entry and one file each, with usage, options and call together; named in
 * command/main.c and nowhere else. Only these choose exit codes. */
#pragma once
#include "view/help.h"
#include <getopt.h>
#include <stdbool.h>

struct command;

struct command_context {
    const struct command *command; /* the one that is called */
    const char *directory;         /* -C, or NULL for the current folder */
    const char *const *sets;       /* global --set PATH=YAML, NULL-terminated */
};

struct command {
    struct help_line help; /* name, usage (NULL hides the command from the list) and summary */
    /* by their whole names, as getopt_long(3) has them; NULL: it reads its words itself */
    const struct option *options;
    const char *letters; /* as getopt(3) has them; NULL: none */
    bool hands_on;       /* what stands behind "--" goes to ansible-playbook */
    int (*run)(struct command_context *context, int argc,
               char **argv); /* argv[0] is the command's name; returns the exit code */
};
