#include "playbook/reads.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <string.h>

enum { DEPTH_MOST = 32, WORD_MOST = 4096, NAME_MOST = 255 };

/* Where Ansible looks for a relative path, in the task's folder and in the playbook's; the
 * last is that folder itself. */
static const char *const below[] = {"files", "templates", "vars", "tasks", NULL};

void reads_clear(struct reads *reads)
{
    words_clear(&reads->files);
    words_clear(&reads->written);
    words_clear(&reads->code);
    for (size_t i = 0; i < reads->guess_count; i++) {
        free(reads->guesses[i].folder);
        free(reads->guesses[i].ending);
    }
    free(reads->guesses);
    *reads = (struct reads){0};
}

/* An absolute path without "." and "..", as it is named in messages. malloc'ed. */
static char *plain_path(const char *path)
{
    /* Nearly all are: the looks at a phase's files spent half of their time in here. */
    if (*path == '/' && !strstr(path, "/.") && !strstr(path, "//") && (!path[1] || !text_ends(path, "/")))
        return xstrdup(path);
    AUTO_FREE char *copy = xstrdup(path);
    AUTO_WORDS parts = WORDS_INIT;
    char *rest = NULL;
    for (char *part = strtok_r(copy, "/", &rest); part; part = strtok_r(NULL, "/", &rest)) {
        if (text_is(part, "..") && parts.count) {
            free(parts.items[--parts.count]);
            parts.items[parts.count] = NULL;
        } else if (!text_is(part, ".") && !text_is(part, "..")) {
            words_add(&parts, part);
        }
    }
    struct text out = TEXT_INIT;
    for (size_t i = 0; i < parts.count; i++)
        text_addf(&out, "/%s", parts.items[i]);
    return parts.count ? text_take(&out) : xstrdup("/");
}

static void add_guess(struct reads *reads, const char *folder, const char *ending)
{
    const char *up = NULL;
    for (const char *at = ending; (at = strstr(at, "../")); at += 3)
        up = at + 3;
    ending = up ? up : ending;
    for (size_t i = 0; i < reads->guess_count; i++)
        if (text_is(reads->guesses[i].folder, folder) && text_is(reads->guesses[i].ending, ending))
            return;
    reads->guesses = xreallocarray(reads->guesses, reads->guess_count + 1, sizeof *reads->guesses);
    reads->guesses[reads->guess_count++] = (struct read_guess){xstrdup(folder), xstrdup(ending)};
}

/* A path that is there. A folder that holds the playbook holds much that is no file of a task: in
 * it only the ending tells. */
static void add_there(struct reads *reads, const struct reads_place *place, const char *path,
                      const char *ending)
{
    AUTO_FREE char *plain = plain_path(path);
    const char *named = file_exists(plain) ? plain : path;
    if (!file_exists(named))
        return;
    if (file_is_within(place->playbook_folder, named) || file_is_within(place->project, named))
        add_guess(reads, named, ending);
    else
        words_add(&reads->files, named);
}

/* What is known of a path, to its last slash; NULL: nothing is. */
static char *known_folder(const char *text)
{
    const char *slash = strrchr(text, '/');
    return !slash ? NULL : slash == text ? xstrdup("/") : xstrndup(text, (size_t)(slash - text));
}

static void add_meaning(struct reads *reads, const struct reads_place *place, const struct meaning *meaning)
{
    const char *ending = meaning->ending ? meaning->ending : "";
    AUTO_FREE char *folder = meaning->ending ? known_folder(meaning->text) : NULL;
    const char *path = meaning->ending ? folder : meaning->text;
    if (path && (!*path || strchr(path, '\n') || strlen(path) > WORD_MOST))
        return;
    if (path && *path == '/') { /* most absolute paths are the host's */
        if (meaning->here || file_is_within(path, place->project))
            add_there(reads, place, path, ending);
        return;
    }
    AUTO_FREE char *own = file_parent(place->file);
    const char *const bases[] = {own, place->playbook_folder};
    for (size_t b = 0; b < COUNT_OF(bases); b++)
        for (size_t i = 0; i < COUNT_OF(below) - !path; i++) {
            AUTO_FREE char *base = below[i] ? file_join(bases[b], below[i]) : xstrdup(bases[b]);
            AUTO_FREE char *there = file_join(base, path ? path : "");
            if (path || file_exists(base))
                add_there(reads, place, path ? there : base, ending);
        }
    if (!path)
        add_guess(reads, place->project, ending);
}

static void add_meanings(struct reads *reads, const struct reads_place *place,
                         const struct meanings *meanings)
{
    for (size_t i = 0; i < meanings->count; i++)
        add_meaning(reads, place, &meanings->items[i]);
}

/* A whole path, or the folder of one that is not known to its end. */
static void add_written(struct reads *reads, const struct reads_place *place, const char *word)
{
    AUTO_MEANINGS meanings = {0};
    meaning_of_word(place->names, word, &meanings);
    for (size_t i = 0; i < meanings.count; i++) {
        const struct meaning *one = &meanings.items[i];
        AUTO_FREE char *folder = one->ending ? known_folder(one->text) : NULL;
        const char *path = one->ending ? folder : one->text;
        if (!path || *path != '/' || (!one->here && !file_is_within(path, place->project)))
            continue;
        AUTO_FREE char *plain = plain_path(path);
        if (!file_is_within(place->playbook_folder, plain) && !file_is_within(place->project, plain))
            words_add(&reads->written, plain);
    }
}

/* A word without a template, wherever it stands. */
static void add_plain(struct reads *reads, const struct reads_place *place, const char *word)
{
    bool folder_itself = text_is(word, ".") || text_is(word, "..") || text_is(word, "/");
    if (!*word || strchr(word, '\n') || strlen(word) > NAME_MOST || folder_itself)
        return;
    struct meaning meaning = {.text = (char *)(uintptr_t)word};
    add_meaning(reads, place, &meaning);
}

/* A word that may be a path or something else: a file where it says that it is of this machine. */
static void add_file_here(struct reads *reads, const struct reads_place *place, const char *word)
{
    AUTO_MEANINGS meanings = {0};
    meaning_of_word(place->names, word, &meanings);
    for (size_t i = 0; i < meanings.count; i++)
        if (meanings.items[i].here && !meanings.items[i].ending && !file_is_dir(meanings.items[i].text))
            add_meaning(reads, place, &meanings.items[i]);
}

/* The program of a command: its first word. */
static char *first_word(const char *text)
{
    int open = 0;
    const char *at = text;
    for (; *at && (open || !strchr(" \t\n", *at)); at++)
        open += *at == '{' ? 1 : *at == '}' ? -1 : 0;
    return xstrndup(text, (size_t)(at - text));
}

static void add_word(struct reads *reads, const struct reads_place *place, bool on_host, const char *key,
                     const char *word)
{
    static const char *const elsewhere[] = {"dest", "path",     "chdir", "creates", "removes",
                                            "when", "register", "name",  "msg",     NULL};
    static const char *const commands[] = {"command", "shell", "script", "raw", "cmd", "argv", NULL};
    static const char *const reading[] = {
        "src",           "file",    "dir",           "include_vars", "vars_files",    "include_tasks",
        "import_tasks",  "include", "with_fileglob", "with_file",    "with_filetree", "with_first_found",
        "with_template", NULL};
    if (strlen(word) > WORD_MOST && !meaning_is_templated(word))
        return;
    bool reads_it = text_is_one_of(key, reading);
    AUTO_MEANINGS looked_up = {0};
    if (meaning_is_templated(word))
        meaning_of_lookups(place->names, word, &looked_up);
    add_meanings(reads, place, &looked_up);
    if (text_is(key, "dest")) {
        add_written(reads, place, word);
    } else if (!meaning_is_templated(word)) {
        if (reads_it && strpbrk(word, "*?[") && !on_host) {
            AUTO_MEANINGS meanings = {0};
            meaning_of_word(place->names, word, &meanings);
            add_meanings(reads, place, &meanings);
        }
        add_plain(reads, place, word);
    } else if (reads_it && !on_host) {
        AUTO_MEANINGS meanings = {0};
        meaning_of_word(place->names, word, &meanings);
        add_meanings(reads, place, &meanings);
    } else if (!text_is_one_of(key, elsewhere) && !on_host) {
        AUTO_FREE char *part = text_is_one_of(key, commands) ? first_word(word) : xstrdup(word);
        add_file_here(reads, place, part);
    }
}

static void add_values(struct reads *reads, const struct reads_place *place, bool on_host, const char *key,
                       const struct node *value, int depth)
{
    if (!value || depth >= DEPTH_MOST)
        return;
    if (node_is_scalar(value)) {
        add_word(reads, place, on_host, key, value->text);
        return;
    }
    for (size_t i = 0; i < value->count; i++)
        add_values(reads, place, on_host, value->kind == NODE_MAP ? value->keys[i] : key, value->items[i],
                   depth + 1);
}

/* "src={{ playbook_dir }}/a dest=/b" */
static void add_line(struct reads *reads, const struct reads_place *place, bool on_host, const char *line)
{
    while (*(line += strspn(line, " \t\n"))) {
        AUTO_FREE char *word = first_word(line);
        char *sign = strchr(word, '=');
        line += strlen(word);
        if (!sign || (size_t)(sign - word) != strspn(word, "abcdefghijklmnopqrstuvwxyz_"))
            continue;
        *sign = '\0';
        add_word(reads, place, on_host, word, sign + 1);
    }
}

void reads_add(struct reads *reads, const struct reads_place *place, const char *module,
               const struct node *value)
{
    /* What they call src, file or path lies on the host. */
    static const char *const of_host[] = {"fetch", "slurp",      "file",    "stat",        "mount",
                                          "find",  "lineinfile", "replace", "blockinfile", "get_url",
                                          "git",   "archive",    NULL};
    const struct node *remote = node_get(value, "remote_src");
    bool on_host =
        text_is_one_of(module, of_host) || (remote && remote->kind == NODE_BOOL && remote->boolean);
    if (node_is_scalar(value) && strchr(value->text, '='))
        add_line(reads, place, on_host, value->text);
    add_values(reads, place, on_host, module, value, 0);
}
