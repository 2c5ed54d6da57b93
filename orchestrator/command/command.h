/* The commands, one file each, in one const table (command/main.c). Only these choose exit codes. */
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

int command_init(struct command_context *context, int argc, char **argv);
int command_doctor(struct command_context *context, int argc, char **argv);
int command_plan(struct command_context *context, int argc, char **argv);
int command_create(struct command_context *context, int argc, char **argv);
int command_run(struct command_context *context, int argc, char **argv);
int command_resume(struct command_context *context, int argc, char **argv);
int command_attach(struct command_context *context, int argc, char **argv);
int command_cancel(struct command_context *context, int argc, char **argv);
int command_destroy(struct command_context *context, int argc, char **argv);
int command_cycle(struct command_context *context, int argc, char **argv);
int command_status(struct command_context *context, int argc, char **argv);
int command_ssh(struct command_context *context, int argc, char **argv);
int command_inventory(struct command_context *context, int argc, char **argv);
int command_report(struct command_context *context, int argc, char **argv);
int command_events(struct command_context *context, int argc, char **argv);
int command_config(struct command_context *context, int argc, char **argv);
int command_trust(struct command_context *context, int argc, char **argv);
int command_forget(struct command_context *context, int argc, char **argv);
int command_bundle(struct command_context *context, int argc, char **argv);
int command_store(struct command_context *context, int argc, char **argv);
/* Hidden: the body of a stage, run by the worker as a supervised child. */
int command_stage(struct command_context *context, int argc, char **argv);
