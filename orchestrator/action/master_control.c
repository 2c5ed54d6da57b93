#include "action/master_control.h"

#include "base/moment.h"
#include "base/text.h"
#include "data/ssh_arguments.h"
#include "mechanism/program.h"

#include <sys/stat.h>

bool master_socket_there(const char *path)
{
    struct stat info;
    return path && lstat(path, &info) == 0 && S_ISSOCK(info.st_mode);
}

int master_ask(const char *control_path, const char *command)
{
    AUTO_TEXT option = TEXT_INIT;
    text_add(&option, "ControlPath=");
    ssh_add_option_value(&option, control_path, true);
    const char *argv[] = {"ssh", "-F", "none", "-O", command, "-o", text_string(&option), "--", "x", NULL};
    return program_do_argv(2 * NS_PER_S, argv, NULL, NULL);
}
