/* Words for ssh: what can be one (config/ssh_rules.h), and how a value is quoted for its parser. Each check
 * refuses (ERROR_PROJECT) with the value and why; `what` names it. */
#pragma once
#include "base/error.h"
#include "base/text.h"
#include <stdbool.h>

/* Puts one value of an -o option so that ssh's parser reads back these very bytes; `percent`: the option
 * expands %-tokens, so % is doubled. */
void ssh_add_option_value(struct text *text, const char *value, bool percent);
/* A host's name or address, of IPv6 with its zone. */
int ssh_check_address(const char *what, const char *address, struct error *err);
int ssh_check_user(const char *user, struct error *err);
/* A list of jump hosts. */
int ssh_check_jump(const char *jump, struct error *err);
/* tailscaled's socket. */
int ssh_check_socket(const char *path, struct error *err);
/* A path that stands in an option. */
int ssh_check_path(const char *what, const char *path, struct error *err);
