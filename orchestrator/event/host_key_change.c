#include "event/host_key_change.h"

#include "base/memory.h"
#include "base/text.h"

#include <string.h>
#include <strings.h>

/* A word that ssh itself would have put there: a host's banner stands in the same text, and what it says must
 * not be told as ssh's, nor become part of a command that is offered. */
static char *only_name(char *word)
{
    static const char of_names[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:%[]";
    if (word && *word && *word != '-' && !word[strspn(word, of_names)])
        return word;
    free(word);
    return NULL;
}

/* What stands between two texts on one line, a name, malloc'ed; NULL: they are not there. */
static char *between(const char *said, const char *before, const char *behind)
{
    const char *from = strstr(said, before);
    from = from ? from + strlen(before) : NULL;
    const char *to = from ? strstr(from, behind) : NULL;
    if (!to || memchr(from, '\n', (size_t)(to - from)))
        return NULL;
    return only_name(xstrndup(from, (size_t)(to - from)));
}

/* The name that ends at `end`, malloc'ed; NULL: none. */
static char *word_before(const char *end, const char *said)
{
    const char *begin = end;
    while (begin && begin > said && begin[-1] != ' ' && begin[-1] != '\n')
        begin--;
    if (!begin || begin == end)
        return NULL;
    return only_name(xstrndup(begin, (size_t)(end - begin)));
}

/* "ED25519 SHA256:…" of ssh's paragraph, malloc'ed; NULL: it is not told. */
static char *shown_key(const char *said)
{
    AUTO_FREE char *kind = between(said, "The fingerprint for the ", " key sent by the remote host is");
    const char *print = kind ? strstr(said, "key sent by the remote host is") : NULL;
    print = print ? strstr(print, "SHA256:") : NULL;
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return print ? xasprintf("%s SHA256:%.*s", kind, (int)strspn(print + strlen("SHA256:"), base64),
                             print + strlen("SHA256:"))
                 : NULL;
}

static char *text_of_change(const char *name, const char *target, bool own, const char *shown)
{
    AUTO_FREE char *which = shown ? xasprintf(": it shows %s, and another is known", shown) : xstrdup("");
    if (own)
        return xasprintf(
            "the host key of %s has changed%s\n"
            "'triphase trust %s' shows both fingerprints and takes the new one; look on the host itself "
            "first (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub there)",
            target, which, target);
    return xasprintf("the host key of %s, on the way to %s, has changed%s\n"
                     "'ssh-keygen -R %s' forgets the former one; look at the fingerprint on that host first",
                     name, target, which, name);
}

static char *text_of_unknown(const char *name, const char *kind, const char *target, bool own)
{
    if (own)
        return xasprintf(
            "the host key of %s is of a kind (%s) of which none is known\n"
            "'triphase trust %s' shows its fingerprint and takes it; look on the host itself first "
            "(ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub there)",
            target, kind, target);
    return xasprintf(
        "no %s host key of %s, on the way to %s, is known\n"
        "log in there once by hand ('ssh %s') and look at its fingerprint, or write its key into your "
        "known_hosts",
        kind, name, target, name);
}

static char *text_of_revoked(const char *name, const char *target, bool own)
{
    AUTO_FREE char *way = own ? NULL : xasprintf("%s, on the way to %s,", name, target);
    AUTO_FREE char *takes = own ? xasprintf(" ('triphase trust %s' takes it then)", target) : NULL;
    return xasprintf("the host key of %s is revoked by a line '@revoked' of a known_hosts\n"
                     "put another key on that host%s, or take that line out where it is wrong",
                     way ? way : target, takes ? takes : "");
}

/* The name under which triphase itself knows a machine's keys is no other host's. */
static bool is_own(const char *name, const char *known_as)
{
    return (known_as && !strcasecmp(name, known_as)) || text_starts(name, "triphase-");
}

char *host_key_change_text(const char *said, const char *target, const char *known_as, bool others)
{
    AUTO_FREE char *changed =
        between(said, "ost key for ", " has changed and you have requested strict checking");
    AUTO_FREE char *kind = word_before(strstr(said, " host key is known for "), said);
    AUTO_FREE char *unknown =
        between(said, " host key is known for ", " and you have requested strict checking");
    AUTO_FREE char *shown = shown_key(said);
    AUTO_FREE char *revoked =
        word_before(strstr(said, " was revoked and you have requested strict checking"), said);
    const char *name = revoked ? revoked : changed ? changed : kind ? unknown : NULL;
    bool own = name && is_own(name, known_as);
    if (!name || (!own && !others))
        return NULL;
    return revoked   ? text_of_revoked(revoked, target, own)
           : changed ? text_of_change(changed, target, own, shown)
                     : text_of_unknown(unknown, kind, target, own);
}

char *host_key_on_the_way_text(const char *target, const char *proxy)
{
    AUTO_TEXT shown = TEXT_INIT;
    text_add_printable(&shown, proxy, strlen(proxy));
    return xasprintf(
        "the host key of a host on the way to %s (%s) is not known: Host key verification failed\n"
        "log in there once by hand and look at its fingerprint, or write its key into your "
        "known_hosts",
        target, text_string(&shown));
}
