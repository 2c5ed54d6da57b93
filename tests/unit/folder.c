#include "folder.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

static char place[64];
static struct words environment, sets;

/* Removes the folder when the test is gone, however it went: a child that waits for the end of a pipe
 * whose other end only the test holds. */
static void watch_over(void)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid > 0) {
        close(ends[0]);
        return; /* the other end stays open as long as this process lives */
    }
    dup2(ends[0], STDIN_FILENO);
    close_range(1, ~0U, 0);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR)
        continue;
    file_remove_tree(place, NULL);
    _exit(0);
}

const char *folder(void)
{
    if (!*place) {
        memcpy(place, "/tmp/triphase-test-XXXXXX", sizeof "/tmp/triphase-test-XXXXXX");
        cr_assert_not_null(mkdtemp(place));
        watch_over();
    }
    return place;
}

char *folder_path(const char *path)
{
    return file_join(folder(), path);
}

void folder_write(const char *path, const char *text)
{
    AUTO_FREE char *full = folder_path(path);
    AUTO_FREE char *above = xstrndup(full, (size_t)(strrchr(full, '/') - full));
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(file_make_dirs(above, 0700, &err), 0, "%s", error_text(&err));
    AUTO_CLOSE int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    cr_assert_geq(fd, 0, "%s", full);
    cr_assert_eq(file_write_all(fd, text, strlen(text)), 0);
}

void folder_case(const char *name)
{
    AUTO_FREE char *from = xasprintf("tests/cases/%s/.", name);
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(program_do(20 * NS_PER_S, NULL, &err, "cp", "-r", "--preserve=mode", from, folder(), NULL),
                 0, "%s", error_text(&err));
}

void folder_clean(void)
{
    if (*place)
        file_remove_tree(place, NULL);
    *place = '\0';
    words_clear(&environment);
    words_clear(&sets);
}

void folder_fill(void)
{
    folder_write("triphase.yml", "project: demo\ntargets:\n  vault:\n    recipe: vault\n");
    folder_write("phases/vault.yml", "phases:\n  - name: install\n    playbook: playbooks/install.yml\n");
    folder_write("playbooks/install.yml", "[]\n");
}

static void take(struct words *out, const char *first, va_list args)
{
    words_clear(out);
    for (const char *text = first; text; text = va_arg(args, const char *))
        words_add(out, text);
}

void folder_environment(const char *first, ...)
{
    va_list args;
    va_start(args, first);
    take(&environment, first, args);
    va_end(args);
}

void folder_sets(const char *first, ...)
{
    va_list args;
    va_start(args, first);
    take(&sets, first, args);
    va_end(args);
}

static int load(struct project **out, struct error *err)
{
    AUTO_WORDS whole = WORDS_INIT;
    words_addf(&whole, "HOME=%s/home", folder());
    words_add_list(&whole, words_argv(&environment));
    struct config_sources sources = {folder(), words_argv(&whole), words_argv(&sets), NULL, NULL};
    return config_load(&sources, out, err);
}

struct project *folder_load(void)
{
    struct project *project = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(load(&project, &err), 0, "%s", error_text(&err));
    cr_assert_not_null(project);
    return project;
}

char *folder_refusal(enum error_kind kind)
{
    struct project *project = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_lt(load(&project, &err), 0, "it was accepted");
    cr_assert_null(project);
    cr_assert_eq(err.kind, kind, "kind %d: %s", (int)err.kind, error_text(&err));
    return xstrdup(error_text(&err));
}

struct asked {
    const char *path;
    char *answer;
};

static void look(void *context, const char *path, const char *value, const char *origin,
                 const char *const *hidden)
{
    struct asked *asked = context;
    if (!text_is(path, asked->path))
        return;
    AUTO_TEXT out = TEXT_INIT;
    text_addf(&out, "%s <- %s", value, origin);
    for (; *hidden; hidden++)
        text_addf(&out, " | %s", *hidden);
    free(asked->answer);
    asked->answer = text_take(&out);
}

char *folder_explain(const struct project *project, const char *path)
{
    struct asked asked = {path, NULL};
    config_explain(project, NULL, look, &asked);
    return asked.answer;
}
