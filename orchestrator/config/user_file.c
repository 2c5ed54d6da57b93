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

void user_file_read(struct settings *layers, const struct invoker *invoker, const char *const *environment,
                    const char *given, struct words *warnings)
{
    static const char *const known[] = {"ansible", "keep", "operator", "defaults", "providers", NULL};
    AUTO_FREE char *folder = invoker_config_directory(invoker, environment);
    AUTO_FREE char *path = given ? xstrdup(given) : folder ? file_join(folder, "config.yml") : NULL;
    if (!path)
        return;
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            fault_add(warnings, path, "%s; the file is left out", strerror(errno));
        return;
    }
    if (!may_be_read_for(invoker, fd)) {
        fault_add(warnings, path, "not a file of the user who called sudo; it is left out");
        return;
    }
    AUTO_FREE char *same = xasprintf("/proc/self/fd/%d", fd);
    AUTO_TEXT bytes = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct node *root = NULL;
    AUTO_WORDS faults = WORDS_INIT;
    struct provenance from = {path, true};
    if (file_read(same, FILE_LIMIT, &bytes, &err) < 0)
        fault_add(&faults, path, "%s", error_text(&err));
    else if (yaml_read_forgiving(text_string(&bytes), bytes.length, path, &root, &faults) == 0)
        settings_own(layers, root);
    if (root && root->kind != NODE_MAP && root->kind != NODE_NULL)
        fault_at(&faults, &from, (struct node_place){1, 1}, "the file takes a map, not %s",
                 node_kind_name(root->kind));
    if (root && root->kind == NODE_MAP) {
        shared_keys_check(root, SCOPE_PROJECT, known, &from, &faults);
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
