#include "bundle/tool_versions.h"

#include "base/file.h"
#include "base/moment.h"
#include "process/program.h"

#include <string.h>
#include <sys/utsname.h>

#define BOUND (20 * NS_PER_S)

/* What the program says of its version, on whichever of the two it says it. */
static void ask(const char *name, const char *program, const char *option, struct text *out)
{
    AUTO_TEXT said = TEXT_INIT, complaint = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    const char *const argv[] = {program, option, NULL};
    struct program question = {.argv = argv, .bound_ns = BOUND, .output_limit = 65536};
    int result = program_run(&question, &said, &complaint, NULL, &err);
    const struct text *answer = said.length ? &said : &complaint;
    text_addf(out, "%s: ", name);
    if (result < 0)
        text_addf(out, "cannot be asked: %s", error_text(&err));
    for (const char *at = text_string(answer); result == 0 && *at;) {
        size_t length = strcspn(at, "\n");
        text_add_printable(out, at, length);
        at += length + (at[length] == '\n');
        text_add(out, *at ? "\n" : "");
    }
    text_add(out, "\n");
}

/* NAME="value" of os-release(5). */
static void add_release(struct text *out)
{
    AUTO_TEXT file = TEXT_INIT;
    if (file_read("/etc/os-release", 65536, &file, NULL) < 0 &&
        file_read("/usr/lib/os-release", 65536, &file, NULL) < 0)
        return;
    const char *at = strstr(text_string(&file), "PRETTY_NAME=");
    if (!at)
        return;
    at += strlen("PRETTY_NAME=");
    at += *at == '"';
    text_add(out, "system: ");
    text_add_printable(out, at, strcspn(at, "\"\n"));
    text_add(out, "\n");
}

void tool_versions_add(const char *ansible, struct text *out)
{
    struct utsname names;
    text_addf(out, "triphase: %s\n", TRIPHASE_VERSION);
    if (uname(&names) == 0)
        text_addf(out, "kernel: %s %s %s\n", names.sysname, names.release, names.machine);
    add_release(out);
    ask("ssh", "ssh", "-V", out);
    ask("python3", "python3", "--version", out);
    ask("ansible", ansible ? ansible : "ansible-playbook", "--version", out);
}
