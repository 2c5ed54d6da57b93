#include "config/ssh_rules.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/text_rules.h"

#include <string.h>
#include <strings.h>

#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

const struct ssh_option_rule ssh_option_rules[] = {
    {"ControlPath", "", SSH_OPTION_NEVER},
    {"ControlMaster", "", SSH_OPTION_NEVER},
    {"ControlPersist", "", SSH_OPTION_NEVER},
    {"ServerAliveInterval", "see 'host_silent' of a phase", SSH_OPTION_NEVER},
    {"ServerAliveCountMax", "see 'host_silent' of a phase", SSH_OPTION_NEVER},
    {"ProxyCommand", "use 'transport' or 'jump'", SSH_OPTION_NEVER},
    {"ProxyUseFdpass", "", SSH_OPTION_NEVER},
    {"ProxyJump", "use 'jump'", SSH_OPTION_NEVER},
    {"UserKnownHostsFile", "use 'host_keys'", SSH_OPTION_NEVER},
    {"GlobalKnownHostsFile", "use 'host_keys'", SSH_OPTION_NEVER},
    {"KnownHostsCommand", "use 'host_keys'", SSH_OPTION_NEVER},
    {"HostKeyAlias", "use 'host_keys'", SSH_OPTION_NEVER},
    {"StrictHostKeyChecking", "use 'host_keys'", SSH_OPTION_NEVER},
    {"NoHostAuthenticationForLocalhost", "use 'host_keys'", SSH_OPTION_NEVER},
    {"VerifyHostKeyDNS", "use 'host_keys'", SSH_OPTION_NEVER},
    {"UpdateHostKeys", "use 'host_keys'", SSH_OPTION_NEVER},
    {"CheckHostIP", "use 'host_keys'", SSH_OPTION_NEVER},
    {"BatchMode", "", SSH_OPTION_NEVER},
    {"HostName", "use 'address'", SSH_OPTION_NEVER},
    {"Port", "use 'port'", SSH_OPTION_NEVER},
    {"User", "use 'user'", SSH_OPTION_NEVER},
    {"IdentityFile", "use 'key'", SSH_OPTION_NEVER},
    {"IdentityFile2", "use 'key'", SSH_OPTION_NEVER}, /* its name of old, which ssh still takes */
    {"IdentitiesOnly", "use 'key'", SSH_OPTION_NEVER},
    {"RemoteCommand", "", SSH_OPTION_NEVER},
    {"RequestTTY", "", SSH_OPTION_NEVER},
    {"SessionType", "", SSH_OPTION_NEVER},
    {"StdinNull", "", SSH_OPTION_NEVER},
    {"ForkAfterAuthentication", "", SSH_OPTION_NEVER},
    {"Host", "", SSH_OPTION_NEVER},
    {"Match", "", SSH_OPTION_NEVER},
    {"Include", "", SSH_OPTION_NEVER},
    {"IdentityAgent", "", SSH_OPTION_NOT_BESIDE_AGENT},
    {"ForwardAgent", "", SSH_OPTION_NOT_BESIDE_AGENT},
};
const size_t ssh_option_rule_count = COUNT_OF(ssh_option_rules);

/* NULL where only letters, digits and those of `others` stand in it. */
static char *others_problem(const char *text, const char *others, const char *what)
{
    for (const char *c = text; *c; c++)
        if (!strchr(LETTERS_AND_DIGITS, *c) && !strchr(others, *c))
            return value_about(text, what);
    return NULL;
}

char *ssh_rules_address_problem(const char *text)
{
    char *problem = value_word_problem(text);
    /* % only as the zone of an IPv6 address. */
    return problem ? problem
                   : others_problem(text, strchr(text, ':') ? "._:-%" : "._-",
                                    "is no host name or address: letters, digits, '.', '-', '_' and ':'");
}

char *ssh_rules_user_problem(const char *text)
{
    char *problem = value_word_problem(text);
    if (!problem && strpbrk(text, "'\"`\\;&<>|(){}$%"))
        problem = value_about(text, "has characters that no user name has");
    return problem;
}

char *ssh_rules_jump_problem(const char *text)
{
    char *problem = value_word_problem(text);
    /* No part may look like an option either. */
    for (const char *at = text; !problem && *at; at++)
        if ((*at == ',' || *at == '@' || *at == '/') && at[1] == '-')
            problem =
                value_about(text, "has a part that begins with '-', which ssh would take for an option");
    return problem ? problem
                   : others_problem(text, "._:@,[]/-", "is no list like user@host:port,user@host:port");
}

char *ssh_rules_option_problem_of(const char *text, bool beside_agent)
{
    size_t length = strspn(text, LETTERS_AND_DIGITS);
    if (!length || text[length] != '=' || !text[length + 1])
        return value_about(text, "is no ssh option; write it as Name=value");
    if (value_has_control(text))
        return value_about(text, "holds a control character");
    for (size_t i = 0; i < ssh_option_rule_count; i++) {
        const struct ssh_option_rule *rule = &ssh_option_rules[i];
        if (strlen(rule->name) != length || strncasecmp(text, rule->name, length) != 0)
            continue;
        if (rule->bar == SSH_OPTION_NEVER)
            return xasprintf("the ssh option %s is triphase's own and cannot be set%s%s", rule->name,
                             *rule->instead ? "; " : "", rule->instead);
        if (beside_agent)
            return xasprintf("ssh_options may not hold %s beside key_passphrase: the key is in an agent of"
                             " triphase's own, which is forwarded to no host",
                             rule->name);
    }
    return NULL;
}

char *ssh_rules_option_problem(const char *text)
{
    return ssh_rules_option_problem_of(text, false);
}
