/* What a stage does while it lasts, for whoever watches: a stage is a child whose
 * stderr is its step's log. */
#pragma once

/* A line in that log; printf-like, printable. What cannot be written is lost. */
void step_log_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
