#include "ansible/found.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "process/program.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Python's folders of packages below a prefix: <prefix>/lib/python3*\/{site,dist}-packages. */
static void add_packages_below(const char *prefix, struct words *out)
{
    AUTO_FREE char *library = file_join(prefix, "lib");
    AUTO_WORDS names = WORDS_INIT;
    (void)file_list(library, &names, NULL);
    for (size_t i = 0; i < names.count; i++) {
        if (!text_starts(names.items[i], "python3"))
            continue;
        for (int debian = 0; debian < 2; debian++) {
            AUTO_FREE char *folder =
                xasprintf("%s/%s/%s-packages", library, names.items[i], debian ? "dist" : "site");
            if (file_is_dir(folder) && !words_have(out, folder))
                words_own(out, TAKE(folder));
        }
    }
}

/* The interpreter in the script's first line, malloc'ed; NULL when it has none. */
static char *interpreter_of(const char *script)
{
    AUTO_CLOSE int fd = open(script, O_RDONLY | O_CLOEXEC);
    char line[512];
    ssize_t count = fd < 0 ? 0 : read(fd, line, sizeof(line) - 1);
    if (count < 3 || strncmp(line, "#!", 2) != 0)
        return NULL;
    line[count] = '\0';
    const char *start = line + 2;
    while (*start == ' ')
        start++;
    size_t length = strcspn(start, " \t\r\n");
    return length && *start == '/' ? xstrndup(start, length) : NULL;
}

/* site-packages folders of the Python that runs this ansible-playbook. */
static void ansible_site_packages(const char *ansible, struct words *out)
{
    /* The script may be a link into the environment (pipx), and the interpreter a link out of it. */
    AUTO_FREE char *real = realpath(ansible, NULL);
    const char *scripts[] = {ansible, real};
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        if (!scripts[i])
            continue;
        AUTO_FREE char *bin = file_parent(scripts[i]);
        AUTO_FREE char *prefix = file_parent(bin);
        AUTO_FREE char *interpreter = interpreter_of(scripts[i]);
        if (interpreter) {
            AUTO_FREE char *python_bin = file_parent(interpreter);
            AUTO_FREE char *python_prefix = file_parent(python_bin);
            add_packages_below(python_prefix, out);
        }
        add_packages_below(prefix, out);
    }
    add_packages_below("/usr/local", out);
}

/* The text between quotes behind "__version__ =". */
static char *version_in(const char *release)
{
    const char *at = strstr(release, "__version__");
    size_t length = at ? strcspn(at, "'\"\n") : 0;
    if (!at || at[length] == '\n' || !at[length])
        return NULL;
    at += length + 1;
    length = strcspn(at, "'\"\n");
    return length ? xstrndup(at, length) : NULL;
}

char *ansible_version(const char *ansible, struct error *err)
{
    AUTO_WORDS folders = WORDS_INIT;
    ansible_site_packages(ansible, &folders);
    for (size_t i = 0; i < folders.count; i++) {
        AUTO_FREE char *path = file_join(folders.items[i], "ansible/release.py");
        AUTO_TEXT release = TEXT_INIT;
        if (!file_exists(path) || file_read(path, 1 << 16, &release, NULL) < 0)
            continue;
        char *version = version_in(text_string(&release));
        if (version)
            return version;
    }
    /* "ansible-playbook [core 2.19.14]" */
    AUTO_TEXT said = TEXT_INIT;
    const char *argv[] = {ansible, "--version", NULL};
    if (program_do_argv(20 * NS_PER_S, argv, &said, err) < 0) {
        error_prefix(err, "asking %s for its version", ansible);
        return NULL;
    }
    const char *at = text_string(&said);
    while (*at && *at != '\n' && !isdigit((unsigned char)*at))
        at++;
    size_t length = strspn(at, "0123456789.abcdevrpost");
    if (!length) {
        error_set(err, ERROR_MISSING, "%s does not say its version; is it ansible-playbook?", ansible);
        return NULL;
    }
    return xstrndup(at, length);
}

/* The requirement's own file among the packages that a script (Ansible's, or one that pip put into PATH) runs
 * with. malloc'ed or NULL. */
static char *inside_packages(const char *script, const struct requirement *requirement)
{
    AUTO_WORDS folders = WORDS_INIT;
    ansible_site_packages(script, &folders);
    for (size_t i = 0; requirement->package_file && i < folders.count; i++) {
        AUTO_FREE char *inside = file_join(folders.items[i], requirement->package_file);
        if (file_is_program(inside))
            return TAKE(inside);
    }
    return NULL;
}

char *ansible_find_beside(const struct project *project, const char *name)
{
    AUTO_FREE char *bin = file_parent(project->ansible);
    AUTO_FREE char *beside = file_join(bin, name);
    return file_is_program(beside) ? TAKE(beside) : file_find_program(name, NULL);
}

char *ansible_find_required(const struct project *project, const struct requirement *requirement)
{
    AUTO_FREE char *found = NULL;
    if (project->ansible_found) {
        /* The package's own file first: what pip puts beside Ansible can be a script that only starts it. */
        char *inside = inside_packages(project->ansible, requirement);
        if (inside)
            return inside;
        AUTO_FREE char *bin = file_parent(project->ansible);
        AUTO_FREE char *beside = file_join(bin, requirement->program);
        if (file_is_program(beside))
            found = TAKE(beside);
    }
    if (!found)
        found = file_find_program(requirement->program, project->programs);
    /* Such a script in PATH, from another environment than Ansible's. */
    AUTO_FREE char *interpreter = found ? interpreter_of(found) : NULL;
    char *inside = interpreter ? inside_packages(found, requirement) : NULL;
    return inside ? inside : TAKE(found);
}
