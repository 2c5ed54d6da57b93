#include "preflight/cloud_facts.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/provider_facts.h"
#include "net/http.h"

/* Where it is read from, in the words of triphase.yml. malloc'ed. */
static char *source_of(const struct secret *secret)
{
    AUTO_FREE char *words = words_join(&secret->command, " ");
    switch (secret->kind) {
    case SECRET_ENV:
        return xasprintf("env: %s", secret->where);
    case SECRET_FILE:
        return xasprintf("file: %s", secret->where);
    case SECRET_COMMAND:
        return xasprintf("command: %s", words);
    case SECRET_FD:
        return xasprintf("fd: %d", secret->fd);
    case SECRET_NONE:
        break;
    }
    return xstrdup("nowhere");
}

static void add_token(const struct project *project, const struct target *target, const char *source,
                      const struct error *no_library, struct facts *out)
{
    AUTO_FREE char *name = xasprintf("cloud %s", target->name);
    AUTO_ERROR why = ERROR_INIT;
    if (secret_check(&target->cloud.token, project->directory, &why) < 0)
        facts_add(out, name, FACT_MISSING,
                  xasprintf("there is no token for %s: %s", target->cloud.endpoint, error_text(&why)),
                  "export HCLOUD_TOKEN=…, or: triphase config set --user providers.hetzner.token '{file: "
                  "~/hcloud.token}'",
                  NULL);
    else if (no_library->kind != ERROR_NONE)
        facts_add(out, name, FACT_MISSING,
                  xasprintf("a token is there (%s), but %s cannot be asked: %s", source,
                            target->cloud.endpoint, error_text(no_library)),
                  "apt-get install -y libcurl4", NULL);
    else
        facts_add(out, name, FACT_OK,
                  xasprintf("a token is there (%s), and libcurl; whether %s takes it says 'triphase plan "
                            "--contact'",
                            source, target->cloud.endpoint),
                  NULL, NULL);
}

void cloud_facts_add(const struct project *project, struct facts *out)
{
    AUTO_WORDS seen = WORDS_INIT;
    for (size_t i = 0; project && i < project->target_count; i++) {
        const struct target *target = &project->targets[i];
        if (!provider_facts(target->provider)->cloud)
            continue;
        AUTO_FREE char *source = source_of(&target->cloud.token);
        AUTO_FREE char *account = xasprintf("%s %s", target->cloud.endpoint, source);
        if (words_have(&seen, account))
            continue;
        words_add(&seen, account);
        AUTO_ERROR no_library = ERROR_INIT;
        (void)http_load(&no_library);
        add_token(project, target, source, &no_library, out);
    }
}
