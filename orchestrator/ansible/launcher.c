#include "ansible/launcher.h"

#include "base/embedded.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/invoker.h"

#include <string.h>

enum { SCRIPT_LIMIT = 4096, SCRIPT_MAX = 1 << 20 };

/* The interpreter of a script that does nothing but call Ansible's main; NULL for any other program. malloc'ed. */
char *launcher_interpreter(const char *program)
{
    AUTO_TEXT script = TEXT_INIT;
    if (file_read(program, SCRIPT_LIMIT, &script, NULL) < 0 || !text_starts(text_string(&script), "#!") ||
        !strstr(text_string(&script), "from ansible.cli.playbook import main"))
        return NULL;
    const char *at = text_string(&script) + 2;
    at += strspn(at, " \t");
    AUTO_FREE char *interpreter = xstrndup(at, strcspn(at, " \t\n"));
    /* An interpreter with arguments, or one looked up by env, is not guessed at. */
    bool plain =
        at[strlen(interpreter)] == '\n' && !text_ends(interpreter, "/env") && file_is_program(interpreter);
    return plain ? TAKE(interpreter) : NULL;
}

/* A script of another version of this program may lie there. */
static int lay_down(const struct embedded_file *file, const char *path, const char *folder, struct error *err)
{
    AUTO_INVOKER invoker = {.home = NULL};
    AUTO_TEXT there = TEXT_INIT;
    if (file_exists(path) && file_read(path, SCRIPT_MAX, &there, NULL) == 0 && there.length == file->size &&
        memcmp(text_string(&there), file->bytes, file->size) == 0)
        return 0;
    if (file_make_dirs(folder, 0700, err) < 0 || file_replace(path, file->bytes, file->size, 0600, err) < 0)
        return -1;
    invoker_find(NULL, &invoker);
    (void)invoker_own(&invoker, path);
    return 0;
}

int launcher_wrap(struct words *argv, const char *script, const char *folder, struct error *err)
{
    AUTO_FREE char *interpreter = launcher_interpreter(argv->items[0]);
    AUTO_FREE char *name = file_join("launcher", script);
    for (size_t i = 0; interpreter && i < embedded_file_count; i++) {
        if (!text_is(embedded_files[i].path, name))
            continue;
        AUTO_FREE char *path = file_join(folder, script);
        if (lay_down(&embedded_files[i], path, folder, err) < 0)
            return -1;
        AUTO_WORDS wrapped = WORDS_INIT;
        words_add_all(&wrapped, interpreter, path, NULL);
        words_add_list(&wrapped, words_argv(argv));
        words_free(argv);
        *argv = wrapped;
        wrapped = (struct words)WORDS_INIT;
    }
    return 0;
}
