#include "base/facts.h"

#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"

const char *fact_state_name(enum fact_state state)
{
    static const char *const names[] = {"ok", "warning", "missing"};
    return names[state];
}

void facts_add(struct facts *facts, const char *name, enum fact_state state, char *what, const char *mend,
               const char *package)
{
    facts->items = xreallocarray(facts->items, facts->count + 1, sizeof *facts->items);
    facts->items[facts->count++] =
        (struct fact){xstrdup(name), state, what, xstrdup_or_null(mend), xstrdup_or_null(package)};
}

void facts_clear(struct facts *facts)
{
    for (size_t i = 0; i < facts->count; i++) {
        free(facts->items[i].name);
        free(facts->items[i].what);
        free(facts->items[i].mend);
        free(facts->items[i].package);
    }
    free(facts->items);
    *facts = (struct facts){NULL, 0};
}

bool facts_have_missing(const struct facts *facts)
{
    for (size_t i = 0; i < facts->count; i++)
        if (facts->items[i].state == FACT_MISSING)
            return true;
    return false;
}

char *facts_install_line(const struct facts *facts)
{
    AUTO_WORDS packages = WORDS_INIT;
    AUTO_TEXT line = TEXT_INIT;
    for (size_t i = 0; i < facts->count; i++)
        if (facts->items[i].state == FACT_MISSING && facts->items[i].package &&
            !words_have(&packages, facts->items[i].package))
            words_add(&packages, facts->items[i].package);
    if (!packages.count)
        return NULL;
    text_add(&line, "apt-get install -y");
    for (size_t i = 0; i < packages.count; i++)
        text_addf(&line, " %s", packages.items[i]);
    return text_take(&line);
}
