/* What single texts of the project's files must be like. Each function says what is wrong (malloc'ed,
 * without the place), or NULL. */
#pragma once
#include <stdbool.h>

/* "'TEXT' WHAT", as all of them say it. malloc'ed. */
char *value_about(const char *text, const char *what);
/* `[a-z][a-z0-9-]{0,30}`: projects, targets, recipes, phases. */
bool value_is_name(const char *text);
char *value_name_problem(const char *text);
/* `[A-Za-z_][A-Za-z0-9_]*` */
bool value_is_variable(const char *text);
bool value_has_control(const char *text);
/* Not empty, no control characters, no leading dash. */
char *value_path_problem(const char *text);
/* The same, and no blanks. */
char *value_word_problem(const char *text);
char *value_key_problem(const char *text);
char *value_python_problem(const char *text);
char *value_host_name_problem(const char *text);
char *value_group_problem(const char *text);
char *value_environment_name_problem(const char *text);
/* "ssh-ed25519 AAAA…" */
char *value_host_key_problem(const char *text);
char *value_root_problem(const char *text);
/* One argument for ansible-playbook: not one that triphase gives itself, and none that asks at a terminal. */
char *value_argument_problem(const char *text);
char *value_variable_problem(const char *name); /* the name of a variable */
char *value_vault_id_problem(const char *name);
