#include "transport/ssh_words.h"

#include "base/memory.h"
#include "config/ssh_rules.h"
#include "config/text_rules.h"

#include <string.h>

void ssh_add_option_value(struct text *text, const char *value, bool percent)
{
    bool plain = *value;
    for (const char *c = value; *c; c++)
        plain = plain && ((*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') ||
                          strchr("_./:@,+^-%", *c));
    if (!plain)
        text_add_char(text, '"');
    for (const char *c = value; *c; c++) {
        if (*c == '"' || *c == '\\')
            text_add_char(text, '\\');
        if (*c == '%' && percent)
            text_add_char(text, '%');
        text_add_char(text, *c);
    }
    if (!plain)
        text_add_char(text, '"');
}

static int refuse(struct error *err, const char *what, const char *problem)
{
    return error_set(err, ERROR_PROJECT, "%s %s; it cannot be given to ssh", what, problem);
}

int ssh_check_address(const char *what, const char *address, struct error *err)
{
    AUTO_FREE char *problem = ssh_rules_address_problem(address);
    return problem ? refuse(err, what, problem) : 0;
}

int ssh_check_user(const char *user, struct error *err)
{
    AUTO_FREE char *problem = ssh_rules_user_problem(user);
    return problem ? refuse(err, "user", problem) : 0;
}

int ssh_check_jump(const char *jump, struct error *err)
{
    AUTO_FREE char *problem = ssh_rules_jump_problem(jump);
    return problem ? refuse(err, "jump", problem) : 0;
}

int ssh_check_socket(const char *path, struct error *err)
{
    return value_has_control(path) ? refuse(err, "tailscaled's socket", "holds a control character") : 0;
}

int ssh_check_path(const char *what, const char *path, struct error *err)
{
    AUTO_FREE char *shown = text_shown(path);
    if (value_has_control(path) || strstr(path, "${")) {
        AUTO_FREE char *problem =
            xasprintf("'%s' %s", shown,
                      value_has_control(path) ? "holds a control character"
                                              : "holds \"${\", which ssh takes for an environment variable "
                                                "and knows no way to quote; move the project or the file");
        return refuse(err, what, problem);
    }
    return 0;
}
