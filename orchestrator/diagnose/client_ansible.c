/* Ansible, with the inventory as it is rendered for a phase: one play with one `raw` task. It shows nothing
 * of the output before the task's end, so that of a cell that fails only that is known, and when. */
#include "ansible/environment.h"
#include "ansible/inventory.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "diagnose/client.h"
#include "diagnose/stream.h"

#include <string.h>
#include <unistd.h>

#define END "triphase-end"

enum { KEPT = 64 * 1024, PHASE_FAILED = 2, HOST_UNREACHABLE = 4 };

static int write_file(const char *folder, const char *name, const char *content, char **path,
                      struct error *err)
{
    *path = xasprintf("%s/%d-%s", folder, (int)getpid(), name);
    return file_replace(*path, content, strlen(content), 0600, err);
}

static int write_inventory(const struct trial *trial, char **path, struct error *err)
{
    const struct cell_order *order = trial->order;
    AUTO_FREE char *yaml = NULL;
    struct inventory_request request = {
        .project = order->project, .host = {order->target, order->machine, order->kind, trial->ssh, NULL}};
    return inventory_render(&request, &yaml, NULL, err) < 0
               ? -1
               : write_file(order->directory, "inventory.yml", yaml, path, err);
}

/* What is no text would be many times as long in Ansible's own messages. */
static int write_play(const struct trial *trial, char **path, struct error *err)
{
    AUTO_JSON *play = json_new_object();
    struct json *tasks = json_new_array(), *task = json_new_object(), *plays = json_new_array();
    AUTO_TEXT command = TEXT_INIT, script = TEXT_INIT;
    text_addf(&script, "{ %s; r=$?; echo; echo " END "-$r; } | tr \"\\000\" x", trial->work->script);
    text_add(&command, "exec sh -c ");
    text_add_shell_word(&command, text_string(&script));
    json_set_string(task, "raw", text_string(&command));
    json_set_string(task, "register", "cell");
    AUTO_FREE char *failed = xasprintf("'" END "-0' not in cell.stdout or (cell.stdout | length) < %llu",
                                       (unsigned long long)trial->work->expects);
    json_set_string(task, "failed_when", failed);
    json_append(tasks, task);
    json_set_string(play, "hosts", trial->order->target->host_name);
    json_set_bool(play, "gather_facts", false);
    json_set(play, "tasks", tasks);
    json_append(plays, json_keep(play));
    AUTO_FREE char *bytes = json_pretty(plays);
    json_free(plays);
    return write_file(trial->order->directory, "play.yml", bytes, path, err);
}

static int environment_of(const struct trial *trial, struct words *out, struct error *err)
{
    AUTO_ANSIBLE_SETTINGS settings = {0};
    if (ansible_settings_read(trial->order->project->directory, NULL, &settings, err) < 0)
        return -1;
    ansible_environment(trial->order->target, &settings, NULL, out);
    words_set_env(out, "ANSIBLE_STDOUT_CALLBACK", "default");
    words_set_env(out, "ANSIBLE_NOCOLOR", "1");
    words_set_env(out, "ANSIBLE_RETRY_FILES_ENABLED", "0");
    return 0;
}

/* From "UNREACHABLE!" or "FAILED!" on; all of it where neither stands. */
static const char *words_of(const struct ssh_channel_end *end)
{
    const char *out = text_string(&end->kept), *at = strstr(out, "UNREACHABLE!");
    if (!at)
        at = strstr(out, "FAILED!");
    return at ? at : end->said.length ? text_string(&end->said) : out;
}

static void judge(struct trial *trial, const struct ssh_channel_end *end, bool cut)
{
    const char *words = words_of(end);
    char shown[400];
    if (!cut && end->exit_code == 0) {
        trial->ended = "ok";
        trial->bytes = trial->work->expects;
        trial->last_good_ns = end->end_ns;
        return;
    }
    trial->ended = cut                                  ? "stalled"
                   : end->exit_code == HOST_UNREACHABLE ? trial_words_end(words)
                                                        : "remote-failed";
    size_t length = strnlen(words, sizeof shown - 1);
    memcpy(shown, words, length);
    shown[length] = '\0';
    text_addf(&trial->message,
              cut ? "ansible-playbook did not end within its time; " : "ansible-playbook exited with %d; ",
              end->exit_code);
    text_add_printable_lines(&trial->message, shown, "; ");
}

static int run(struct trial *trial, const char *inventory, const char *play, struct error *err)
{
    const struct project *project = trial->order->project;
    AUTO_WORDS environment = WORDS_INIT;
    AUTO_ERROR failed = ERROR_INIT;
    struct ssh_channel_end end;
    if (environment_of(trial, &environment, err) < 0)
        return -1;
    struct stream stream = {.argv = (const char *const[]){project->ansible, "-i", inventory, play, NULL},
                            .environment = words_argv(&environment),
                            .directory = project->directory,
                            .scope = trial->order->scope,
                            .keep = KEPT,
                            .on_look = trial_look_at_tcp,
                            .context = trial};
    int status = stream_run(&stream, 1, trial->order->deadline, &end, &failed);
    bool cut = status < 0 && failed.kind == ERROR_DEADLINE;
    if (status == 0 || cut)
        judge(trial, &end, cut);
    else
        error_move(err, &failed);
    ssh_channel_end_clear(&end);
    return status == 0 || cut ? 0 : -1;
}

int client_ansible(struct trial *trial, struct error *err)
{
    AUTO_FREE char *inventory = NULL, *play = NULL;
    if (!trial->order->project->ansible_found)
        return error_set(err, ERROR_MISSING, "ansible-playbook is not to be found ('%s')",
                         trial->order->project->ansible);
    if (trial->work->input_bytes || trial->work->throttle || trial->work->channels > 1) {
        text_add(&trial->message, "a task of Ansible's does no such work");
        return 0;
    }
    int status = write_inventory(trial, &inventory, err) < 0 || write_play(trial, &play, err) < 0
                     ? -1
                     : run(trial, inventory, play, err);
    if (inventory)
        (void)unlink(inventory);
    if (play)
        (void)unlink(play);
    return status;
}
