#include "ansible/arguments.h"
#include "base/digest.h"
#include "base/memory.h"
#include "base/text.h"

#include <string.h>

enum treatment { FINE, PARTIAL, CHECK, EXTRA, INVENTORY, PROMPT, CONNECTION, LISTING, VAULT_ID };

/* ansible-playbook's options, 2.14 to 2.21 together. */
static const struct option {
    const char *name;
    char letter;
    bool takes_value;
    enum treatment treatment;
} options[] = {
    {"--ask-become-pass", 'K', false, PROMPT},
    {"--ask-pass", 'k', false, PROMPT},
    {"--ask-vault-pass", 'J', false, PROMPT},
    {"--ask-vault-password", 0, false, PROMPT},
    {"--become", 'b', false, FINE},
    {"--become-method", 0, true, FINE},
    {"--become-pass-file", 0, true, FINE},
    {"--become-password-file", 0, true, FINE},
    {"--become-user", 0, true, FINE},
    {"--check", 'C', false, CHECK},
    {"--conn-pass-file", 0, true, CONNECTION},
    {"--connection", 'c', true, CONNECTION},
    {"--connection-password-file", 0, true, CONNECTION},
    {"--diff", 'D', false, FINE},
    {"--extra-vars", 'e', true, EXTRA},
    {"--flush-cache", 0, false, FINE},
    {"--force-handlers", 0, false, FINE},
    {"--forks", 'f', true, FINE},
    {"--help", 'h', false, LISTING},
    {"--inventory", 'i', true, INVENTORY},
    {"--inventory-file", 0, true, INVENTORY},
    {"--key-file", 0, true, CONNECTION},
    {"--limit", 'l', true, PARTIAL},
    {"--list-hosts", 0, false, LISTING},
    {"--list-tags", 0, false, LISTING},
    {"--list-tasks", 0, false, LISTING},
    {"--module-path", 'M', true, FINE},
    {"--private-key", 0, true, CONNECTION},
    {"--scp-extra-args", 0, true, CONNECTION},
    {"--sftp-extra-args", 0, true, CONNECTION},
    {"--skip-tags", 0, true, PARTIAL},
    {"--ssh-common-args", 0, true, CONNECTION},
    {"--ssh-extra-args", 0, true, CONNECTION},
    {"--start-at-task", 0, true, PARTIAL},
    {"--step", 0, false, PROMPT},
    {"--syntax-check", 0, false, LISTING},
    {"--tags", 't', true, PARTIAL},
    {"--timeout", 'T', true, FINE},
    {"--user", 'u', true, CONNECTION},
    {"--vault-id", 0, true, VAULT_ID},
    {"--vault-pass-file", 0, true, FINE},
    {"--vault-password-file", 0, true, FINE},
    {"--verbose", 'v', false, FINE},
    {"--version", 0, false, LISTING},
};

static int unknown(const char *word, struct error *err)
{
    const char *names[COUNT_OF(options) + 1] = {NULL};
    for (size_t i = 0; i < COUNT_OF(options); i++)
        names[i] = options[i].name;
    const char *nearest = text_nearest(word, names);
    return error_set(err, ERROR_USAGE, "ansible-playbook has no option '%s'%s%s%s", word,
                     nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

/* As Python's argparse finds it: by its name, or by a beginning that no other shares. */
static const struct option *find_long(const char *word, size_t length, struct error *err)
{
    const struct option *found = NULL;
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (strncmp(options[i].name, word, length) != 0)
            continue;
        if (!options[i].name[length])
            return &options[i];
        if (found) {
            error_set(err, ERROR_USAGE, "'%.*s' can mean %s or %s", (int)length, word, found->name,
                      options[i].name);
            return NULL;
        }
        found = &options[i];
    }
    if (!found) {
        AUTO_FREE char *name = xstrndup(word, length);
        unknown(name, err);
    }
    return found;
}

static const struct option *find_letter(char letter, struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(options); i++)
        if (options[i].letter == letter)
            return &options[i];
    char word[] = {'-', letter, '\0'};
    unknown(word, err);
    return NULL;
}

static int take(const struct option *option, const char *value, struct ansible_arguments *out,
                struct error *err)
{
    switch (option->treatment) {
    case FINE:
        return 0;
    case PARTIAL:
        out->partial = true;
        return 0;
    case CHECK:
        out->partial = out->check = true;
        return 0;
    case EXTRA:
        words_add(&out->extra, value);
        return 0;
    case VAULT_ID:
        if (text_is(value, "prompt") || text_ends(value, "@prompt"))
            return error_set(
                err, ERROR_USAGE,
                "%s %s would ask, and nobody answers a supervised phase; use the target's vault_passwords",
                option->name, value);
        return 0;
    case INVENTORY:
        return error_set(
            err, ERROR_USAGE,
            "%s is refused: triphase renders the inventory; name your own under 'inventory:' in triphase.yml",
            option->name);
    case PROMPT:
        return error_set(err, ERROR_USAGE,
                         "%s would ask, and nobody answers a supervised phase; use the target's "
                         "become_password, key or vault_passwords",
                         option->name);
    case CONNECTION:
        return error_set(err, ERROR_USAGE,
                         "%s is refused: how the host is reached is the target's user, key, jump and "
                         "ssh_options in triphase.yml",
                         option->name);
    case LISTING:
        return error_set(err, ERROR_USAGE,
                         "%s runs nothing; call ansible-playbook itself with 'triphase inventory TARGET'",
                         option->name);
    }
    return 0;
}

/* One word that begins with two dashes; `next` is the word behind it, `used` says that it was its value. */
static int take_long(const char *word, const char *next, bool *used, struct ansible_arguments *out,
                     struct error *err)
{
    size_t length = strcspn(word, "=");
    const struct option *option = find_long(word, length, err);
    if (!option)
        return -1;
    const char *value = word[length] ? word + length + 1 : NULL;
    if (!option->takes_value && value)
        return error_set(err, ERROR_USAGE, "%s takes no value", option->name);
    if (option->takes_value && !value) {
        value = next;
        *used = true;
    }
    if (option->takes_value && !value)
        return error_set(err, ERROR_USAGE, "%s needs a value", option->name);
    return take(option, value, out, err);
}

/* One word of letters: -vvv, -CD, -f5, -e @file. */
static int take_letters(const char *word, const char *next, bool *used, struct ansible_arguments *out,
                        struct error *err)
{
    for (const char *letter = word + 1; *letter; letter++) {
        const struct option *option = find_letter(*letter, err);
        if (!option)
            return -1;
        if (!option->takes_value) {
            if (take(option, NULL, out, err) < 0)
                return -1;
            continue;
        }
        const char *value = letter[1] ? letter + 1 : next;
        *used = !letter[1];
        if (!value)
            return error_set(err, ERROR_USAGE, "-%c needs a value", *letter);
        return take(option, value, out, err);
    }
    return 0;
}

int ansible_arguments_check(const char *const *words, struct ansible_arguments *out, struct error *err)
{
    struct ansible_arguments made = {0};
    for (size_t i = 0; words && words[i]; i++) {
        const char *word = words[i], *next = words[i + 1];
        bool used = false;
        int result;
        if (word[0] != '-' || !word[1])
            result = error_set(err, ERROR_USAGE,
                               "'%s' is no option: the playbooks are those of the recipe's phases", word);
        else if (text_is(word, "--"))
            result = error_set(err, ERROR_USAGE,
                               "a second '--' is refused: the playbooks are those of the recipe's phases");
        else
            result = word[1] == '-' ? take_long(word, next, &used, &made, err)
                                    : take_letters(word, next, &used, &made, err);
        if (result < 0) {
            ansible_arguments_clear(&made);
            return -1;
        }
        words_add(&made.words, word);
        if (used) {
            words_add(&made.words, next);
            i++;
        }
    }
    if (made.extra.count) {
        struct digest digest;
        digest_begin(&digest);
        for (size_t i = 0; i < made.extra.count; i++)
            digest_add_text(&digest, made.extra.items[i]);
        made.extra_digest = xcalloc(1, DIGEST_TEXT);
        digest_end(&digest, made.extra_digest);
    }
    *out = made;
    return 0;
}

void ansible_arguments_clear(struct ansible_arguments *arguments)
{
    words_clear(&arguments->words);
    words_clear(&arguments->extra);
    free(arguments->extra_digest);
    *arguments = (struct ansible_arguments){0};
}
