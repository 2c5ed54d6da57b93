#include "store/identity.h"

#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/layout.h"
#include "format/json.h"
#include "format/sql.h"
#include "format/yaml.h"
#include "store/maintain.h"
#include "store/schema.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_LIMIT = 65536, BUSY_MS = 10000 };

/* What the file says. `original`: of a copy that was found to be one, where the original is. */
struct known {
    char id[ID_SIZE];
    char *path, *original;
};

#define AUTO_KNOWN __attribute__((cleanup(known_clear))) struct known
static void known_clear(struct known *known)
{
    free(known->path);
    free(known->original);
}

static char *file_of(const char *project)
{
    AUTO_FREE char *state = layout_state(project);
    return file_join(state, "project.json");
}

/* 1, or 0 where there is none. */
static int read_known(const char *project, struct known *out, struct error *err)
{
    AUTO_FREE char *path = file_of(project);
    AUTO_TEXT text = TEXT_INIT;
    int there = file_look(path, err);
    if (there <= 0)
        return there;
    if (file_read(path, FILE_LIMIT, &text, err) < 0)
        return -1;
    AUTO_JSON *object = json_parse(text_string(&text), text.length, NULL);
    const char *id = json_get_string(object, "id", "");
    const char *at = json_get_string(object, "path", "");
    if (!id_is(id) || *at != '/')
        return error_set(
            err, ERROR_STORE,
            "%s does not say which project this is; put it back, or remove it where this folder is "
            "no copy of another project",
            path);
    memcpy(out->id, id, ID_SIZE);
    out->path = xstrdup(at);
    out->original = xstrdup_or_null(json_get_string(object, "original", NULL));
    return 1;
}

/* What triphase.yml says, whatever else is wrong with it; NULL: nothing. malloc'ed. */
static char *said_id(const char *project)
{
    AUTO_FREE char *path = file_join(project, "triphase.yml");
    AUTO_WORDS faults = WORDS_INIT;
    struct node *root = NULL;
    char *id = NULL;
    if (yaml_read_file(path, "triphase.yml", &root, &faults) == 0) {
        const struct node *node = node_get(root, "id");
        id = node && node_is_scalar(node) && id_is(node->text) ? xstrdup(node->text) : NULL;
    }
    node_free(root);
    return id;
}

/* Clones of a project are one where they say the same id; what bears another would be nobody's any more. */
static int check_said(const struct known *known, const char *said, struct error *err)
{
    return !said || text_is(said, known->id)
               ? 0
               : error_set(err, ERROR_PROJECT,
                           "triphase.yml says that this project's 'id' is %s, and .triphase/project.json "
                           "%s, which what was made here bears: put 'id: %s' into triphase.yml, of its "
                           "clones too; or destroy what was made here while it says so, then say %s again "
                           "and remove .triphase/project.json",
                           said, known->id, known->id, said);
}

/* `first`: another command may be giving the project its id at this moment, and the earlier one holds. */
static int write_known(const char *project, const struct known *known, bool first, struct error *err)
{
    AUTO_JSON *object = json_new_object();
    json_set_integer(object, "version", 1);
    json_set_string(object, "id", known->id);
    json_set_string(object, "path", known->path);
    if (known->original)
        json_set_string(object, "original", known->original);
    AUTO_FREE char *path = file_of(project);
    AUTO_FREE char *bytes = json_pretty(object);
    if (!first)
        return file_replace(path, bytes, strlen(bytes), 0600, err);
    AUTO_FREE char *beside = xasprintf("%s.first.%ld", path, (long)getpid());
    if (file_replace(beside, bytes, strlen(bytes), 0600, err) < 0)
        return -1;
    int why = link(beside, path) < 0 ? errno : 0;
    unlink(beside);
    if (why == EEXIST || !why)
        return 0;
    /* A file system without hard links. */
    return file_replace(path, bytes, strlen(bytes), 0600, err);
}

bool identity_same_folder(const char *a, const char *b)
{
    struct stat one, other;
    return text_is(a, b) || (stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
                             one.st_ino == other.st_ino);
}

/* What the store here believes: targets that are made, and where the project was when a row of a triphase
 * before 0.2 was written (its paths were absolute). */
static int read_rows(const char *project, struct words *made, char **was_at, struct error *err)
{
    AUTO_FREE char *state = layout_state(project);
    AUTO_FREE char *store = layout_store(state);
    AUTO_SQL *db = NULL;
    AUTO_STATEMENT *targets = NULL;
    AUTO_STATEMENT *folders = NULL;
    int version, row, there = file_look(store, err);
    if (there <= 0)
        return there;
    if (sql_open(store, SQL_READ, BUSY_MS, &db, err) < 0 || store_version(db, store, &version, err) < 0)
        return -1;
    if (version == 0)
        return 0;
    if (sql_prepare(db, "SELECT DISTINCT target FROM machine WHERE removed_ns = 0 ORDER BY 1", &targets,
                    err) < 0 ||
        sql_prepare(db,
                    "SELECT json_extract(record, '$.directory'), id FROM machine WHERE json_valid(record)"
                    " AND removed_ns = 0",
                    &folders, err) < 0)
        return -1;
    while ((row = sql_step(targets, err)) > 0)
        words_add(made, sql_text(targets, 0));
    if (row < 0)
        return -1;
    while ((row = sql_step(folders, err)) > 0) {
        const char *folder = sql_text(folders, 0);
        AUTO_FREE char *end = xasprintf("/.triphase/machines/%s", sql_text(folders, 1));
        if (folder && *folder == '/' && text_ends(folder, end) && !*was_at)
            *was_at = xstrndup(folder, strlen(folder) - strlen(end));
    }
    return row;
}

/* Whether a project is at work at the path: with that id, or where none is known with a store at all. */
static int is_there(const char *path, const char *id, struct error *err)
{
    AUTO_ERROR why = ERROR_INIT;
    AUTO_KNOWN other = {.path = NULL};
    AUTO_FREE char *state = layout_state(path);
    AUTO_FREE char *store = layout_store(state);
    int there = id ? read_known(path, &other, &why) : file_look(store, &why);
    if (there < 0) {
        error_set(
            err, ERROR_PROJECT,
            "this folder may be a copy of the project in %s, which cannot be seen (%s): act there, or as a "
            "user who sees it",
            path, error_text(&why));
        return -1;
    }
    return there && (!id || text_is(other.id, id));
}

enum place { HERE, FIRST, MOVED, COPY };

/* What this folder is; `known` is filled but for FIRST without rows. */
static int find_place(const char *here, struct known *known, struct words *made, struct error *err)
{
    int status = read_known(here, known, err);
    if (status < 0)
        return -1;
    if (known->path && !known->original && identity_same_folder(known->path, here))
        return HERE;
    AUTO_FREE char *was_at = NULL;
    if (read_rows(here, made, &was_at, err) < 0)
        return -1;
    if (status > 0) {
        int there = is_there(known->original ? known->original : known->path,
                             known->original ? NULL : known->id, err);
        if (there > 0 && !known->original)
            known->original = xstrdup(known->path);
        return there < 0 ? -1 : there ? COPY : MOVED;
    }
    id_make(known->id);
    known->path = xstrdup(here);
    int there = was_at && !identity_same_folder(was_at, here) ? is_there(was_at, NULL, err) : 0;
    if (there > 0)
        known->original = TAKE(was_at);
    return there < 0 ? -1 : there ? COPY : FIRST;
}

static int settle_copy(const char *here, const struct known *known, const char *said,
                       const struct words *made, struct error *err)
{
    if (!made->count) {
        /* Nothing here is the original's any more; runs that were under way there when it was
         * copied are not ours to end. */
        AUTO_FREE char *state = layout_state(here);
        AUTO_FREE char *store = layout_store(state);
        struct known fresh = {.path = xstrdup(here)};
        if (said)
            memcpy(fresh.id, said, ID_SIZE);
        else
            id_make(fresh.id);
        int status = file_exists(store) ? store_disown_runs(store, err) : 0;
        if (status == 0)
            status = write_known(here, &fresh, false, err);
        known_clear(&fresh);
        return status;
    }
    /* The next command may find a store that was brought up to date, which no longer
     * says where it came from. */
    if (text_is(known->path, here) && write_known(here, known, false, err) < 0)
        return -1;
    AUTO_TEXT targets = TEXT_INIT;
    for (size_t i = 0; i < made->count; i++)
        text_addf(&targets, "%s%s", i ? ", " : "", made->items[i]);
    return error_set(
        err, ERROR_PROJECT,
        "this folder is a copy of the project in %s, to which what its store says is made belongs "
        "(%s): act there; here, 'triphase forget TARGET' drops one of them and 'triphase forget "
        "--everything' all, without touching what is %s's",
        known->original, text_string(&targets), known->original);
}

int identity_claim(const char *project_directory, char **moved_from, struct error *err)
{
    AUTO_KNOWN known = {.path = NULL};
    AUTO_WORDS made = WORDS_INIT;
    AUTO_FREE char *here = realpath(project_directory, NULL), *said = here ? said_id(here) : NULL;
    *moved_from = NULL;
    if (!here)
        return error_system(err, errno, "cannot find the project's folder %s", project_directory);
    switch (find_place(here, &known, &made, err)) {
    case HERE:
        return check_said(&known, said, err);
    case FIRST:
        if (said)
            memcpy(known.id, said, ID_SIZE);
        return write_known(here, &known, true, err);
    case MOVED: {
        AUTO_FREE char *was = TAKE(known.path);
        known.path = xstrdup(here);
        free(TAKE(known.original));
        if (check_said(&known, said, err) < 0)
            return -1;
        if (write_known(here, &known, false, err) < 0)
            return -1;
        if (!text_is(was, here))
            *moved_from = TAKE(was);
        return 0;
    }
    case COPY:
        return settle_copy(here, &known, said, &made, err);
    default:
        return -1;
    }
}

int identity_is_copy(const char *project_directory, char **original, struct error *err)
{
    AUTO_KNOWN known = {.path = NULL};
    AUTO_WORDS made = WORDS_INIT;
    AUTO_FREE char *here = realpath(project_directory, NULL);
    if (!here)
        return error_system(err, errno, "cannot find the project's folder %s", project_directory);
    int place = find_place(here, &known, &made, err);
    if (place == COPY)
        *original = TAKE(known.original);
    return place < 0 ? -1 : place == COPY;
}

char *identity_given(const char *project_directory)
{
    AUTO_KNOWN known = {.path = NULL};
    return read_known(project_directory, &known, NULL) > 0 ? xstrdup(known.id) : NULL;
}

char *identity_id(const char *project_directory)
{
    AUTO_KNOWN known = {.path = NULL};
    int there = read_known(project_directory, &known, NULL);
    return there > 0 ? xstrdup(known.id) : there == 0 ? said_id(project_directory) : NULL;
}
