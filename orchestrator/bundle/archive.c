#include "bundle/archive.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 65536 };
static const int64_t longest_file = INT64_C(256) << 20;

struct bundle {
    struct tarball *tarball;
    const struct redact_rules *rules;
    char *path, *top;
    int scratch; /* what is redacted of the file that is open */
    struct json *files, *missing, *kinds;
    int64_t redactions;
    /* The file that is open. */
    char *name;
    struct redact *redact;
    struct digest digest;
    int64_t size, modified_ns;
};

char *bundle_safe_name(const char *name)
{
    struct text out = TEXT_INIT;
    for (; *name; name++)
        text_add_char(&out, isalnum((unsigned char)*name) || strchr("._-", *name) ? *name : '_');
    return text_take(&out);
}

int bundle_begin(const char *path, enum tarball_format format, const char *top,
                 const struct redact_rules *rules, struct bundle **out, struct error *err)
{
    AUTO_FREE char *copy = xstrdup(path);
    struct bundle *bundle = xcalloc(1, sizeof *bundle);
    *bundle = (struct bundle){.rules = rules,
                              .path = xstrdup(path),
                              .top = xstrdup(top),
                              .scratch = tarball_scratch(dirname(copy), err),
                              .files = json_new_array(),
                              .missing = json_new_array(),
                              .kinds = json_new_object()};
    if (bundle->scratch < 0 || tarball_begin(path, format, &bundle->tarball, err) < 0) {
        bundle_drop(bundle);
        return -1;
    }
    *out = bundle;
    return 0;
}

void bundle_drop(struct bundle *bundle)
{
    if (!bundle)
        return;
    tarball_drop(bundle->tarball);
    fd_close(&bundle->scratch);
    redact_free(bundle->redact);
    json_free(bundle->files);
    json_free(bundle->missing);
    json_free(bundle->kinds);
    free(bundle->name);
    free(bundle->path);
    free(bundle->top);
    free(bundle);
}

/* ---- one file ---- */

int bundle_open(struct bundle *bundle, const char *name, struct error *err)
{
    if (ftruncate(bundle->scratch, 0) < 0 || lseek(bundle->scratch, 0, SEEK_SET) < 0)
        return error_system(err, errno, "cannot empty the file beside %s", bundle->path);
    free(bundle->name);
    bundle->name = xstrdup(name);
    redact_free(bundle->redact);
    bundle->redact = redact_new(bundle->rules);
    digest_begin(&bundle->digest);
    bundle->size = 0;
    bundle->modified_ns = moment_wall();
    return 0;
}

static int put_decided(struct bundle *bundle, const struct text *text, struct error *err)
{
    digest_add(&bundle->digest, text_string(text), text->length);
    bundle->size += (int64_t)text->length;
    if (file_write_all(bundle->scratch, text_string(text), text->length) < 0)
        return error_system(err, errno, "cannot write %s into %s", bundle->name, bundle->path);
    return 0;
}

int bundle_put(struct bundle *bundle, const char *bytes, size_t length, struct error *err)
{
    AUTO_TEXT decided = TEXT_INIT;
    redact_add(bundle->redact, bytes, length, &decided);
    return put_decided(bundle, &decided, err);
}

int bundle_close(struct bundle *bundle, struct json *facts, struct error *err)
{
    AUTO_JSON *more = facts;
    AUTO_TEXT decided = TEXT_INIT;
    AUTO_FREE char *whole = xasprintf("%s/%s", bundle->top, bundle->name);
    char sum[DIGEST_TEXT];
    redact_end(bundle->redact, &decided);
    if (put_decided(bundle, &decided, err) < 0 ||
        tarball_add(bundle->tarball, whole, bundle->modified_ns, bundle->scratch, bundle->size, err) < 0)
        return -1;
    digest_end(&bundle->digest, sum);
    struct json *entry = json_new_object(), *value;
    const char *key;
    json_set_string(entry, "name", bundle->name);
    json_set_integer(entry, "size", bundle->size);
    json_set_string(entry, "sha256", sum);
    json_set_integer(entry, "redactions", (int64_t)redact_count(bundle->redact));
    for (void *at = NULL; more && json_each(more, &at, &key, &value);)
        json_set(entry, key, json_keep(value));
    json_append(bundle->files, entry);
    bundle->redactions += (int64_t)redact_count(bundle->redact);
    redact_add_kinds(bundle->redact, bundle->kinds);
    return 0;
}

int bundle_add(struct bundle *bundle, const char *name, const struct text *text, struct json *facts,
               struct error *err)
{
    if (bundle_open(bundle, name, err) == 0 && bundle_put(bundle, text_string(text), text->length, err) == 0)
        return bundle_close(bundle, facts, err);
    json_free(facts);
    return -1;
}

bool bundle_has(const struct bundle *bundle, const char *name)
{
    for (size_t i = 0; i < json_count(bundle->files); i++)
        if (text_is(json_get_string(json_at(bundle->files, i), "name", ""), name))
            return true;
    return false;
}

void bundle_missing(struct bundle *bundle, const char *part, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *why = xvasprintf(format, args);
    va_end(args);
    struct json *entry = json_new_object();
    json_set_string(entry, "part", part);
    json_set_string(entry, "why", why);
    json_append(bundle->missing, entry);
}

/* ---- files of this machine ---- */

struct source {
    int fd;
    int64_t at, end;  /* what of it is to be read */
    int64_t skipped;  /* bytes before */
    int problem;      /* errno of a read that failed */
    bool line_wanted; /* what is left of a line that was cut through is no more than a piece of one */
};

static ssize_t read_some(struct source *source, char *block)
{
    ssize_t got;
    do {
        size_t wanted = source->end - source->at < BLOCK ? (size_t)(source->end - source->at) : BLOCK;
        got = wanted ? pread(source->fd, block, wanted, source->at) : 0;
    } while (got < 0 && errno == EINTR);
    source->problem = got < 0 ? errno : 0;
    source->at += got > 0 ? got : 0;
    return got;
}

static int copy(struct bundle *bundle, struct source *source, struct error *err)
{
    char block[BLOCK];
    for (ssize_t got; (got = read_some(source, block)) > 0;) {
        size_t from = 0;
        if (source->line_wanted) {
            const char *end = memchr(block, '\n', (size_t)got);
            from = end ? (size_t)(end - block) + 1 : (size_t)got;
            source->line_wanted = !end;
            source->skipped += (int64_t)from;
        }
        if (bundle_put(bundle, block + from, (size_t)got - from, err) < 0)
            return -1;
    }
    return 0;
}

/* What became of the file while it was read, where something did. */
static struct json *facts_of(const struct source *source)
{
    struct json *facts = json_new_object();
    struct stat now;
    if (source->skipped)
        json_set_integer(facts, "left_out_before", source->skipped);
    if (source->problem)
        json_set_string(facts, "cut_off", strerror(source->problem));
    else if (source->at < source->end)
        json_set_string(facts, "cut_off", "it became shorter while it was read");
    else if (fstat(source->fd, &now) == 0 && now.st_size > source->end)
        json_set_integer(facts, "grew_by", now.st_size - source->end);
    return facts;
}

int bundle_add_file(struct bundle *bundle, int folder, const char *file, const char *name, struct error *err)
{
    struct stat state;
    AUTO_CLOSE int fd = openat(folder, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    int problem = errno;
    if (fd < 0 || fstat(fd, &state) < 0 || !S_ISREG(state.st_mode)) {
        bundle_missing(bundle, name, "%s",
                       fd >= 0            ? "it is no regular file"
                       : problem == ELOOP ? "it is a link"
                                          : strerror(problem));
        return 0;
    }
    struct source source = {.fd = fd, .end = state.st_size};
    if (source.end > longest_file) {
        source.at = source.skipped = source.end - longest_file;
        source.line_wanted = true;
    }
    if (bundle_open(bundle, name, err) < 0)
        return -1;
    bundle->modified_ns = state.st_mtim.tv_sec * NS_PER_S;
    return copy(bundle, &source, err) < 0 ? -1 : bundle_close(bundle, facts_of(&source), err);
}

int bundle_add_folder(struct bundle *bundle, const char *path, const char *name, struct error *err)
{
    AUTO_WORDS files = WORDS_INIT;
    AUTO_ERROR why = ERROR_INIT;
    AUTO_CLOSE int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) {
        bundle_missing(bundle, name, "%s", errno == ENOENT ? "the folder is gone" : strerror(errno));
        return 0;
    }
    /* The very folder that was opened, whatever the path leads to by now. */
    AUTO_FREE char *self = xasprintf("/proc/self/fd/%d", folder);
    if (file_list(self, &files, &why) < 0) {
        bundle_missing(bundle, name, "%s", error_text(&why));
        return 0;
    }
    for (size_t i = 0; i < files.count; i++) {
        AUTO_FREE char *safe = bundle_safe_name(files.items[i]);
        AUTO_FREE char *within = xasprintf("%s/%s", name, safe);
        if (bundle_add_file(bundle, folder, files.items[i], within, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- the manifest ---- */

static struct json *redactions_of(const struct bundle *bundle, const struct json *unread, int64_t in_manifest)
{
    struct json *object = json_new_object(), *kinds = json_new_array(), *value;
    const char *kind;
    json_set_integer(object, "total", bundle->redactions + in_manifest);
    json_set_integer(object, "in_manifest", in_manifest);
    for (void *at = NULL; json_each(bundle->kinds, &at, &kind, &value);) {
        struct json *entry = json_new_object();
        json_set_string(entry, "kind", kind);
        json_set(entry, "count", json_keep(value));
        json_append(kinds, entry);
    }
    json_set(object, "kinds", kinds);
    json_set_integer(object, "known_values", (int64_t)redact_rules_count(bundle->rules));
    struct json *list = json_new_array();
    for (size_t i = 0; i < json_count(unread); i++)
        json_append(list, json_keep(json_at(unread, i)));
    json_set(object, "not_by_value", list);
    return object;
}

/* Messages in it can quote what is secret too. What was taken out of it is counted in
 * it, so it is written twice. */
static size_t write_manifest(const struct bundle *bundle, struct json *about, const struct json *unread,
                             int64_t in_manifest, struct text *out)
{
    json_set(about, "redactions", redactions_of(bundle, unread, in_manifest));
    AUTO_FREE char *pretty = json_pretty(about);
    text_truncate(out, 0);
    size_t count = redact_text(bundle->rules, pretty, strlen(pretty), out);
    text_add_char(out, '\n');
    return count;
}

static int add_manifest(struct bundle *bundle, const struct text *text, struct error *err)
{
    AUTO_FREE char *whole = xasprintf("%s/manifest.json", bundle->top);
    if (ftruncate(bundle->scratch, 0) < 0 || lseek(bundle->scratch, 0, SEEK_SET) < 0 ||
        file_write_all(bundle->scratch, text->bytes, text->length) < 0)
        return error_system(err, errno, "cannot write the manifest of %s", bundle->path);
    return tarball_add(bundle->tarball, whole, moment_wall(), bundle->scratch, (int64_t)text->length, err);
}

int bundle_end(struct bundle *bundle, struct json *about, const struct json *unread, struct json **manifest,
               int64_t *size, struct error *err)
{
    AUTO_JSON *object = about;
    AUTO_TEXT text = TEXT_INIT;
    json_set(object, "files", json_keep(bundle->files));
    json_set(object, "missing", json_keep(bundle->missing));
    size_t count = write_manifest(bundle, object, unread, 0, &text);
    if (count)
        write_manifest(bundle, object, unread, (int64_t)count, &text);
    int result = add_manifest(bundle, &text, err);
    if (result == 0)
        result = tarball_end(TAKE(bundle->tarball), size, err);
    if (result == 0 && manifest)
        *manifest = json_parse(text_string(&text), text.length, NULL);
    bundle_drop(bundle);
    return result;
}
