#include "playbook/variables.h"

#include "base/memory.h"
#include "base/text.h"

#include <ctype.h>
#include <string.h>

static const char *past_blanks(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* The quoted text that begins here, malloc'ed, `at` moved behind it; NULL: none does. */
static char *quoted(const char **at)
{
    if (**at != '\'' && **at != '"')
        return NULL;
    const char *end = strchr(*at + 1, **at);
    if (!end)
        return NULL;
    char *text = xstrndup(*at + 1, (size_t)(end - *at - 1));
    *at = end + 1;
    return text;
}

static bool is_name(const char *text)
{
    if (!isalpha((unsigned char)*text) && *text != '_')
        return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && *text != '_')
            return false;
    return true;
}

/* What stands behind "lookup". */
static void of_call(const char *at, struct words *out)
{
    at = past_blanks(at);
    if (*at != '(')
        return;
    at = past_blanks(at + 1);
    AUTO_FREE char *plugin = quoted(&at);
    if (!text_is(plugin, "env") && !text_is(plugin, "ansible.builtin.env"))
        return;
    for (at = past_blanks(at); *at == ','; at = past_blanks(at)) {
        at = past_blanks(at + 1);
        AUTO_FREE char *name = quoted(&at);
        if (!name)
            return;
        if (is_name(name) && !words_have(out, name))
            words_add(out, name);
    }
}

void variables_find(const char *word, struct words *out)
{
    static const char *const calls[] = {"lookup", "query", "q"};
    if (!strstr(word, "env"))
        return;
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        size_t length = strlen(calls[i]);
        for (const char *at = word; (at = strstr(at, calls[i])); at += length)
            if (at == word || (!isalnum((unsigned char)at[-1]) && at[-1] != '_'))
                of_call(at + length, out);
    }
}

void variables_find_in_facts(const char *word, struct words *out)
{
    static const char *const facts[] = {"ansible_env", "ansible_facts.env", "ansible_facts['env']"};
    for (size_t i = 0; i < COUNT_OF(facts); i++)
        for (const char *at = word; (at = strstr(at, facts[i]));) {
            at += strlen(facts[i]);
            const char *name = at + 1;
            AUTO_FREE char *key = *at == '[' ? quoted(&name) : NULL;
            size_t length = 0;
            while (*at == '.' && (isalnum((unsigned char)at[1 + length]) || at[1 + length] == '_'))
                length++;
            if (*at == '.')
                key = xstrndup(at + 1, length);
            if (key && is_name(key) && !words_have(out, key))
                words_add(out, key);
        }
}
