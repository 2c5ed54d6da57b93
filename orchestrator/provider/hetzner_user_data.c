#include "provider/hetzner_user_data.h"

#include "base/memory.h"
#include "base/text.h"

#include <string.h>

/* cloud-init/handlers/__init__.py, INCLUSION_TYPES_MAP; of two that fit the longer one comes first. */
static const struct {
    const char *begin, *type;
} types[] = {
    {"#include-once", "text/x-include-once-url"},
    {"#include", "text/x-include-url"},
    {"#cloud-config-archive", "text/cloud-config-archive"},
    {"#cloud-config-jsonp", "text/cloud-config-jsonp"},
    {"#cloud-config", "text/cloud-config"},
    {"#cloud-boothook", "text/cloud-boothook"},
    {"#part-handler", "text/part-handler"},
    {"#upstart-job", "text/upstart-job"},
    {"#!", "text/x-shellscript"},
    {"## template: jinja", "text/jinja2"},
};

static const char *type_of(const char *content)
{
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (text_starts(content, types[i].begin))
            return types[i].type;
    return NULL;
}

/* A message of its own stands as it is within ours. */
static bool is_message(const char *content)
{
    return text_starts(content, "Content-Type:") || text_starts(content, "MIME-Version:");
}

/* Whether cloud-init would read it: by its first line, as cloud-init itself tells. */
static bool is_cloud_init(const char *content)
{
    return type_of(content) || is_message(content);
}

/* A boothook, not cloud-config: it runs before sshd starts, and of two parts of cloud-config only the first's
 * lists would count. It runs at each boot, and does its work at the first. */
static const char hook[] =
    "#!/bin/sh\n"
    "# triphase: a host key that counts until the host's own were read over it, and is then taken away.\n"
    "mark=/var/lib/cloud/instance/triphase-host-key\n"
    "[ -e \"$mark\" ] && exit 0\n"
    "umask 077\n"
    "cat >" HETZNER_FIRST_KEY " <<'TRIPHASE'\n"
    "%s"
    "TRIPHASE\n"
    "if [ -d /etc/ssh/sshd_config.d ]; then\n"
    "    echo 'HostKey " HETZNER_FIRST_KEY "' >" HETZNER_FIRST_SETTING "\n"
    "else\n"
    "    sed -i '1i HostKey " HETZNER_FIRST_KEY "' /etc/ssh/sshd_config\n"
    "fi\n"
    "# Where sshd runs already; else nothing.\n"
    "systemctl --no-block try-reload-or-restart ssh.service sshd.service 2>/dev/null\n"
    ": >\"$mark\"\n";

/* While cloud-init may still make the host's keys anew, it says so with 75. The throw-away key's lines
 * become as many x in cloud-init's copies: one of them is a pickle, which knows lengths. Once it is gone
 * there is nothing more to do. */
const char hetzner_user_data_collect[] =
    "set -e; umask 077; export LC_ALL=C; key=" HETZNER_FIRST_KEY "; "
    "! grep -Eqs '\"stage\": \"init(-local)?\"' /run/cloud-init/status.json || exit 75; "
    "cat /etc/ssh/ssh_host_*_key.pub; test -e $key || exit 0; "
    "awk '!/-----/ { print >\"'$key.lines'\"; line = $0; gsub(/./, \"x\"); "
    "print \"s|\" line \"|\" $0 \"|g\" }' $key >$key.sed; "
    "grep -rlFZ -f $key.lines /var/lib/cloud /run/cloud-init | xargs -0r sed -i -f $key.sed; "
    "rm -f " HETZNER_FIRST_SETTING "; "
    "if grep -q \"^HostKey $key\\$\" /etc/ssh/sshd_config; then "
    "sed -i \"\\|^HostKey $key\\$|d\" /etc/ssh/sshd_config; fi; "
    "systemctl reload ssh.service 2>/dev/null || systemctl reload sshd.service 2>/dev/null || "
    "kill -HUP \"$(cat /run/sshd.pid)\"; "
    "rm -f $key $key.lines $key.sed";

static void add_part(struct text *out, const char *boundary, const char *type, const char *content)
{
    text_addf(out, "--%s\n", boundary);
    if (type)
        text_addf(out,
                  "Content-Type: %s; charset=\"utf-8\"\nMIME-Version: 1.0\n"
                  "Content-Transfer-Encoding: 8bit\n\n",
                  type);
    /* The last end of line belongs to what follows, not to the content. */
    text_addf(out, "%s\n", content);
}

static char *message_of(const char *first_key, const char *users)
{
    AUTO_TEXT out = TEXT_INIT;
    AUTO_FREE char *boundary = NULL, *ours = xasprintf(hook, first_key);
    for (int i = 0; !boundary || (users && strstr(users, boundary)); i++) {
        free(boundary);
        boundary = xasprintf("triphase-part-%d", i);
    }
    text_addf(&out, "Content-Type: multipart/mixed; boundary=\"%s\"\nMIME-Version: 1.0\n\n", boundary);
    add_part(&out, boundary, "text/cloud-boothook", ours);
    if (users)
        add_part(&out, boundary, type_of(users), users);
    text_addf(&out, "--%s--\n", boundary);
    return text_take(&out);
}

int hetzner_user_data_make(const char *first_key, const char *users, const char *path, char **out,
                           struct error *err)
{
    if (users && !text_is_utf8(users, strlen(users)))
        return error_set(err, ERROR_PROJECT, "user_data: %s is not UTF-8 text, and the cloud takes no other",
                         path);
    if (first_key && users && !is_cloud_init(users))
        return error_set(err, ERROR_PROJECT,
                         "user_data: %s begins with no line that cloud-init knows (#cloud-config, #!, …), so "
                         "it is sent alone, and triphase cannot learn the host's keys by it: give them with "
                         "host_keys, or say host_keys: accept-new",
                         path);
    AUTO_FREE char *made = first_key ? message_of(first_key, users) : xstrdup_or_null(users);
    if (made && strlen(made) > HETZNER_USER_DATA_MOST)
        return error_set(err, ERROR_PROJECT,
                         "user_data: %s has %zu bytes with triphase's part, and the cloud takes %d: let it "
                         "fetch what is large (#include)",
                         path, strlen(made), (int)HETZNER_USER_DATA_MOST);
    *out = TAKE(made);
    return 0;
}
