/* The look at what is about to be ended, taken by a process of its own (`triphase stage look`),
 * because reading another process's words or asking a master can hang: the worker reads what came
 * within its bound. Parts are a table; each writes one line {"name": …} as soon as it is there, the
 * ones that cannot hang first. */
#pragma once
#include "format/json.h"

/* Request: {"pids": [of the step], "run_pids": [of the run], "control_directory", "control_path", "log",
 * "console", "secrets": [descriptors]}; what is absent is not looked at. Appends to `out`. */
void stage_look(const struct json *request, int out);
