/* Project files: one input holds all of them, each behind a line "%%%% NAME": triphase.yml, recipe
 * (phases/work.yml), user (the user's own config.yml), environment and set (a line each), template (an
 * inventory template). The whole load runs over them; what loads is explained, and its inventory rendered. */
#include "ansible/inventory.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"
#include "config/config.h"
#include "format/yaml.h"
#include "fuzz/hold.h"
#include "provider/planned.h"
#include "transport/ssh_options.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is written may be longer than what is read at all. */
enum { READ_BACK = 64 * 1024 };

enum part { PROJECT, RECIPE, USER, ENVIRONMENT, SETS, TEMPLATE, PARTS };
static const char *const names[] = {"triphase.yml", "recipe", "user", "environment", "set", "template"};

struct piece {
    const char *bytes;
    size_t length;
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Which part begins at this line; -1: none. */
static int part_at(const char *line, size_t length)
{
    if (length < 5 || memcmp(line, "%%%% ", 5) != 0)
        return -1;
    for (int i = 0; i < PARTS; i++)
        if (strlen(names[i]) == length - 5 && memcmp(line + 5, names[i], length - 5) == 0)
            return i;
    return -1;
}

static void take_apart(const char *bytes, size_t size, struct piece *pieces)
{
    int part = PROJECT;
    const char *end = bytes + size;
    pieces[part].bytes = bytes;
    for (const char *at = bytes; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *next = newline ? newline + 1 : end;
        int begins = part_at(at, (size_t)((newline ? newline : end) - at));
        if (begins >= 0) {
            part = begins;
            pieces[part] = (struct piece){next, 0};
        } else {
            pieces[part].length = (size_t)(next - pieces[part].bytes);
        }
        at = next;
    }
}

static void write_to(const char *path, const struct piece *piece)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    hold(fd >= 0 && file_write_all(fd, piece->bytes ? piece->bytes : "", piece->length) == 0,
         "the fuzzer can write");
}

static void lines_of(const struct piece *piece, struct words *out)
{
    AUTO_FREE char *copy = xstrndup(piece->bytes ? piece->bytes : "", piece->length);
    char *state = NULL;
    for (char *line = strtok_r(copy, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
        words_add(out, line);
}

/* Values are YAML of one line, which reads back. */
static void on_value(void *context, const char *path, const char *value, const char *origin,
                     const char *const *hidden)
{
    (void)context;
    AUTO_WORDS faults = WORDS_INIT;
    struct node *node = NULL;
    hold(path && *path && value && origin && *origin, "each value has a path and an origin");
    if (strlen(value) > READ_BACK)
        return;
    hold(yaml_read(value, strlen(value), "value", &node, &faults) == 0, "an explained value is YAML");
    node_free(node);
    for (; hidden && *hidden; hidden++)
        hold(**hidden != '\0', "what is hidden is named");
}

static void render(const struct project *project, const struct target *target, const struct piece *template)
{
    AUTO_MACHINE *machine = planned_machine(project, target);
    AUTO_SSH_ARGUMENTS ssh = SSH_ARGUMENTS_INIT;
    AUTO_FREE char *yaml = NULL;
    AUTO_JSON *expect = NULL;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_WORDS faults = WORDS_INIT;
    struct inventory_request request = {
        .project = project,
        .host = {.target = target, .machine = machine, .ssh = &ssh, .control_path = "/run/triphase/socket"},
        .template_bytes = template->bytes,
        .template_length = template->length,
        .template_name = "template"};
    struct node *node = NULL;
    if (ssh_arguments_make(machine, target, TRANSPORT_DIRECT, "/run/triphase", NULL, 2, 8, &ssh, &err) < 0 ||
        inventory_render(&request, &yaml, &expect, &err) < 0) {
        hold(*error_text(&err) != '\0', "a refusal says why");
        return;
    }
    if (strlen(yaml) > READ_BACK)
        return;
    hold(yaml_read(yaml, strlen(yaml), "inventory", &node, &faults) == 0, "an inventory is YAML");
    hold(node->kind == NODE_MAP, "an inventory is a map");
    node_free(node);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct piece pieces[PARTS] = {0};
    AUTO_WORDS environment = WORDS_INIT, sets = WORDS_INIT;
    AUTO_PROJECT *project = NULL;
    AUTO_ERROR err = ERROR_INIT;
    take_apart((const char *)bytes, size, pieces);
    mkdir("phases", 0700);
    write_to("triphase.yml", &pieces[PROJECT]);
    write_to("phases/work.yml", &pieces[RECIPE]);
    write_to("user.yml", &pieces[USER]);
    lines_of(&pieces[ENVIRONMENT], &environment);
    lines_of(&pieces[SETS], &sets);
    struct config_sources sources = {".", words_argv(&environment), words_argv(&sets), "user.yml", NULL};
    if (config_load(&sources, &project, &err) < 0) {
        hold(*error_text(&err) != '\0', "a refusal says why");
        hold(text_is_utf8(error_text(&err), strlen(error_text(&err))), "a refusal is text");
        return 0;
    }
    config_explain(project, NULL, on_value, NULL);
    for (size_t i = 0; i < project->target_count; i++)
        render(project, &project->targets[i], &pieces[TEMPLATE]);
    return 0;
}
