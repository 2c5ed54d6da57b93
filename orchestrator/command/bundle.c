/* triphase bundle [RUN]: one archive of what is known of a run, from here and from its host, redacted. */
#include "ansible/host_variables.h"
#include "ansible/vault_passwords.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "bundle/archive.h"
#include "bundle/parts.h"
#include "bundle/project.h"
#include "bundle/secrets.h"
#include "command/choose_run.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/given_path.h"
#include "command/options.h"
#include "command/project_access.h"
#include "command/store_access.h"
#include "config/invoker.h"
#include "view/bundle_view.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct request {
    const char *run, *target, *path; /* path NULL: named after the run, in the current folder */
    enum tarball_format format;
    bool no_host, json;
};

static const struct {
    const char *name, *suffix, *other; /* suffixes of a file's name */
} formats[] = {[TARBALL_ZSTD] = {"zst", ".tar.zst", ".tzst"}, [TARBALL_GZIP] = {"gz", ".tar.gz", ".tgz"}};

/* By the option, else by the file's name. */
static int find_format(const char *option, struct request *out)
{
    int by_option = -1, by_name = -1;
    for (int i = 0; i < (int)COUNT_OF(formats); i++) {
        if (text_is(option, formats[i].name))
            by_option = i;
        if (out->path && (text_ends(out->path, formats[i].suffix) || text_ends(out->path, formats[i].other)))
            by_name = i;
    }
    if (option && by_option < 0) {
        help_problem("there is no format '%s' of a bundle: zst or gz", option);
        return EXIT_BAD_USAGE;
    }
    if (by_option >= 0 && by_name >= 0 && by_option != by_name) {
        help_problem("'%s' is no name for the format %s; end it with %s", out->path, option,
                     formats[by_option].suffix);
        return EXIT_BAD_USAGE;
    }
    if (out->path && by_option < 0 && by_name < 0) {
        help_problem("'%s' ends neither with .tar.zst nor with .tar.gz; say which one with --format zst|gz",
                     out->path);
        return EXIT_BAD_USAGE;
    }
    out->format = by_option >= 0 ? (enum tarball_format)by_option
                  : by_name >= 0 ? (enum tarball_format)by_name
                                 : TARBALL_ZSTD;
    return EXIT_OK;
}

static const struct option options[] = {
    {"output", required_argument, NULL, 'o'}, {"format", required_argument, NULL, 'f'},
    {"target", required_argument, NULL, 't'}, {"no-host", no_argument, NULL, 'n'},
    {"json", no_argument, NULL, 'j'},         {0}};

static int parse(const struct command *command, int argc, char **argv, struct request *out)
{
    const char *format = NULL;
    optind = 0;
    for (int option; (option = options_next(command, argc, argv)) != -1;) {
        if (option == '?')
            return EXIT_BAD_USAGE;
        out->no_host |= option == 'n';
        out->json |= option == 'j';
        if (option == 'o')
            out->path = optarg;
        if (option == 't')
            out->target = optarg;
        if (option == 'f')
            format = optarg;
    }
    if (argc - optind > 1 || (optind < argc && out->target)) {
        help_problem("bundle takes one run or target");
        return EXIT_BAD_USAGE;
    }
    out->run = argv[optind];
    return find_format(format, out);
}

/* What a bundle is of, with all that has to be freed. */
struct found {
    char *state;
    struct sql *db;
    struct account account;
    struct machine *machine;
    struct project *project;
    const struct target *target;
    struct error project_problem;
};

static void found_clear(struct found *found)
{
    project_free(found->project);
    machine_free(found->machine);
    account_clear(&found->account);
    sql_close(found->db);
    free(found->state);
    error_clear(&found->project_problem);
}

/* A run's row has its machine from its end on. The target's machine of now is this run's where no
 * other run came after it. */
static int find_machine(struct found *found, struct error *err)
{
    const struct history_run *run = found->account.run;
    if (run->machine_id)
        return history_machine_by_id(found->db, run->machine_id, &found->machine, err);
    struct history_run *last;
    if (history_last_here(found->db, run->target, &last, err) < 0)
        return -1;
    bool is_last = last && text_is(last->id, run->id);
    history_run_free(last);
    return is_last ? history_machine(found->db, run->target, &found->machine, err) : 0;
}

static int find(const struct command_context *context, const struct request *request, struct found *out,
                struct error *err)
{
    struct history_run *run;
    if (store_access_open(context, &out->state, &out->db, err) < 0)
        return -1;
    sql_step_aside(&out->db);
    if (sql_run(out->db, "BEGIN", err) < 0 ||
        choose_run_shown(out->db, request->run, request->target, &run, err) < 0)
        return -1;
    if (account_load(out->db, out->state, run, &out->account, err) < 0 || find_machine(out, err) < 0)
        return -1;
    /* Files that are wrong keep nobody from a bundle: it may be what they are mended with. */
    if (project_access_load(context, NULL, &out->project, NULL, &out->project_problem) == 0)
        out->target = project_target(out->project, out->account.run->target, NULL);
    return 0;
}

static struct json *about_of(const struct found *found, const struct json *host)
{
    const struct history_run *run = found->account.run;
    struct json *about = json_new_object(), *of_run = json_new_object();
    AUTO_FREE char *now = moment_rfc3339(moment_wall()), *started = moment_rfc3339(run->started_ns);
    json_set_integer(about, "version", 1);
    json_set_string(about, "triphase", TRIPHASE_VERSION);
    json_set_string(about, "made", now);
    json_set_string(of_run, "id", run->id);
    json_set_string(of_run, "kind", run->kind);
    json_set_string(of_run, "target", run->target);
    json_set_string(of_run, "provider", run->provider);
    json_set_string(of_run, "recipe", run->recipe);
    json_set_string(of_run, "outcome", found->account.outcome);
    json_set_string(of_run, "started", started);
    json_set(of_run, "duration_ms",
             run->duration_ns < 0 ? json_new_null()
                                  : json_new_real((double)run->duration_ns / (double)NS_PER_MS));
    json_set(about, "run", of_run);
    json_set(about, "host", host ? json_keep((struct json *)(uintptr_t)host) : json_new_null());
    return about;
}

static int fill(struct bundle *bundle, const struct found *found, const struct request *request,
                struct json **host, struct error *err)
{
    struct bundle_subject subject = {found->db,      found->state,   &found->account,
                                     found->machine, found->project, error_text(&found->project_problem),
                                     found->target};
    if (bundle_parts_add_stored(bundle, &subject, err) < 0 || sql_run(found->db, "COMMIT", err) < 0 ||
        bundle_parts_add_files(bundle, &subject, err) < 0 || bundle_project_add(bundle, &subject, err) < 0)
        return -1;
    /* Asked as whoever connects asks it. */
    if (found->target && !request->no_host) {
        host_variables_fill(found->project, found->target->name, NULL);
        vault_passwords_forget();
    }
    if (request->no_host)
        bundle_missing(bundle, "host", "it was not asked: --no-host");
    return request->no_host ? 0 : bundle_parts_add_host(bundle, &subject, host, err);
}

static int write_bundle(const struct found *found, const struct request *request, const char *path,
                        const char *top, struct json **manifest, int64_t *size, struct error *err)
{
    AUTO_JSON *unread = json_new_array(), *host = NULL;
    struct redact_rules *rules = redact_rules_new();
    struct bundle_secrets secrets = {found->project,
                                     found->target,
                                     found->machine,
                                     found->state,
                                     found->account.run->target,
                                     (const char *const *)environ};
    bundle_secrets_add(&secrets, rules, unread);
    struct bundle *bundle;
    int result = bundle_begin(path, request->format, top, rules, &bundle, err);
    if (result == 0 && (result = fill(bundle, found, request, &host, err)) < 0)
        bundle_drop(bundle);
    if (result == 0)
        result = bundle_end(bundle, about_of(found, host), unread, manifest, size, err);
    redact_rules_free(rules);
    return result;
}

static int call(struct command_context *context, int argc, char **argv)
{
    struct request request = {0};
    int code = parse(context->command, argc, argv, &request);
    if (code != EXIT_OK)
        return code;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *manifest = NULL;
    struct found found = {.project_problem = ERROR_INIT};
    int64_t size = 0;
    int result = request.path ? given_path_new_file("--output", request.path, true, &err) : 0;
    if (result == 0)
        result = find(context, &request, &found, &err);
    if (result == 0) {
        const struct history_run *run = found.account.run;
        AUTO_FREE char *target = bundle_safe_name(run->target);
        AUTO_FREE char *top =
            xasprintf("triphase-bundle-%s-%s", target, id_is(run->id) ? id_tail(run->id, 8) : "run");
        AUTO_FREE char *path =
            request.path ? xstrdup(request.path) : xasprintf("%s%s", top, formats[request.format].suffix);
        result = write_bundle(&found, &request, path, top, &manifest, &size, &err);
        if (result == 0) {
            AUTO_INVOKER invoker;
            invoker_find(NULL, &invoker);
            if (invoker_own(&invoker, path) < 0)
                help_note("warning: %s stays root's: %s", path, strerror(errno));
            bundle_view_note(manifest);
            if (bundle_view_print(path, size, manifest, request.json) < 0)
                result = error_system(&err, errno, "cannot write to standard output");
        }
    }
    found_clear(&found);
    if (result < 0) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    return EXIT_OK;
}

const struct command command_bundle = {
    .help = {"bundle", "[RUN|TARGET] [--target NAME] [-o FILE] [--format zst|gz] [--no-host] [--json]",
             "one archive of a run to mail, from here and from its host, secrets redacted"},
    .options = options,
    .letters = "o:",
    .run = call,
};
