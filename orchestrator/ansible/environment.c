#include "ansible/environment.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "process/child.h"
#include "transport/ssh_options.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static bool is_usual(const char *entry)
{
    static const char *const names[] = {"PATH=", "HOME=", "USER=",   "LOGNAME=",       "SHELL=",
                                        "LANG=", "TZ=",   "TMPDIR=", "SSH_AUTH_SOCK=", NULL};
    static const char *const beginnings[] = {"LC_", "XDG_", "ANSIBLE_", NULL};
    static const char *const proxies[] = {"http_proxy=", "https_proxy=", "ftp_proxy=",
                                          "all_proxy=",  "no_proxy=",    NULL};
    for (const char *const *name = names; *name; name++)
        if (text_starts(entry, *name))
            return true;
    for (const char *const *beginning = beginnings; *beginning; beginning++)
        if (text_starts(entry, *beginning))
            return true;
    for (const char *const *proxy = proxies; *proxy; proxy++)
        if (!strncasecmp(entry, *proxy, strlen(*proxy)))
            return true;
    return false;
}

static bool names_entry(const char *name, const char *entry)
{
    size_t length = strlen(name);
    return !strncmp(entry, name, length) && entry[length] == '=';
}

/* Whether the C library knows this locale and it is a UTF-8 one: Ansible refuses to start otherwise. */
static bool is_utf8_locale(const char *name)
{
    locale_t locale = name && *name ? newlocale(LC_CTYPE_MASK, name, (locale_t)0) : (locale_t)0;
    if (!locale)
        return false;
    bool utf8 = text_is(nl_langinfo_l(CODESET, locale), "UTF-8");
    freelocale(locale);
    return utf8;
}

void ansible_environment(const struct target *target, const struct ansible_settings *settings,
                         const char *const *environment, struct words *out)
{
    if (!environment)
        environment = (const char *const *)environ;
    for (const char *const *entry = environment; *entry; entry++) {
        bool wanted = is_usual(*entry);
        for (size_t i = 0; i < target->env.count; i++)
            wanted = wanted || names_entry(target->env.items[i], *entry);
        /* Of async jobs the inventory says where they are kept (run/async_directory.h). */
        if (wanted && !text_starts(*entry, "TRIPHASE_") && !text_starts(*entry, "ANSIBLE_ASYNC_DIR=") &&
            !child_keeps_back(*entry))
            words_add(out, *entry);
    }
    if (!words_env(out, "PATH"))
        words_set_env(out, "PATH", FILE_USUAL_PATH);
    const char *locale = words_env(out, "LC_ALL");
    if (!locale || !*locale)
        locale = words_env(out, "LC_CTYPE");
    if (!locale || !*locale)
        locale = words_env(out, "LANG");
    if (!is_utf8_locale(locale))
        words_set_env(out, "LC_ALL", "C.UTF-8");
    /* Ansible passes over an ansible.cfg in a folder that others may write, unless it is named. */
    if (settings->config_is_projects)
        words_set_env(out, "ANSIBLE_CONFIG", settings->config);
    if (!settings->of[SETTING_PIPELINING].value)
        words_set_env(out, "ANSIBLE_PIPELINING", "True");
    if (!settings->of[SETTING_TIMEOUT].value)
        words_set_env(out, "ANSIBLE_TIMEOUT", "10");
    /* Nobody is there to answer. */
    words_set_env(out, "ANSIBLE_ASK_PASS", "False");
    words_set_env(out, "ANSIBLE_BECOME_ASK_PASS", "False");
    words_set_env(out, "ANSIBLE_ASK_VAULT_PASS", "False");
    words_set_env(out, "ANSIBLE_SSH_RETRIES", "0");
}

void ansible_environment_add_ssh(const struct ansible_settings *settings, int64_t host_silent_ns,
                                 const char *control_directory, struct words *out)
{
    const char *ssh_args = settings->of[SETTING_SSH_ARGS].value;
    AUTO_FREE char *arguments =
        xasprintf("-o ServerAliveInterval=%d -o ServerAliveCountMax=%d %s", SSH_ALIVE_INTERVAL,
                  ssh_alive_count(host_silent_ns),
                  ssh_args ? ssh_args : "-C -o ControlMaster=auto -o ControlPersist=60s");
    words_set_env(out, "ANSIBLE_SSH_ARGS", arguments);
    if (control_directory)
        words_set_env(out, "ANSIBLE_SSH_CONTROL_PATH_DIR", control_directory);
}
