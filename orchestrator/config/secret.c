#include "config/secret.h"

#include "base/deadline.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/invoker.h"
#include "config/text_rules.h"
#include "process/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_LIMIT = 65536, FD_LIMIT = 1 << 20, LINE_LIMIT = 200 };
#define SECRET_BOUND (30 * NS_PER_S)

#define FORMS "{file: PATH}, {env: NAME}, {fd: NUMBER} or {command: [PROGRAM, ARGUMENT...]}"

char *secret_problem(const struct node *node)
{
    if (node_is_scalar(node) && node->kind != NODE_NULL)
        return xstrdup("is a plain value; a secret is given as " FORMS);
    if (node->kind != NODE_MAP || node->count != 1)
        return xstrdup("takes one of " FORMS);
    const struct node *value = node->items[0];
    const char *key = node->keys[0];
    if (text_is(key, "file"))
        return value->kind == NODE_STRING ? value_path_problem(value->text)
                                          : xstrdup("takes a path after 'file:'");
    if (text_is(key, "env"))
        return value->kind == NODE_STRING && value_is_variable(value->text)
                   ? NULL
                   : xstrdup("takes the name of an environment variable after 'env:'");
    if (text_is(key, "fd"))
        return value->kind == NODE_INTEGER && value->integer >= 3 && value->integer < FD_LIMIT
                   ? NULL
                   : xstrdup("takes the number of an open descriptor, 3 or more, after 'fd:'");
    if (text_is(key, "command")) {
        bool good = value->kind == NODE_LIST && value->count;
        for (size_t i = 0; good && i < value->count; i++)
            good = node_is_scalar(value->items[i]) && value->items[i]->kind != NODE_NULL;
        return good && *value->items[0]->text && *value->items[0]->text != '-'
                   ? NULL
                   : xstrdup("takes a list, program and arguments, after 'command:'");
    }
    return xstrdup("takes one of " FORMS);
}

void secret_from_node(const struct node *node, const char *name, struct secret *out)
{
    const struct node *value = node->items[0];
    const char *key = node->keys[0];
    *out = (struct secret){.name = xstrdup_or_null(name), .fd = -1};
    if (text_is(key, "fd")) {
        out->kind = SECRET_FD;
        out->fd = (int)value->integer;
    } else if (text_is(key, "command")) {
        out->kind = SECRET_COMMAND;
        for (size_t i = 0; i < value->count; i++)
            words_add(&out->command, value->items[i]->text);
    } else {
        out->kind = text_is(key, "env") ? SECRET_ENV : SECRET_FILE;
        out->where = xstrdup(value->text);
    }
}

void secret_clear(struct secret *secret)
{
    free(secret->name);
    free(secret->where);
    words_clear(&secret->command);
    *secret = (struct secret){.fd = -1};
}

/* Everything up to the end, into a buffer of fixed size, so that no freed copy of it is left about. */
static int read_all(int fd, int64_t bound_ns, const char *what, char *block, size_t *length,
                    struct error *err)
{
    struct deadline deadline = deadline_in(bound_ns);
    size_t have = 0;
    for (;;) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        if (deadline_over(deadline) || deadline_poll(&waiting, 1, deadline) == 0)
            return error_set(err, ERROR_DEADLINE, "%s: it was not read to its end within %d s", what,
                             (int)(bound_ns / NS_PER_S));
        ssize_t got = read(fd, block + have, SECRET_LIMIT + 1 - have);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            return error_system(err, errno, "%s", what);
        if (got == 0)
            break;
        have += (size_t)got;
        if (have > SECRET_LIMIT)
            return error_set(err, ERROR_PROJECT, "%s: larger than %d bytes", what, (int)SECRET_LIMIT);
    }
    *length = have;
    return 0;
}

static int hand_over(char *block, size_t length, const char *what, char **out, size_t *out_length,
                     struct error *err)
{
    if (length && block[length - 1] == '\n')
        length--;
    if (length && block[length - 1] == '\r')
        length--;
    if (!length)
        return error_set(err, ERROR_PROJECT, "%s: it is empty", what);
    block[length] = '\0';
    *out = xmalloc(length + 1);
    for (size_t i = 0; i <= length; i++)
        (*out)[i] = block[i];
    *out_length = length;
    return 0;
}

bool secret_is_given(int fd)
{
    return (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
}

/* A descriptor that can be read more than once: a regular file from its start; of a pipe the bytes are
 * gone after the first reading. */
static int open_descriptor(int number, const char *what, struct error *err)
{
    int fd = secret_is_given(number) ? fcntl(number, F_DUPFD_CLOEXEC, 3) : -1;
    if (fd < 0)
        return error_set(err, ERROR_PROJECT, "%s: the descriptor is not open; give it like 3<file", what);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static int read_command(const struct secret *secret, const char *directory, int64_t bound_ns,
                        const char *what, char *block, size_t *length, struct error *err)
{
    /* The one program that may live on another secret: what logs in to a keeper of secrets. */
    struct program program = {.argv = words_argv(&secret->command),
                              .environment = (const char *const *)environ,
                              .directory = directory,
                              .bound_ns = bound_ns,
                              .output_limit = SECRET_LIMIT + 1,
                              .tells_secrets = true};
    AUTO_TEXT output = TEXT_INIT;
    AUTO_TEXT complaint = TEXT_INIT;
    struct child_end end;
    int result = program_run(&program, &output, &complaint, &end, err);
    if (result < 0)
        error_prefix(err, "%s", what);
    else if (!end.exited || end.code != 0) {
        AUTO_FREE char *how = child_end_text(&end);
        AUTO_TEXT shown = TEXT_INIT;
        size_t first = strcspn(text_string(&complaint), "\n");
        text_add_printable(&shown, text_string(&complaint), first < LINE_LIMIT ? first : LINE_LIMIT);
        result = error_set(err, ERROR_PROJECT, "%s: it %s%s%s", what, how, shown.length ? ": " : "",
                           text_string(&shown));
    } else if (output.length > SECRET_LIMIT) {
        result = error_set(err, ERROR_PROJECT, "%s: larger than %d bytes", what, (int)SECRET_LIMIT);
    } else {
        memcpy(block, text_string(&output), output.length);
        *length = output.length;
    }
    if (output.bytes)
        explicit_bzero(output.bytes, output.room);
    return result;
}

/* What was read elsewhere, until it is asked for. */
static struct fetched {
    const struct secret *secret;
    char *value;
    size_t length;
    struct fetched *next;
} * fetched;

static bool take_fetched(const struct secret *secret, char **out, size_t *length)
{
    for (struct fetched **at = &fetched; *at; at = &(*at)->next)
        if ((*at)->secret == secret) {
            struct fetched *found = *at;
            *at = found->next;
            *out = found->value;
            *length = found->length;
            free(found);
            return true;
        }
    return false;
}

void secret_fetched(const struct secret *secret, const char *value, size_t length)
{
    char *old;
    size_t old_length;
    if (take_fetched(secret, &old, &old_length))
        memory_free_secret(old, old_length);
    struct fetched *entry = xmalloc(sizeof *entry);
    *entry = (struct fetched){secret, xcalloc(1, length + 1), length, fetched};
    memcpy(entry->value, value, length);
    fetched = entry;
}

/* Of a secret that is a file. malloc'ed. */
static char *path_of(const struct secret *secret, const char *directory)
{
    AUTO_INVOKER invoker;
    invoker_find(NULL, &invoker);
    AUTO_FREE char *expanded = invoker_expand(&invoker, secret->where);
    return file_join(directory, expanded);
}

int secret_read_within(const struct secret *secret, const char *directory, int64_t bound_ns, char **out,
                       size_t *length, struct error *err)
{
    if (take_fetched(secret, out, length))
        return 0;
    AUTO_FREE char *what = NULL;
    AUTO_CLOSE int fd = -1;
    char *block = xcalloc(1, SECRET_LIMIT + 2);
    size_t have = 0;
    int result = -1;
    switch (secret->kind) {
    case SECRET_NONE:
        result = error_set(err, ERROR_PROJECT, "no secret is given");
        break;
    case SECRET_ENV: {
        const char *value = getenv(secret->where);
        what = xasprintf("secret from the environment variable %s", secret->where);
        have = value ? strlen(value) : 0;
        if (!have) {
            result = error_set(err, ERROR_PROJECT, "%s: it is not set", what);
        } else if (have > SECRET_LIMIT) {
            result = error_set(err, ERROR_PROJECT, "%s: larger than %d bytes", what, (int)SECRET_LIMIT);
        } else {
            memcpy(block, value, have);
            result = 0;
        }
        break;
    }
    case SECRET_FILE: {
        AUTO_FREE char *path = path_of(secret, directory);
        what = xasprintf("secret from the file %s", path);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        result =
            fd < 0 ? error_system(err, errno, "%s", what) : read_all(fd, bound_ns, what, block, &have, err);
        if (fd < 0 && err)
            err->kind = ERROR_PROJECT;
        break;
    }
    case SECRET_FD:
        what = xasprintf("secret from the descriptor %d", secret->fd);
        fd = open_descriptor(secret->fd, what, err);
        result = fd < 0 ? -1 : read_all(fd, bound_ns, what, block, &have, err);
        break;
    case SECRET_COMMAND:
        what = xasprintf("secret from the command %s", secret->command.items[0]);
        result = read_command(secret, directory, bound_ns, what, block, &have, err);
        break;
    }
    if (result == 0)
        result = hand_over(block, have, what, out, length, err);
    memory_free_secret(block, SECRET_LIMIT + 2);
    return result;
}

bool secret_may_take_long(const struct secret *secret, const char *directory)
{
    struct stat state;
    if (secret->kind != SECRET_FILE)
        return secret->kind == SECRET_COMMAND;
    AUTO_FREE char *path = path_of(secret, directory);
    return stat(path, &state) == 0 && !S_ISREG(state.st_mode);
}

bool secret_at_hand(const struct secret *secret, const char *directory)
{
    struct stat state;
    if (secret->kind != SECRET_FILE)
        return secret->kind == SECRET_ENV;
    AUTO_FREE char *path = path_of(secret, directory);
    return stat(path, &state) == 0 && S_ISREG(state.st_mode);
}

int secret_check(const struct secret *secret, const char *directory, struct error *err)
{
    switch (secret->kind) {
    case SECRET_NONE:
        return 0;
    case SECRET_ENV: {
        const char *value = getenv(secret->where);
        return value && *value
                   ? 0
                   : error_set(err, ERROR_PROJECT, "the environment variable %s is not set", secret->where);
    }
    case SECRET_FILE: {
        AUTO_FREE char *path = path_of(secret, directory);
        struct stat info;
        if (stat(path, &info) < 0 || access(path, R_OK) < 0)
            return error_set(err, ERROR_PROJECT, "the file %s: %s", path, strerror(errno));
        if (S_ISDIR(info.st_mode))
            return error_set(err, ERROR_PROJECT, "the file %s is a folder", path);
        return S_ISREG(info.st_mode) && !info.st_size
                   ? error_set(err, ERROR_PROJECT, "the file %s is empty", path)
                   : 0;
    }
    case SECRET_FD:
        return secret_is_given(secret->fd)
                   ? 0
                   : error_set(err, ERROR_PROJECT, "the descriptor %d is not open; give it like %d<file",
                               secret->fd, secret->fd);
    case SECRET_COMMAND: {
        const char *name = secret->command.items[0];
        AUTO_FREE char *path = strchr(name, '/') ? file_join(directory, name) : file_find_program(name, NULL);
        if (path && file_is_program(path))
            return 0;
        AUTO_ERROR why = ERROR_INIT;
        int there = path ? file_look(path, &why) : 0;
        return there < 0 ? error_set(err, ERROR_PROJECT, "the program cannot be run: %s", error_text(&why))
               : there   ? error_set(err, ERROR_PROJECT, "the program %s is not executable (chmod +x)", path)
                         : error_set(err, ERROR_PROJECT, "the program %s is not to be found%s",
                                   path ? path : name, path ? "" : " in PATH");
    }
    }
    return 0;
}

int secret_read(const struct secret *secret, const char *directory, char **out, size_t *length,
                struct error *err)
{
    return secret_read_within(secret, directory, SECRET_BOUND, out, length, err);
}
