/* What single texts of `health` must be like: each says what is wrong (malloc'ed, without the place), or
 * NULL, like those of config/text_rules.h. */
#pragma once

enum { HEALTH_CODE_LEAST = 100, HEALTH_CODE_MOST = 599 };

char *health_rules_url_problem(const char *text);
char *health_rules_code_problem(const char *text);
/* A name that a certificate can have. */
char *health_rules_server_name_problem(const char *text);
