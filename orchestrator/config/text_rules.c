#include "config/text_rules.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/fault.h"

#include <ctype.h>
#include <string.h>

enum { NAME_LIMIT = 31 };

bool value_is_name(const char *text)
{
    static const char inside[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    return islower((unsigned char)text[0]) && !text[strspn(text, inside)] && strlen(text) <= NAME_LIMIT;
}

char *value_about(const char *text, const char *what)
{
    AUTO_FREE char *shown = text_shown(text);
    return xasprintf("'%s' %s", shown, what);
}

char *value_name_problem(const char *text)
{
    return value_is_name(text)
               ? NULL
               : value_about(text,
                             "is no name: a small letter, then at most 30 small letters, digits and dashes");
}

bool value_is_variable(const char *text)
{
    static const char inside[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    return (isalpha((unsigned char)text[0]) || text[0] == '_') && !text[strspn(text, inside)];
}

bool value_has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

char *value_path_problem(const char *text)
{
    if (!*text)
        return xstrdup("is empty");
    if (*text == '-')
        return value_about(text, "begins with '-', which programs would take for an option");
    return value_has_control(text) ? value_about(text, "holds a control character") : NULL;
}

char *value_word_problem(const char *text)
{
    char *problem = value_path_problem(text);
    if (!problem && strchr(text, ' '))
        problem = value_about(text, "holds a blank");
    return problem;
}

char *value_key_problem(const char *text)
{
    return value_path_problem(text);
}

char *value_python_problem(const char *text)
{
    if (text_is(text, "auto"))
        return NULL;
    return *text != '/' ? value_about(text, "is neither 'auto' nor an absolute path")
                        : value_word_problem(text);
}

static char *inventory_name_problem(const char *text, bool digit_first)
{
    static const char inside[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    bool first =
        isalpha((unsigned char)text[0]) || text[0] == '_' || (digit_first && isdigit((unsigned char)text[0]));
    if (!first || text[strspn(text, inside)])
        return value_about(text, "is no inventory name: letters, digits, '_', '.' and '-'");
    if (text_is(text, "all") || text_is(text, "ungrouped"))
        return value_about(text, "is a group that Ansible makes itself");
    return NULL;
}

char *value_host_name_problem(const char *text)
{
    return inventory_name_problem(text, true);
}

char *value_group_problem(const char *text)
{
    return inventory_name_problem(text, false);
}

char *value_environment_name_problem(const char *text)
{
    return value_is_variable(text) ? NULL : value_about(text, "is no name of an environment variable");
}

char *value_host_key_problem(const char *text)
{
    static const char base64[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/=";
    const char *blank = strchr(text, ' ');
    bool known = text_starts(text, "ssh-") || text_starts(text, "ecdsa-sha2-") || text_starts(text, "sk-");
    size_t length = blank ? strspn(blank + 1, base64) : 0;
    if (value_has_control(text) || !known || length < 16 || (blank[1 + length] && blank[1 + length] != ' '))
        return value_about(text, "is no public host key; write it like 'ssh-ed25519 AAAA...', as in "
                                 "/etc/ssh/ssh_host_ed25519_key.pub");
    return NULL;
}

char *value_root_problem(const char *text)
{
    static const char *const known[] = {"debian-12", "debian-11", "debian-13", "host", NULL};
    if (text_is_one_of(text, known))
        return NULL;
    char *problem = value_path_problem(text);
    if (!problem && !strchr(text, '/')) {
        AUTO_FREE char *instead = fault_instead(text, known);
        AUTO_FREE char *shown = text_shown(text);
        problem = xasprintf(
            "there is no root tree '%s'%s (a directory or a tar archive is written with a slash: ./%s)",
            shown, instead, shown);
    }
    return problem;
}

char *value_argument_problem(const char *text)
{
    static const struct {
        const char *name, *why;
    } refused[] = {
        {"--inventory", "triphase gives the inventory; use 'inventory' of triphase.yml"},
        {"--inventory-file", "triphase gives the inventory; use 'inventory' of triphase.yml"},
        {"--ask-pass", "nobody can answer a prompt; use 'key' or 'secrets'"},
        {"--ask-become-pass", "nobody can answer a prompt; use 'become_password'"},
        {"--ask-vault-password", "nobody can answer a prompt; use 'vault_passwords'"},
        {"--ask-vault-pass", "nobody can answer a prompt; use 'vault_passwords'"},
        {"--step", "nobody can answer a prompt"},
        {"--list-hosts", "it runs nothing"},
        {"--list-tasks", "it runs nothing"},
        {"--list-tags", "it runs nothing"},
        {"--syntax-check", "it runs nothing; 'triphase plan' checks the syntax"},
    };
    static const struct {
        char letter;
        const char *why;
    } letters[] = {
        {'i', "triphase gives the inventory; use 'inventory' of triphase.yml"},
        {'k', "nobody can answer a prompt; use 'key' or 'secrets'"},
        {'K', "nobody can answer a prompt; use 'become_password'"},
        {'J', "nobody can answer a prompt; use 'vault_passwords'"},
    };
    if (value_has_control(text))
        return value_about(text, "holds a control character");
    if (text_starts(text, "--")) {
        size_t length = strcspn(text, "=");
        /* Ansible takes a beginning of an option for the option. */
        for (size_t i = 0; length > 4 && i < COUNT_OF(refused); i++)
            if (strncmp(text, refused[i].name, length) == 0)
                return value_about(text, refused[i].why);
        return NULL;
    }
    /* Of joined short options the first that takes a value (-e -f -l -t -u …) ends the letters. */
    for (const char *at = text + 1; text[0] == '-' && *at && strchr("iKkJvbCDh", *at); at++)
        for (size_t i = 0; i < COUNT_OF(letters); i++)
            if (*at == letters[i].letter)
                return value_about(text, letters[i].why);
    return NULL;
}

char *value_variable_problem(const char *name)
{
    if (!value_is_variable(name))
        return value_about(name, "is no name of a variable: letters, digits and '_', no digit first");
    return text_starts(name, "triphase_") ? value_about(name, "is one of the names that triphase sets itself")
                                          : NULL;
}

char *value_vault_id_problem(const char *name)
{
    static const char inside[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    bool fine = isalnum((unsigned char)name[0]) && !name[strspn(name, inside)];
    return fine ? NULL : value_about(name, "is no vault id: letters, digits, '_', '.' and '-'");
}
