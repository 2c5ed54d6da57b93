#include "base/deadline.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "process/program.h"
#include "provider/machine_folder.h"
#include "provider/provider.h"
#include "sandbox/boot.h"
#include "sandbox/check.h"
#include "sandbox/forward.h"
#include "sandbox/host_root.h"
#include "sandbox/mounts.h"
#include "sandbox/network.h"
#include "sandbox/owner.h"
#include "sandbox/prepare.h"
#include "sandbox/ready.h"
#include "sandbox/root.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_BOUND (30 * NS_PER_S)
/* What a throw-away guest gets to shut down in order before it is ended. */
#define GRACE (10 * NS_PER_S)

enum { KEY_MOST = 65536, SSH_PORT = 22 };

static int plan(const struct target *target, struct machine *machine, struct error *err)
{
    char name[SANDBOX_NAME_SIZE];
    AUTO_FREE char *path = NULL;
    AUTO_FREE char *project = machine_project(machine);
    if (root_kind(target->root, project, &path, err) < 0 || sandbox_name(machine->id, name, err) < 0)
        return -1;
    free(machine->reference);
    machine->reference = xstrdup(name);
    struct json *resources = json_new_object();
    json_set_string(resources, "name", name);
    json_set_string(resources, "folder", SANDBOX_HOME);
    json_set_string(resources, "scope", machine->id);
    json_free(machine->resources);
    machine->resources = resources;
    return 0;
}

struct keys {
    struct text authorized, host, host_public;
};

static void keys_clear(struct keys *keys)
{
    if (keys->host.bytes)
        explicit_bzero(keys->host.bytes, keys->host.length);
    text_clear(&keys->authorized);
    text_clear(&keys->host);
    text_clear(&keys->host_public);
}

/* The machine's key and the guest's host key, both made here before it boots; of the latter
 * only the public half stays. */
static int make_keys(struct machine *machine, struct keys *keys, struct error *err)
{
    const char *folder = machine->directory;
    AUTO_FREE char *host_key = file_join(folder, "host_key");
    AUTO_FREE char *host_public = file_join(folder, "host_key.pub");
    AUTO_FREE char *known = file_join(folder, "known_hosts");
    AUTO_FREE char *comment = xasprintf("triphase-%s", machine->target);
    if (machine_folder_make_key(folder, "key", comment, err) < 0 ||
        machine_folder_make_key(folder, "host_key", comment, err) < 0)
        return -1;
    int result = 0;
    if (machine_folder_read(folder, "key.pub", &keys->authorized, err) < 0 ||
        machine_folder_read(folder, "host_key.pub", &keys->host_public, err) < 0 ||
        file_read(host_key, KEY_MOST, &keys->host, err) < 0)
        result = -1;
    unlink(host_key);
    unlink(host_public);
    if (result < 0)
        return -1;
    /* Without the comment: type and key. */
    char *second = strchr(keys->host_public.bytes, ' ');
    char *third = second ? strchr(second + 1, ' ') : NULL;
    if (third)
        text_truncate(&keys->host_public, (size_t)(third - keys->host_public.bytes));
    AUTO_FREE char *line = xasprintf("triphase-%s %s\n", machine->id, text_string(&keys->host_public));
    return file_replace(known, line, strlen(line), 0600, err);
}

/* Chooses the subnet and leaves word of the machine, before anything of it exists. */
static int claim(struct sandbox_owner *owner, struct error *err)
{
    AUTO_CLOSE int lock = sandbox_lock(LOCK_BOUND, err);
    if (lock < 0 || network_choose(owner, err) < 0 || sandbox_owner_write(owner, err) < 0)
        return -1;
    return forward_on(err);
}

static void fill(const struct target *target, struct machine *machine, const struct sandbox_owner *owner,
                 const struct keys *keys, char *python)
{
    free(machine->address);
    machine->address = sandbox_guest_address(owner->subnet);
    machine->port = target->port ? target->port : SSH_PORT;
    free(machine->user);
    machine->user = xstrdup(target->user ? target->user : "root");
    free(machine->key);
    machine->key = file_join(machine->directory, "key");
    words_clear(&machine->host_keys);
    words_add(&machine->host_keys, text_string(&keys->host_public));
    free(machine->python);
    machine->python = xstrdup_or_null(python);
    AUTO_FREE char *here = sandbox_host_address(owner->subnet);
    json_set_string(machine->resources, "host_address", here);
    json_set_string(machine->resources, "root", owner->parts[0].lower);
}

static int remove_sandbox(const struct target *target, struct machine *machine, int64_t bound_ns,
                          struct error *err);

static int make(const struct target *target, struct machine *machine, struct error *err)
{
    static const char *const files[] = {"key", "key.pub", "known_hosts", "console.log"};
    AUTO_SANDBOX_OWNER owner = SANDBOX_OWNER_INIT;
    AUTO_SANDBOX_OWNER earlier = SANDBOX_OWNER_INIT;
    __attribute__((cleanup(keys_clear))) struct keys keys = {TEXT_INIT, TEXT_INIT, TEXT_INIT};
    if (sandbox_name(machine->id, owner.name, err) < 0 ||
        (!machine->reference && plan(target, machine, err) < 0))
        return -1;
    AUTO_FREE char *project = machine_project(machine);
    /* Somebody began to make this very machine: nothing of that is built upon. */
    if (sandbox_owner_read(owner.name, &earlier, NULL) != 0 &&
        remove_sandbox(target, machine, target->destroy_ns, err) < 0)
        return -1;
    owner.machine = xstrdup(machine->id);
    owner.project = xstrdup_or_null(machine->project);
    owner.target = xstrdup_or_null(machine->target);
    owner.made_ns = moment_wall();
    owner.expires_ns = machine->expires_ns;
    if (sandbox_owner_take(&owner, machine, err) < 0 ||
        root_parts(target->root, project, target->root_tree_ns, &owner, err) < 0 ||
        file_make_dirs(machine->directory, 0700, err) < 0 || make_keys(machine, &keys, err) < 0 ||
        claim(&owner, err) < 0)
        return -1;

    AUTO_FREE char *root = mounts_root(owner.name);
    AUTO_TEXT resolvers = TEXT_INIT;
    AUTO_FREE char *python = NULL;
    network_resolvers(&resolvers);
    if (network_make(&owner, err) < 0 || mounts_make(&owner, err) < 0 ||
        (host_root_is(&owner) && host_root_fill(root, err) < 0))
        return -1;
    struct sandbox_settings settings = {.machine = machine->id,
                                        .host_name = target->host_name ? target->host_name : target->name,
                                        .user = target->user ? target->user : "root",
                                        .port = target->port ? target->port : SSH_PORT,
                                        .authorized_key = text_string(&keys.authorized),
                                        .host_key = text_string(&keys.host),
                                        .host_public = text_string(&keys.host_public),
                                        .resolvers = text_string(&resolvers)};
    if (prepare_guest(root, &settings, &python, err) < 0 || boot_start(&owner, err) < 0 ||
        machine_folder_give(machine->directory, files, COUNT_OF(files), err) < 0)
        return -1;
    fill(target, machine, &owner, &keys, python);
    machine->made_ns = moment_wall();
    return 0;
}

/* Starts a made machine that went down with this one, with the same root, address and keys. */
static int bring_up(const struct machine *machine, struct error *err)
{
    AUTO_SANDBOX_OWNER owner = SANDBOX_OWNER_INIT;
    int known = machine->reference ? sandbox_owner_read(machine->reference, &owner, err) : 0;
    if (known < 0)
        return -1;
    if (!known || !owner.subnet || !owner.machine || !machine->directory)
        return error_set(err, ERROR_PROVIDER,
                         "the sandbox %s of target %s is gone: there is no " SANDBOX_HOME
                         "/%s/owner.json; destroy it",
                         machine->reference, machine->target, machine->reference);
    {
        AUTO_CLOSE int lock = sandbox_lock(LOCK_BOUND, err);
        if (lock < 0 || sandbox_owner_take(&owner, machine, err) < 0 ||
            sandbox_owner_write(&owner, err) < 0 || forward_on(err) < 0)
            return -1;
    }
    if (!network_is_there(owner.name) && network_make(&owner, err) < 0)
        return -1;
    return mounts_make(&owner, err) < 0 ? -1 : boot_start(&owner, err);
}

static int verify(const struct target *target, struct machine *machine, int64_t bound_ns, struct error *err)
{
    (void)target;
    struct deadline deadline = deadline_in(bound_ns);
    if (!machine->reference || !machine->address)
        return error_set(err, ERROR_PROVIDER, "the sandbox of target %s was never made whole; destroy it",
                         machine->target);
    if (!boot_runs(machine->id) && bring_up(machine, err) < 0)
        return -1;
    return ready_wait(machine, deadline, err);
}

/* Everything below the sandbox's folder but owner.json, which goes last. */
static int remove_folders(const char *name, struct error *err)
{
    AUTO_FREE char *folder = sandbox_path(name, NULL);
    AUTO_WORDS names = WORDS_INIT;
    if (file_list(folder, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *path = file_join(folder, names.items[i]);
        if (!text_is(names.items[i], "owner.json") && file_remove_tree(path, err) < 0)
            return -1;
    }
    return 0;
}

static int find_left(const char *id, const char *name, struct words *left, struct error *err)
{
    AUTO_FREE char *folder = sandbox_path(name, NULL);
    AUTO_WORDS names = WORDS_INIT;
    if (boot_left(id, name, left, err) < 0 || mounts_left(name, left, err) < 0 ||
        network_left(name, left, err) < 0 || file_list(folder, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++)
        if (!text_is(names.items[i], "owner.json"))
            words_addf(left, "folder %s/%s", folder, names.items[i]);
    return 0;
}

/* The owner's note and its folder, and what all sandboxes share. */
static int forget(const char *name, struct error *err)
{
    AUTO_CLOSE int lock = sandbox_lock(LOCK_BOUND, err);
    AUTO_FREE char *folder = sandbox_path(name, NULL);
    if (lock < 0 || file_remove_tree(folder, err) < 0)
        return -1;
    return forward_off(err);
}

static void remove_files(const char *directory)
{
    static const char *const files[] = {"key",          "key.pub",     "host_key",
                                        "host_key.pub", "known_hosts", "console.log"};
    machine_folder_forget(directory, files, COUNT_OF(files));
}

static int remove_sandbox(const struct target *target, struct machine *machine, int64_t bound_ns,
                          struct error *err)
{
    (void)target;
    struct deadline deadline = deadline_in(bound_ns);
    char name[SANDBOX_NAME_SIZE];
    AUTO_SANDBOX_OWNER owner = SANDBOX_OWNER_INIT;
    if (machine->reference && sandbox_is_name(machine->reference))
        memcpy(name, machine->reference, SANDBOX_NAME_SIZE);
    else if (sandbox_name(machine->id, name, err) < 0)
        return -1;
    /* A note that cannot be read is no reason to leave its resources; one of another project is. */
    int known = sandbox_owner_read(name, &owner, NULL);
    if (known > 0 && machine->directory && sandbox_owner_take(&owner, machine, err) < 0)
        return -1;
    const char *id = machine->id ? machine->id : owner.machine;
    AUTO_ERROR last = ERROR_INIT;
    AUTO_WORDS first = WORDS_INIT;
    /* Nothing was ever made, or all of it is gone: a look is enough. */
    AUTO_FREE char *folder = sandbox_path(name, NULL);
    if (known == 0 && !file_exists(folder) && find_left(id, name, &first, &last) == 0 && !first.count) {
        remove_files(machine->directory);
        return 0;
    }
    if (geteuid() != 0)
        return error_set(err, ERROR_PROVIDER, "root alone removes the sandbox %s: run triphase with sudo",
                         name);
    for (int64_t grace = GRACE < bound_ns / 2 ? GRACE : bound_ns / 2;; grace = 0) {
        AUTO_WORDS left = WORDS_INIT;
        error_clear(&last);
        /* Each on its own: that one cannot be removed keeps none of the others. */
        struct error trouble[4] = {ERROR_INIT, ERROR_INIT, ERROR_INIT, ERROR_INIT};
        boot_stop(id, name, grace, deadline, &trouble[0]);
        mounts_remove(name, &trouble[1]);
        network_remove(name, &trouble[2]);
        /* Never into a root that is still mounted. */
        if (trouble[1].kind == ERROR_NONE)
            remove_folders(name, &trouble[3]);
        for (size_t i = 0; i < COUNT_OF(trouble); i++) {
            if (last.kind == ERROR_NONE)
                error_move(&last, &trouble[i]);
            error_clear(&trouble[i]);
        }
        if (find_left(id, name, &left, &last) == 0 && left.count == 0 && last.kind == ERROR_NONE)
            break;
        if (deadline_over(deadline)) {
            AUTO_TEXT text = TEXT_INIT;
            for (size_t i = 0; i < left.count; i++)
                text_addf(&text, "%s%s", i ? ", " : "", left.items[i]);
            return error_set(err, ERROR_PROVIDER, "the sandbox %s could not be removed%s%s%s%s", name,
                             left.count ? ": still there: " : "", text_string(&text),
                             last.kind != ERROR_NONE ? ": " : "",
                             last.kind != ERROR_NONE ? error_text(&last) : "");
        }
        usleep(20000);
    }
    if (forget(name, err) < 0)
        return -1;
    remove_files(machine->directory ? machine->directory : owner.directory);
    return 0;
}

/* Whose it is, as far as that can be read here. */
static void describe(const char *name, struct listed *out)
{
    AUTO_SANDBOX_OWNER owner = SANDBOX_OWNER_INIT;
    AUTO_ERROR err = ERROR_INIT;
    out->reference = xstrdup(name);
    int known = sandbox_owner_read(name, &owner, &err);
    if (known <= 0) {
        out->what = known < 0 ? xasprintf("a sandbox whose owner cannot be read (%s)", error_text(&err))
                              : xstrdup("a sandbox without a note of its owner");
        return;
    }
    out->what = sandbox_whose(&owner);
    out->project_id = TAKE(owner.project_id);
    out->target = TAKE(owner.target);
    out->machine = TAKE(owner.machine);
    out->made_ns = owner.made_ns;
    out->expires_ns = owner.expires_ns;
}

/* Whatever on this machine carries a sandbox's name, with a folder or without. */
static int list(const struct project *project, const struct target *target, struct listing *out,
                struct error *err)
{
    (void)project;
    (void)target;
    AUTO_WORDS names = WORDS_INIT, references = WORDS_INIT;
    if (sandbox_names(&references, err) < 0 || network_interfaces(&names, err) < 0)
        return -1;
    file_list("/run/netns", &names, NULL);
    for (size_t i = 0; i < names.count; i++)
        if (sandbox_is_name(names.items[i]))
            words_add(&references, names.items[i]);
    words_sort_unique(&references);
    for (size_t i = 0; i < references.count; i++)
        describe(references.items[i], listing_add(out));
    return 0;
}

/* By its note: the machine's own folder, which may lie in another copy of the project, loses what the
 * provider laid there. */
static int remove_listed(const struct project *project, const struct target *target,
                         const struct listed *listed, int64_t bound_ns, struct error *err)
{
    (void)project;
    AUTO_MACHINE *machine = machine_new();
    machine->id = xstrdup_or_null(listed->machine);
    machine->target = xstrdup_or_null(listed->target);
    machine->reference = xstrdup(listed->reference);
    return remove_sandbox(target, machine, bound_ns, err);
}

static int expire(const struct target *target, const struct machine *machine, struct error *err)
{
    (void)target;
    AUTO_SANDBOX_OWNER owner = SANDBOX_OWNER_INIT;
    AUTO_CLOSE int lock = sandbox_lock(LOCK_BOUND, err);
    int known = lock < 0 ? -1 : machine->reference ? sandbox_owner_read(machine->reference, &owner, err) : 0;
    if (known <= 0)
        return known;
    if (sandbox_owner_take(&owner, machine, err) < 0)
        return -1;
    owner.expires_ns = machine->expires_ns;
    return sandbox_owner_write(&owner, err);
}

static int left(const char *machine, struct words *left, struct error *err)
{
    char name[SANDBOX_NAME_SIZE];
    if (sandbox_name(machine, name, err) < 0 || boot_left(machine, name, left, err) < 0 ||
        mounts_left(name, left, err) < 0 || network_left(name, left, err) < 0)
        return -1;
    AUTO_FREE char *folder = sandbox_path(name, NULL);
    if (file_exists(folder))
        words_addf(left, "folder %s", folder);
    return 0;
}

const struct provider provider_sandbox = {
    .check = sandbox_check,
    .plan = plan,
    .make = make,
    .verify = verify,
    .remove = remove_sandbox,
    .list = list,
    .remove_listed = remove_listed,
    .expire = expire,
    .left = left,
};
