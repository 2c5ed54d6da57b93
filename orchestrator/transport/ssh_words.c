#include "transport/ssh_words.h"

#include "base/memory.h"

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

static bool has_control(const char *value)
{
    for (const char *c = value; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return true;
    return false;
}

static int refuse(struct error *err, const char *what, const char *value, const char *why)
{
    AUTO_TEXT shown = TEXT_INIT;
    text_add_printable(&shown, value, strlen(value));
    return error_set(err, ERROR_PROJECT, "%s '%s' cannot be given to ssh: %s", what, text_string(&shown),
                     why);
}

/* Letters and digits of ASCII, and those of `others`. */
static bool is_made_of(const char *value, const char *others)
{
    for (const char *c = value; *c; c++)
        if (!((*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') ||
              strchr(others, *c)))
            return false;
    return *value;
}

int ssh_check_address(const char *what, const char *address, struct error *err)
{
    if (!*address)
        return refuse(err, what, address, "it is empty");
    if (*address == '-')
        return refuse(err, what, address, "with a leading dash it would be read as an option");
    /* % only as the zone of an IPv6 address. */
    if (!is_made_of(address, strchr(address, ':') ? "._:-%" : "._-"))
        return refuse(err, what, address,
                      "a host name or address has only letters, digits, '.', '-', '_' and ':'");
    return 0;
}

int ssh_check_user(const char *user, struct error *err)
{
    if (!*user || *user == '-')
        return refuse(err, "user", user,
                      *user ? "with a leading dash it would be read as an option" : "it is empty");
    if (has_control(user) || strpbrk(user, " '\"`\\;&<>|(){}$%"))
        return refuse(err, "user", user, "no user name has such characters");
    return 0;
}

int ssh_check_jump(const char *jump, struct error *err)
{
    if (!*jump || *jump == '-' || strstr(jump, ",-") || strstr(jump, "@-") || strstr(jump, "//-"))
        return refuse(err, "jump", jump,
                      *jump ? "with a leading dash a hop would be read as an option" : "it is empty");
    if (!is_made_of(jump, "._:@,[]/-"))
        return refuse(err, "jump", jump, "it is a list like user@host:port,user@host:port");
    return 0;
}

int ssh_check_socket(const char *path, struct error *err)
{
    return has_control(path) ? refuse(err, "tailscaled's socket", path, "it holds control characters") : 0;
}

int ssh_check_path(const char *what, const char *path, struct error *err)
{
    if (has_control(path))
        return refuse(err, what, path, "it holds control characters");
    if (strstr(path, "${"))
        return refuse(err, what, path,
                      "ssh takes \"${\" for an environment variable and knows no way to quote it; move the "
                      "project or the file");
    return 0;
}

size_t ssh_option_name_length(const char *option)
{
    return strcspn(option, "= \t");
}

int ssh_check_option(const char *option, struct error *err)
{
    size_t length = ssh_option_name_length(option);
    AUTO_FREE char *name = xstrndup(option, length);
    if (!is_made_of(name, "") || has_control(option))
        return refuse(err, "ssh option", option, "write it as Name=value");
    if (!option[length])
        return refuse(err, "ssh option", option, "it has no value; write it as Name=value");
    return 0;
}
