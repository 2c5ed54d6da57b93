#include "ansible/launcher.h"

#include "base/embedded.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/invoker.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { SCRIPT_LIMIT = 4096, SCRIPT_MAX = 1 << 20 };

/* Where the first line cannot hold the interpreter's path (it has blanks, or is too long), pip and uv
 * write a script that is one of the shell and of Python: its second line, '''exec' PYTHON "$0" "$@", lies
 * in a string of Python's. */
static char *started_by_shell(const char *line)
{
    AUTO_FREE char *second = xstrndup(line, strcspn(line, "\n"));
    AUTO_WORDS words = WORDS_INIT;
    bool known = text_starts(second, "'''exec' ") && words_add_split(&words, second) == 0 &&
                 words.count == 4 && text_is(words.items[2], "$0") && text_is(words.items[3], "$@");
    return known ? xstrdup(words.items[1]) : NULL;
}

/* The interpreter of a script that does nothing but call Ansible's main; NULL for any
 * other program. malloc'ed. */
char *launcher_interpreter(const char *program)
{
    AUTO_TEXT script = TEXT_INIT;
    if (file_read(program, SCRIPT_LIMIT, &script, NULL) < 0 || !text_starts(text_string(&script), "#!") ||
        !strstr(text_string(&script), "from ansible.cli.playbook import main"))
        return NULL;
    const char *at = text_string(&script) + 2;
    at += strspn(at, " \t");
    AUTO_FREE char *first = xstrndup(at, strcspn(at, " \t\n"));
    at += strlen(first);
    /* An interpreter with arguments, or one looked up by env, is not guessed at. */
    if (*at != '\n' || text_ends(first, "/env"))
        return NULL;
    AUTO_FREE char *interpreter = text_ends(first, "sh") ? started_by_shell(at + 1) : xstrdup(first);
    return interpreter && file_is_program(interpreter) ? TAKE(interpreter) : NULL;
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

int launcher_lay_down(const char *name, const char *folder, struct error *err)
{
    AUTO_FREE char *embedded = file_join("launcher", name), *path = file_join(folder, name);
    const struct embedded_file *file = embedded_find(embedded);
    return file ? lay_down(file, path, folder, err)
                : error_set(err, ERROR_MISSING, "triphase was built without %s", embedded);
}

int launcher_share(const char *payloads, const char *folder, struct error *err)
{
    AUTO_FREE char *link = file_join(folder, "payloads");
    if (launcher_lay_down("triphase_payloads.py", folder, err) < 0)
        return -1;
    if (symlink(payloads, link) < 0 && errno != EEXIST)
        return error_system(err, errno, "cannot lay down %s", link);
    return 0;
}

int launcher_wrap(struct words *argv, const char *script, const char *folder, struct error *err)
{
    AUTO_FREE char *interpreter = launcher_interpreter(argv->items[0]);
    AUTO_FREE char *name = file_join("launcher", script);
    const struct embedded_file *file = interpreter ? embedded_find(name) : NULL;
    if (!file)
        return 0;
    AUTO_FREE char *path = file_join(folder, script);
    if (lay_down(file, path, folder, err) < 0)
        return -1;
    AUTO_WORDS wrapped = WORDS_INIT;
    words_add_all(&wrapped, interpreter, path, NULL);
    words_add_list(&wrapped, words_argv(argv));
    words_clear(argv);
    *argv = wrapped;
    wrapped = (struct words)WORDS_INIT;
    return 0;
}
