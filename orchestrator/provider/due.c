#include "provider/due.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#define APART_MOST (600 * NS_PER_S)

int64_t due_now(int64_t provider_ns, int64_t own_ns, int64_t *ahead_ns)
{
    int64_t ahead = provider_ns ? provider_ns - own_ns : 0;
    *ahead_ns = ahead > APART_MOST || ahead < -APART_MOST ? ahead : 0;
    return !provider_ns || *ahead_ns > 0 ? own_ns : provider_ns;
}

char *due_expiry(int64_t expires_ns, int64_t now_ns)
{
    if (!expires_ns)
        return xstrdup("never expires");
    bool past = expires_ns <= now_ns;
    AUTO_FREE char *by = duration_rough(past ? now_ns - expires_ns : expires_ns - now_ns);
    return past ? xasprintf("expired %s ago", by) : xasprintf("expires in %s", by);
}

static enum due stay(char **why, char *because)
{
    *why = because;
    return DUE_STAYS;
}

enum due due_decide(const struct due_case *of, char **why)
{
    const struct listed *listed = of->listed;
    bool known = of->machine, ours = known || (of->project_id && text_is(listed->project_id, of->project_id));
    if (!ours) {
        AUTO_FREE char *when = listed->expires_ns ? due_expiry(listed->expires_ns, of->now_ns) : NULL;
        *why = xasprintf("%s%s%s", listed->project_id ? "another project's" : "nobody said whose it is",
                         when ? ", " : "", when ? when : "");
        return DUE_FOREIGN;
    }
    /* Of a known one the row counts: a run that is over has given back the time that it had put off. */
    int64_t expires = known ? of->machine->expires_ns : listed->expires_ns;
    AUTO_FREE char *expiry = due_expiry(expires, of->now_ns);
    bool unlisted = known && of->asked && !listed, ageless = !known && !expires;
    AUTO_FREE char *when = xasprintf("%s%s%s", expiry, unlisted ? "; its provider does not list it" : "",
                                     ageless ? "; remove it by its provider's own means" : "");
    const char *unknown = known ? "" : "no row of this store knows it: ";
    if (!expires || expires > of->now_ns)
        return stay(why, xasprintf("%s%s", unknown, when));
    if (of->protected)
        return stay(why, xasprintf("%s%s, but its target is protected", unknown, when));
    if (listed && listed->kept_by)
        return stay(why, xasprintf("%s%s, but %s", unknown, when, listed->kept_by));
    if (of->busy)
        return stay(why, xasprintf("%s%s, but %s is at work on it", unknown, when, of->busy));
    if (of->unasked)
        return stay(why, xasprintf("%s, but its provider could not be asked", when));
    if (!known && of->irremovable)
        return stay(why,
                    xasprintf("%s%s, but its provider removes nothing that no store knows", unknown, when));
    *why = xasprintf("%s%s", unknown, when);
    return DUE_GOES;
}
