#include "config/user_file.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/fault.h"
#include "config/shared_keys.h"
#include "format/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_LIMIT = 1 << 20 };

/* Behind sudo a file is read with root's rights for somebody else: only what is theirs, or anybody's to
 * read. */
static bool may_be_read_for(const struct invoker *invoker, int fd)
{
    struct stat state;
    if (fstat(fd, &state) < 0 || !S_ISREG(state.st_mode))
        return false;
    return !invoker->behind_sudo || state.st_uid == invoker->uid || (state.st_mode & S_IROTH);
}

char *user_file_path(const struct invoker *invoker, const char *const *environment, const char *given)
{
    AUTO_FREE char *folder = invoker_config_directory(invoker, environment);
    return given ? xstrdup(given) : folder ? file_join(folder, "config.yml") : NULL;
}

const char *const *user_file_keys(void)
{
    static const char *const known[] = {"ansible", "keep", "operator", "defaults", "providers", NULL};
    return known;
}

/* The bytes of the file; 0: there is none to read, which was said where it has to be. */
static int read_bytes(const struct invoker *invoker, const char *path, struct text *bytes,
                      struct words *warnings)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    AUTO_ERROR err = ERROR_INIT;
    if (fd < 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            fault_add(warnings, path, "%s; the file is left out", strerror(errno));
        return 0;
    }
    if (!may_be_read_for(invoker, fd)) {
        fault_add(warnings, path, "not a file of the user who called sudo; it is left out");
        return 0;
    }
    AUTO_FREE char *same = xasprintf("/proc/self/fd/%d", fd);
    if (file_read(same, FILE_LIMIT, bytes, &err) == 0)
        return 1;
    fault_add(warnings, path, "%s (in the user's own file: left out)", error_text(&err));
    return 0;
}

void user_file_read(struct settings *layers, const struct invoker *invoker, const char *const *environment,
                    const char *given, const struct config_draft *draft, struct words *warnings)
{
    AUTO_FREE char *path = user_file_path(invoker, environment, given);
    AUTO_TEXT bytes = TEXT_INIT;
    AUTO_WORDS faults = WORDS_INIT;
    struct node *root = NULL;
    struct provenance from = {path, true};
    if (path && draft_is_of(draft, path))
        text_add_bytes(&bytes, draft->bytes, draft->length);
    else if (!path || !read_bytes(invoker, path, &bytes, warnings))
        return;
    if (yaml_read_forgiving(text_string(&bytes), bytes.length, path, &root, &faults) == 0)
        settings_own(layers, root);
    if (root && root->kind != NODE_MAP && root->kind != NODE_NULL)
        fault_at(&faults, &from, (struct node_place){1, 1}, "the file takes a map, not %s",
                 node_kind_name(root->kind));
    if (root && root->kind == NODE_MAP) {
        shared_keys_check(root, SCOPE_PROJECT, user_file_keys(), &from, &faults);
        for (size_t i = 0; i < root->count; i++)
            if (text_is(root->keys[i], "ansible") || text_is(root->keys[i], "keep") ||
                text_is(root->keys[i], "operator"))
                settings_add(layers, SOURCE_USER, "", schema_find(SCOPE_PROJECT, root->keys[i]), NULL,
                             root->items[i], root->where[i], &from, &faults);
        shared_keys_add(layers, SOURCE_USER, root, &from, &faults);
    }
    for (size_t i = 0; i < faults.count; i++)
        words_addf(warnings, "%s (in the user's own file: left out)", faults.items[i]);
}
