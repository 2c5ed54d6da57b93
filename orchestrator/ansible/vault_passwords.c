#include "ansible/vault_passwords.h"

#include "ansible/secrets.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/secret.h"
#include "process/aside.h"

/* What was read, until it is forgotten. */
static struct kept {
    const struct target *target;
    struct ansible_child passwords; /* argv and descriptors */
    char *failure;                  /* NULL: all were read */
    struct kept *next;
} * kept;

/* One that is read in a child. */
struct reading {
    const struct project *project;
    const struct target *target;
    const struct secret *secret;
    struct loop *loop;
    struct aside *aside;
    size_t *left;
    struct text *failures;
};

static int read_one(const void *what, struct text *out, struct error *err)
{
    const struct reading *reading = what;
    char *value;
    size_t length;
    if (secret_read(reading->secret, reading->project->directory, &value, &length, err) < 0)
        return -1;
    text_add_bytes(out, value, length);
    memory_free_secret(value, length);
    return 0;
}

static void note_failure(const struct reading *reading, const struct error *failure)
{
    const char *name = reading->secret->name;
    text_addf(reading->failures, "%starget %s, vault password%s%s: %s", reading->failures->length ? "\n" : "",
              reading->target->name, name ? " " : "", name ? name : "", error_text(failure));
}

static void on_read(void *context, const char *bytes, size_t length, const struct error *failure)
{
    struct reading *reading = context;
    reading->aside = NULL;
    if (failure)
        note_failure(reading, failure);
    else
        secret_fetched(reading->secret, bytes, length);
    if (--*reading->left == 0)
        loop_stop(reading->loop);
}

/* What can be had at once is read by whoever hands it over. */
static int read_slow_ones(const struct project *project, const struct target *target, struct text *failures,
                          struct error *err)
{
    static const struct scope none = {.kind = SCOPE_MARKER, .fd = -1};
    struct loop *loop = NULL;
    if (loop_new(&loop, err) < 0)
        return -1;
    size_t left = 0;
    int result = 0;
    struct reading *readings = xcalloc(target->vault_password_count + 1, sizeof *readings);
    for (size_t i = 0; i < target->vault_password_count; i++) {
        const struct secret *secret = &target->vault_passwords[i];
        readings[i] = (struct reading){project, target, secret, loop, NULL, &left, failures};
        AUTO_ERROR failed = ERROR_INIT;
        if (!secret_may_take_long(secret, project->directory))
            continue;
        if (aside_start(loop, &none, "TRIPHASE_ASIDE=1", read_one, &readings[i], on_read, &readings[i],
                        &readings[i].aside, &failed) < 0)
            note_failure(&readings[i], &failed);
        else
            left++;
    }
    if (left)
        result = loop_run(loop, err);
    for (size_t i = 0; i < target->vault_password_count; i++)
        aside_stop(&readings[i].aside);
    free(readings);
    loop_free(loop);
    return result;
}

static struct kept *read_all(const struct project *project, const struct target *target)
{
    AUTO_TEXT failures = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct kept *entry = xcalloc(1, sizeof *entry);
    *entry = (struct kept){.target = target, .next = kept};
    kept = entry;
    bool read = read_slow_ones(project, target, &failures, &err) == 0 && !failures.length &&
                secrets_add_vault_passwords(project, target, -1, &entry->passwords, &err) == 0;
    if (!read)
        entry->failure = xstrdup(failures.length ? text_string(&failures) : error_text(&err));
    return entry;
}

int vault_passwords_add(const struct project *project, const struct target *target, struct ansible_child *out,
                        struct error *err)
{
    struct kept *entry = kept;
    if (!target->vault_password_count)
        return 0;
    while (entry && entry->target != target)
        entry = entry->next;
    if (!entry)
        entry = read_all(project, target);
    return entry->failure ? error_set(err, ERROR_PROJECT, "%s", entry->failure)
                          : secrets_share_vault_passwords(&entry->passwords, out, err);
}

void vault_passwords_forget(void)
{
    while (kept) {
        struct kept *first = kept;
        kept = first->next;
        ansible_child_clear(&first->passwords);
        free(first->failure);
        free(first);
    }
}
