#include "data/redact_sealed.h"

#include "base/memory.h"

#include <string.h>
#include <unistd.h>

enum { DESCRIPTOR_MOST = 1 << 20, DEPTH_MOST = 64 };

/* {"__ansible_unsafe": VALUE} anywhere: how a secret is handed to Ansible. How many there were. */
static size_t add_marked(struct redact_rules *rules, const struct json *value, int depth)
{
    const char *key;
    struct json *member;
    size_t count = 0;
    for (void *at = NULL;
         depth < DEPTH_MOST && json_is_object(value) && json_each(value, &at, &key, &member);) {
        const char *string = text_is(key, "__ansible_unsafe") ? json_string(member, NULL) : NULL;
        if (string)
            redact_rules_add(rules, "secret", string, strlen(string));
        count += (string != NULL) + add_marked(rules, member, depth + 1);
    }
    return count;
}

void redact_sealed_add(struct redact_rules *rules, int fd)
{
    char *bytes = xmalloc(DESCRIPTOR_MOST);
    size_t have = 0;
    for (ssize_t got;
         have < DESCRIPTOR_MOST && (got = pread(fd, bytes + have, DESCRIPTOR_MOST - have, (off_t)have)) > 0;)
        have += (size_t)got;
    AUTO_JSON *json = json_parse(bytes, have, NULL);
    if (!add_marked(rules, json, 0))
        redact_rules_add(rules, "secret", bytes, have);
    free_secret(bytes, DESCRIPTOR_MOST);
}
