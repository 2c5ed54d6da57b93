#include "transport/master_control.h"

#include "base/moment.h"
#include "base/text.h"
#include "config/marks.h"
#include "transport/ssh_words.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool master_socket_there(const char *path)
{
    struct stat info;
    return path && lstat(path, &info) == 0 && S_ISSOCK(info.st_mode);
}

int master_forward(const char *control_path, const char *local, const char *host, int port, struct error *err)
{
    AUTO_TEXT option = TEXT_INIT, forward = TEXT_INIT;
    bool brackets = strchr(host, ':') != NULL;
    text_add(&option, "ControlPath=");
    ssh_add_option_value(&option, control_path, true);
    text_addf(&forward, "%s:%s%s%s:%d", local, brackets ? "[" : "", host, brackets ? "]" : "", port);
    const char *argv[] = {
        "ssh", "-F", "none", "-O", "forward", "-L", text_string(&forward), "-o", text_string(&option),
        "--",  "x",  NULL};
    return program_do_argv(2 * NS_PER_S, argv, NULL, err);
}

int master_ask(const char *control_path, const char *command)
{
    AUTO_TEXT option = TEXT_INIT;
    text_add(&option, "ControlPath=");
    ssh_add_option_value(&option, control_path, true);
    const char *argv[] = {"ssh", "-F", "none", "-O", command, "-o", text_string(&option), "--", "x", NULL};
    return program_do_argv(2 * NS_PER_S, argv, NULL, NULL);
}

void master_environment(const char *const *environment, struct words *out)
{
    for (const char *const *entry = environment ? environment : (const char *const *)environ; *entry; entry++)
        if (!marks_is_step(*entry) && !child_keeps_back(*entry))
            words_add(out, *entry);
}

int master_run(const char *control_path, const struct ssh_arguments *ssh, const char *script,
               const struct program *how, struct text *out, struct text *said, struct child_end *end,
               struct error *err)
{
    AUTO_TEXT path = TEXT_INIT;
    AUTO_WORDS argv = WORDS_INIT;
    text_add(&path, "ControlPath=");
    ssh_add_option_value(&path, control_path, true);
    /* Where the master does not answer, ssh would connect by itself and prove nothing: it must not be able
     * to. */
    words_add_all(&argv, "ssh", "-T", "-o", "ControlMaster=no", "-o", text_string(&path), "-o",
                  "ProxyCommand=false", "-o", "ClearAllForwardings=yes", "-o", "LogLevel=ERROR", NULL);
    words_add_list(&argv, words_argv(&ssh->options));
    words_add_all(&argv, "--", ssh->host, "exec /bin/sh", NULL);
    struct program program = *how;
    program.argv = words_argv(&argv);
    program.input = script;
    return program_run(&program, out, said, end, err);
}
