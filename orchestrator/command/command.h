/* The commands: a const entry and one file each, with usage, options and call together; named in command/main.c and nowhere else. Only these choose exit codes. */
#pragma once
#include "view/help.h"

struct command_context {
    const char *directory;   /* -C, or NULL for the current folder */
    const char *const *sets; /* global --set PATH=YAML, NULL-terminated */
};

struct command {
    struct help_line help; /* name, usage (NULL hides the command from the list) and summary */
    int (*run)(struct command_context *context, int argc,
               char **argv); /* argv[0] is the command's name; returns the exit code */
};
