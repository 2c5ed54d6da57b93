/* What single texts of `operator` and `tailnet` must be like: each says what is wrong (malloc'ed, without the
 * place), or NULL, like those of config/text_rules.h. */
#pragma once

/* "tag:" and a name of letters, digits and dashes that begins with a letter. */
char *tailnet_rules_tag_problem(const char *text);
/* One label of a DNS name. */
char *tailnet_rules_hostname_problem(const char *text);
/* What a daemon's status calls a tailnet, as its name or as the suffix of its names; or "-". */
char *tailnet_rules_tailnet_problem(const char *text);
/* http:// or https:// with a host, and neither a user, a query nor a fragment. */
char *tailnet_rules_url_problem(const char *text);
