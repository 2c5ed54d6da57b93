#include "provider/command_call.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "format/json_words.h"
#include "process/program.h"
#include "process/sealed_file.h"
#include "redact/redact.h"

#include <unistd.h>

void command_said_clear(struct command_said *said)
{
    json_free(said->answer);
    error_clear(&said->why);
    *said = (struct command_said){.code = -1};
}

struct secrets {
    struct json *paths;
    int *descriptors; /* ends with -1 */
    size_t count;
    struct redact_rules *rules; /* what the program says is without them */
    struct redact *said;        /* its stderr on the way to the log */
};

static void secrets_clear(struct secrets *secrets)
{
    for (size_t i = 0; i < secrets->count; i++)
        close(secrets->descriptors[i]);
    free(secrets->descriptors);
    json_free(secrets->paths);
    redact_free(secrets->said);
    redact_rules_free(secrets->rules);
}

static int add_secret(const struct secret *secret, const char *directory, struct secrets *out,
                      struct error *err)
{
    char *value = NULL;
    size_t length = 0;
    if (secret_read(secret, directory, &value, &length, err) < 0)
        return error_prefix(err, "the secret '%s'", secret->name);
    int fd = sealed_file("triphase-secret", value, length, err);
    AUTO_FREE char *kind = xasprintf("secret %s", secret->name);
    redact_rules_add(out->rules, kind, value, length);
    memory_free_secret(value, length);
    if (fd < 0)
        return -1;
    AUTO_FREE char *path = xasprintf("/proc/self/fd/%d", fd);
    out->descriptors[out->count++] = fd;
    out->descriptors[out->count] = -1;
    json_set_string(out->paths, secret->name, path);
    return 0;
}

static int open_secrets(const struct target *target, const char *directory, struct secrets *out,
                        struct error *err)
{
    size_t count = target ? target->secret_count : 0;
    out->paths = json_new_object();
    out->descriptors = xcalloc(count + 1, sizeof *out->descriptors);
    out->descriptors[0] = -1;
    out->rules = redact_rules_new();
    for (size_t i = 0; i < count; i++)
        if (add_secret(&target->secrets[i], directory, out, err) < 0)
            return -1;
    out->said = redact_new_live(out->rules);
    return 0;
}

/* What it says goes into the log, into messages and the store. */
static void clean(void *context, const char *bytes, size_t length, bool last, struct text *out)
{
    struct secrets *secrets = context;
    redact_add(secrets->said, bytes, length, out);
    if (last)
        redact_end(secrets->said, out);
}

static struct json *parse(const struct secrets *secrets, const struct text *bytes, struct error *err)
{
    AUTO_TEXT clean = TEXT_INIT;
    if (bytes->length > COMMAND_ANSWER_MOST) {
        error_set(err, ERROR_PROVIDER, "its answer has more than %d MiB", COMMAND_ANSWER_MOST >> 20);
        return NULL;
    }
    redact_text_known(secrets->rules, text_string(bytes), bytes->length, &clean);
    return command_answer_parse(text_string(&clean), clean.length, err);
}

static void add_words(const struct command_request *request, struct words *argv)
{
    const struct json *noted =
        request->machine ? command_request_noted(request->machine, request->kind) : NULL;
    json_words_add(noted, argv);
    if (!noted && request->target)
        words_add_list(argv, words_argv(command_request_words(request->target, request->kind)));
}

static void judge(const char *name, const struct secrets *secrets, const struct child_end *end,
                  const struct text *out, const struct text *said, struct command_said *to)
{
    AUTO_ERROR why = ERROR_INIT;
    AUTO_FREE char *last = program_last_words(said);
    to->code = end->code;
    to->answer = parse(secrets, out, &why);
    if (end->code)
        error_set(&to->why, ERROR_PROVIDER, "%s exited with %d%s", name, end->code, last);
    else if (!to->answer)
        error_set(&to->why, ERROR_PROVIDER, "%s exited with 0, but %s", name, error_text(&why));
}

int command_call(const struct command_request *request, struct command_said *out, struct error *err)
{
    AUTO_WORDS argv = WORDS_INIT, environment = WORDS_INIT;
    AUTO_TEXT answer = TEXT_INIT, said = TEXT_INIT;
    AUTO_ERROR why = ERROR_INIT;
    __attribute__((cleanup(secrets_clear))) struct secrets secrets = {0};
    struct child_end end = {0};
    struct command_request full = *request;
    add_words(request, &argv);
    if (!argv.count)
        return error_set(err, ERROR_PROJECT, "no program is known for '%s'",
                         command_kind_name(request->kind));
    if (open_secrets(request->target, request->directory, &secrets, err) < 0)
        return -1;
    full.secrets = secrets.paths;
    command_request_environment(request, &environment);
    AUTO_FREE char *text = command_request_text(&full);
    AUTO_FREE char *name = text_shown(argv.items[0]);
    struct program program = {.argv = words_argv(&argv),
                              .environment = words_argv(&environment),
                              .directory = request->directory,
                              .input = text,
                              .bound_ns = request->bound_ns,
                              .output_limit = COMMAND_ANSWER_MOST + 1,
                              .tells_secrets = true,
                              .keeps_output = true,
                              .echo = STDERR_FILENO,
                              .keeps_back_output = true,
                              .clean = clean,
                              .context = &secrets,
                              .keep = secrets.descriptors};
    *out = (struct command_said){.code = -1};
    if (program_run(&program, &answer, &said, &end, &why) == 0) {
        judge(name, &secrets, &end, &answer, &said, out);
        return 0;
    }
    if (why.kind == ERROR_MISSING)
        return error_move(err, &why);
    /* It ran, and may have made something. */
    error_move(&out->why, &why);
    out->answer = parse(&secrets, &answer, NULL);
    return 0;
}
