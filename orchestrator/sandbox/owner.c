#include "sandbox/owner.h"

#include "base/deadline.h"
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "config/layout.h"
#include "format/json.h"
#include "process/child.h"
#include "store/identity.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OWNER_LIMIT = 1 << 20, LOCK_PAUSE_MS = 5 };

void sandbox_owner_clear(struct sandbox_owner *owner)
{
    free(owner->machine);
    free(owner->project);
    free(owner->target);
    free(owner->directory);
    free(owner->project_id);
    free(owner->path);
    free(owner->boot);
    free(owner->view);
    for (size_t i = 0; i < owner->part_count; i++) {
        free(owner->parts[i].at);
        free(owner->parts[i].lower);
    }
    free(owner->parts);
    if (owner->tree_lock >= 0)
        close(owner->tree_lock);
    *owner = (struct sandbox_owner)SANDBOX_OWNER_INIT;
}

void sandbox_owner_add_part(struct sandbox_owner *owner, const char *at, const char *lower)
{
    owner->parts = xreallocarray(owner->parts, owner->part_count + 1, sizeof *owner->parts);
    owner->parts[owner->part_count++] = (struct sandbox_part){xstrdup(at), xstrdup(lower)};
}

int sandbox_name(const char *machine_id, char out[SANDBOX_NAME_SIZE], struct error *err)
{
    if (!machine_id || !id_is(machine_id))
        return error_set(err, ERROR_PROVIDER, "cannot name a sandbox: '%s' is no machine's id",
                         machine_id ? machine_id : "");
    memcpy(out, "tp", 2);
    memcpy(out + 2, id_tail(machine_id, SANDBOX_NAME_SIZE - 3), SANDBOX_NAME_SIZE - 2);
    return 0;
}

bool sandbox_is_name(const char *text)
{
    return strlen(text) == SANDBOX_NAME_SIZE - 1 && text_starts(text, "tp") &&
           strspn(text + 2, "0123456789abcdef") == SANDBOX_NAME_SIZE - 3;
}

char *sandbox_path(const char *name, const char *file)
{
    return xasprintf(SANDBOX_HOME "/%s%s%s", name, file ? "/" : "", file ? file : "");
}

int sandbox_lock(int64_t bound_ns, struct error *err)
{
    if (file_make_dirs(SANDBOX_HOME, 0755, err) < 0)
        return -1;
    AUTO_CLOSE int fd = open(SANDBOX_HOME "/lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_system(err, errno, "cannot open " SANDBOX_HOME "/lock");
    struct deadline deadline = deadline_in(bound_ns);
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return error_system(err, errno, "cannot lock " SANDBOX_HOME "/lock");
        if (deadline_over(deadline))
            return error_set(err, ERROR_PROVIDER,
                             "another sandbox held " SANDBOX_HOME "/lock all the time: try again");
        poll(NULL, 0, LOCK_PAUSE_MS);
    }
    return TAKE_FD(fd);
}

/* The namespaces that decide which folders and processes this process sees, of itself or
 * of process 1. malloc'ed. */
static char *view_of(const char *process)
{
    char mounts[64] = "?", processes[64] = "?";
    AUTO_FREE char *mount_path = xasprintf("/proc/%s/ns/mnt", process);
    AUTO_FREE char *process_path = xasprintf("/proc/%s/ns/pid", process);
    ssize_t got = readlink(mount_path, mounts, sizeof mounts - 1);
    mounts[got > 0 ? got : 1] = '\0';
    got = readlink(process_path, processes, sizeof processes - 1);
    processes[got > 0 ? got : 1] = '\0';
    return xasprintf("%s %s", mounts, processes);
}

bool sandbox_owner_sees_the_same(const struct sandbox_owner *owner)
{
    AUTO_FREE char *boot = process_boot_id();
    AUTO_FREE char *view = view_of("self");
    AUTO_FREE char *of_first = view_of("1");
    return owner->boot && text_is(owner->boot, boot) ? text_is(owner->view, view)
                                                     : owner->first && text_is(view, of_first);
}

char *sandbox_whose(const struct sandbox_owner *owner)
{
    return xasprintf("a sandbox of target %s of project %s (%s)", owner->target ? owner->target : "?",
                     owner->project ? owner->project : "?",
                     owner->path        ? owner->path
                     : owner->directory ? owner->directory
                                        : "of an unknown folder");
}

int sandbox_owner_write(const struct sandbox_owner *owner, struct error *err)
{
    AUTO_JSON *object = json_new_object();
    json_set_integer(object, "version", 1);
    json_set_string(object, "name", owner->name);
    json_set_string(object, "machine", owner->machine);
    json_set_string(object, "project", owner->project);
    json_set_string(object, "target", owner->target);
    json_set_string(object, "directory", owner->directory);
    json_set_string(object, "project_id", owner->project_id);
    json_set_string(object, "path", owner->path);
    json_set_integer(object, "made_ns", owner->made_ns);
    json_set_integer(object, "expires_ns", owner->expires_ns);
    AUTO_FREE char *view = view_of("self");
    AUTO_FREE char *of_first = view_of("1");
    json_set_string(object, "view", view);
    json_set_bool(object, "first", text_is(view, of_first));
    json_set_integer(object, "pid", getpid());
    json_set_integer(object, "start", process_start_time(getpid()));
    AUTO_FREE char *boot = process_boot_id();
    json_set_string(object, "boot", boot);
    if (owner->subnet) {
        AUTO_FREE char *here = sandbox_host_address(owner->subnet);
        AUTO_FREE char *guest = sandbox_guest_address(owner->subnet);
        char subnet[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &owner->subnet, subnet, sizeof subnet);
        json_set_string(object, "subnet", subnet);
        json_set_string(object, "host_address", here);
        json_set_string(object, "guest_address", guest);
    }
    struct json *parts = json_new_array();
    for (size_t i = 0; i < owner->part_count; i++) {
        struct json *part = json_new_object();
        json_set_string(part, "at", owner->parts[i].at);
        json_set_string(part, "lower", owner->parts[i].lower);
        json_append(parts, part);
    }
    json_set(object, "parts", parts);

    AUTO_FREE char *folder = sandbox_path(owner->name, NULL);
    AUTO_FREE char *path = sandbox_path(owner->name, "owner.json");
    AUTO_FREE char *bytes = json_pretty(object);
    if (file_make_dirs(folder, 0700, err) < 0 || file_replace(path, bytes, strlen(bytes), 0600, err) < 0)
        return -1;
    return 0;
}

int sandbox_owner_read(const char *name, struct sandbox_owner *out, struct error *err)
{
    if (!sandbox_is_name(name))
        return 0;
    AUTO_FREE char *path = sandbox_path(name, "owner.json");
    AUTO_TEXT bytes = TEXT_INIT;
    int there = file_look(path, err);
    if (there <= 0)
        return there;
    if (file_read(path, OWNER_LIMIT, &bytes, err) < 0)
        return -1;
    AUTO_JSON *object = json_parse(text_string(&bytes), bytes.length, NULL);
    if (!json_is_object(object))
        return error_set(err, ERROR_SYSTEM, "%s is damaged", path);
    struct sandbox_owner owner = SANDBOX_OWNER_INIT;
    memcpy(owner.name, name, SANDBOX_NAME_SIZE);
    owner.machine = xstrdup_or_null(json_get_string(object, "machine", NULL));
    owner.project = xstrdup_or_null(json_get_string(object, "project", NULL));
    owner.target = xstrdup_or_null(json_get_string(object, "target", NULL));
    owner.directory = xstrdup_or_null(json_get_string(object, "directory", NULL));
    owner.project_id = xstrdup_or_null(json_get_string(object, "project_id", NULL));
    owner.path = xstrdup_or_null(json_get_string(object, "path", NULL));
    owner.boot = xstrdup_or_null(json_get_string(object, "boot", NULL));
    owner.view = xstrdup_or_null(json_get_string(object, "view", NULL));
    owner.first = json_get_bool(object, "first");
    owner.made_ns = json_get_integer(object, "made_ns", 0);
    owner.expires_ns = json_get_integer(object, "expires_ns", 0);
    struct in_addr subnet;
    if (inet_pton(AF_INET, json_get_string(object, "subnet", ""), &subnet) == 1)
        owner.subnet = subnet.s_addr;
    const struct json *parts = json_get(object, "parts");
    for (size_t i = 0; i < json_count(parts); i++) {
        const char *at = json_get_string(json_at(parts, i), "at", NULL);
        const char *lower = json_get_string(json_at(parts, i), "lower", NULL);
        if (at && lower)
            sandbox_owner_add_part(&owner, at, lower);
    }
    sandbox_owner_clear(out);
    *out = owner;
    return 1;
}

/* What lay below the folder is below the other one now. */
static void move_path(char **path, const char *from, const char *to)
{
    if (!*path || !from || !file_is_within(*path, from))
        return;
    char *moved = xasprintf("%s%s", to, *path + strlen(from));
    free(*path);
    *path = moved;
}

static void move_to(struct sandbox_owner *owner, const char *project)
{
    AUTO_FREE char *was = TAKE(owner->path);
    for (size_t i = 0; i < owner->part_count; i++)
        move_path(&owner->parts[i].lower, was, project);
    owner->path = xstrdup(project);
}

/* Whether a note without an id names the same machine's folder, or one that is nowhere any more. */
static bool is_old_note_of(const struct sandbox_owner *owner, const char *directory)
{
    struct stat theirs;
    if (!owner->directory || identity_same_folder(owner->directory, directory))
        return true;
    /* What only cannot be seen may be another's. */
    return stat(owner->directory, &theirs) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

int sandbox_owner_take(struct sandbox_owner *owner, const struct machine *machine, struct error *err)
{
    AUTO_FREE char *project = xasprintf("%s/../../..", machine->directory);
    AUTO_FREE char *real = realpath(project, NULL);
    AUTO_FREE char *id = real ? identity_id(real) : NULL;
    bool ours =
        owner->project_id && id ? text_is(owner->project_id, id) : is_old_note_of(owner, machine->directory);
    if (!ours || (owner->machine && !text_is(owner->machine, machine->id))) {
        AUTO_FREE char *whose = sandbox_whose(owner);
        return error_set(err, ERROR_PROJECT,
                         "%s is %s, not of this project: nothing of it was touched; 'triphase "
                         "forget %s' drops it here",
                         owner->name, whose, machine->target);
    }
    if (real)
        move_to(owner, real);
    free(owner->project_id);
    owner->project_id = TAKE(id);
    free(owner->directory);
    owner->directory = xstrdup(machine->directory);
    return 0;
}

/* A clone that says the same id is at work there: what it made is not moved. */
static bool is_of_a_clone(const struct sandbox_owner *owner, const char *project_directory)
{
    AUTO_FREE char *id = owner->path ? identity_given(owner->path) : NULL;
    return text_is(id, owner->project_id) && !identity_same_folder(owner->path, project_directory);
}

int sandbox_owner_follow(const char *project_directory, struct error *err)
{
    AUTO_WORDS names = WORDS_INIT;
    AUTO_FREE char *id = identity_id(project_directory);
    AUTO_FREE char *state = layout_state(project_directory);
    if (!id || sandbox_names(&names, err) < 0)
        return id ? -1 : 0;
    for (size_t i = 0; i < names.count; i++) {
        AUTO_SANDBOX_OWNER owner = SANDBOX_OWNER_INIT;
        if (sandbox_owner_read(names.items[i], &owner, NULL) <= 0 || !text_is(owner.project_id, id) ||
            !owner.machine || is_of_a_clone(&owner, project_directory))
            continue;
        move_to(&owner, project_directory);
        free(owner.directory);
        owner.directory = layout_machine(state, owner.machine);
        if (sandbox_owner_write(&owner, err) < 0)
            return -1;
    }
    return 0;
}

int sandbox_names(struct words *out, struct error *err)
{
    AUTO_WORDS names = WORDS_INIT;
    if (file_list(SANDBOX_HOME, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++)
        if (sandbox_is_name(names.items[i]))
            words_add(out, names.items[i]);
    return 0;
}

static char *address_of(in_addr_t subnet, uint32_t number)
{
    struct in_addr address = {htonl(ntohl(subnet) + number)};
    char text[INET_ADDRSTRLEN];
    return xstrdup(inet_ntop(AF_INET, &address, text, sizeof text) ? text : "");
}

char *sandbox_guest_address(in_addr_t subnet)
{
    return address_of(subnet, 2);
}

char *sandbox_host_address(in_addr_t subnet)
{
    return address_of(subnet, 1);
}
