/* What the path of a tailnet did during a phase, told from its samples. */
#pragma once
#include "figures/account.h"
#include "format/json.h"

/* "direct; fell back to DERP(hs) at +12.0s; direct again at +40.1s"; malloc'ed, NULL where the step has no
 * samples. */
char *report_path_story(const struct account *account, const struct history_step *step);
/* What tailscaled warned of meanwhile, each once, with when it did first. */
void report_path_warnings(const struct account *account, const struct history_step *step, struct words *out);
/* The samples themselves, a list; NULL where there are none. */
struct json *report_path_json(const struct account *account, const struct history_step *step);
