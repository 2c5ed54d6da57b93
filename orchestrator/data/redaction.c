#include "data/redaction.h"

#include "base/memory.h"
#include "mechanism/json.h"

#include <regex.h>
#include <string.h>
#include <unistd.h>

enum { VALUE_LEAST = 4, DESCRIPTOR_MOST = 1 << 20, DEPTH_MOST = 64 };

/* The first group stays, the rest of the match goes. */
#define NAME \
    "[[:alnum:]_.-]*(passw|passphrase|secret|token|credential|api[_-]?key|private[_-]?key)[[:alnum:]_.-]*"
static const char *const shapes[] = {
    "(" NAME "[\"']?[[:space:]]*[=:][[:space:]]*[\"']?)[^][:space:]\"',}]+",
    "(--" NAME "[[:space:]]+)[^[:space:]]+",
    "((^|[[:space:]])(-e|--extra-vars)[[:space:]=]+)[^@[:space:]-][^[:space:]]*",
    "(://[^/:@[:space:]]*:)[^/@[:space:]]+",
    "((bearer|basic)[[:space:]]+)[[:alnum:]+/=._~-]{8,}",
    "(-----BEGIN[A-Z ]* PRIVATE KEY-----).*",
};

struct redaction {
    struct secret_value {
        char *bytes;
        size_t length;
    } * values;
    size_t count;
    regex_t shapes[COUNT_OF(shapes)];
};

struct redaction *redaction_new(void)
{
    struct redaction *redaction = xcalloc(1, sizeof *redaction);
    for (size_t i = 0; i < COUNT_OF(shapes); i++)
        if (regcomp(&redaction->shapes[i], shapes[i], REG_EXTENDED | REG_ICASE) != 0)
            abort();
    return redaction;
}

void redaction_free(struct redaction *redaction)
{
    if (!redaction)
        return;
    for (size_t i = 0; i < redaction->count; i++)
        free_secret(redaction->values[i].bytes, redaction->values[i].length);
    for (size_t i = 0; i < COUNT_OF(shapes); i++)
        regfree(&redaction->shapes[i]);
    free(redaction->values);
    free(redaction);
}

void redaction_learn(struct redaction *redaction, const char *value, size_t length)
{
    if (length < VALUE_LEAST)
        return;
    redaction->values = xreallocarray(redaction->values, redaction->count + 1, sizeof *redaction->values);
    redaction->values[redaction->count].bytes = xstrndup(value, length);
    redaction->values[redaction->count++].length = length;
}

/* {"__ansible_unsafe": VALUE} anywhere: how a secret is handed to Ansible. */
static size_t learn_unsafe(struct redaction *redaction, const struct json *value, int depth)
{
    const char *key;
    struct json *member;
    size_t count = 0;
    for (void *at = NULL;
         depth < DEPTH_MOST && json_is_object(value) && json_each(value, &at, &key, &member);) {
        const char *string = text_is(key, "__ansible_unsafe") ? json_string(member, NULL) : NULL;
        if (string)
            redaction_learn(redaction, string, strlen(string));
        count += (string != NULL) + learn_unsafe(redaction, member, depth + 1);
    }
    return count;
}

void redaction_learn_descriptor(struct redaction *redaction, int fd)
{
    char *bytes = xmalloc(DESCRIPTOR_MOST);
    size_t have = 0;
    for (ssize_t got;
         have < DESCRIPTOR_MOST && (got = pread(fd, bytes + have, DESCRIPTOR_MOST - have, (off_t)have)) > 0;)
        have += (size_t)got;
    AUTO_JSON *json = json_parse(bytes, have, NULL);
    if (!learn_unsafe(redaction, json, 0))
        redaction_learn(redaction, bytes, have);
    free_secret(bytes, DESCRIPTOR_MOST);
}

static char *without_values(const struct redaction *redaction, const char *string)
{
    AUTO_TEXT out = TEXT_INIT;
    while (*string) {
        size_t longest = 0;
        for (size_t i = 0; i < redaction->count; i++) {
            const struct secret_value *value = &redaction->values[i];
            if (value->length > longest && strncmp(string, value->bytes, value->length) == 0)
                longest = value->length;
        }
        if (longest)
            text_add(&out, "***");
        else
            text_add_char(&out, *string);
        string += longest ? longest : 1;
    }
    return text_take(&out);
}

static char *without_shape(const regex_t *shape, const char *string)
{
    AUTO_TEXT out = TEXT_INIT;
    regmatch_t match[2];
    for (int flags = 0; regexec(shape, string, COUNT_OF(match), match, flags) == 0; flags = REG_NOTBOL) {
        text_add_bytes(&out, string, (size_t)match[1].rm_eo);
        text_add(&out, "***");
        string += match[0].rm_eo;
    }
    text_add(&out, string);
    return text_take(&out);
}

void redaction_add(const struct redaction *redaction, const char *string, struct text *out)
{
    char *left = without_values(redaction, string);
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        char *less = without_shape(&redaction->shapes[i], left);
        free(left);
        left = less;
    }
    text_add(out, left);
    free(left);
}
