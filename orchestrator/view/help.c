#include "view/help.h"

#include "base/memory.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int flushed(FILE *stream)
{
    return fflush(stream) == 0 && !ferror(stream) ? 0 : -1;
}

int help_version(void)
{
    printf("triphase %s\n", TRIPHASE_VERSION);
    return flushed(stdout);
}

int help_all(const struct help_line *lines, size_t count)
{
    printf("triphase %s: makes a host and converges it in supervised Ansible phases\n\n"
           "usage: triphase [-C DIR] [--set PATH=YAML] COMMAND ...\n\n",
           TRIPHASE_VERSION);
    for (size_t i = 0; i < count; i++)
        if (lines[i].usage)
            printf("  %-10s %s\n", lines[i].name, lines[i].summary);
    printf("\n  -C DIR           the project is the nearest triphase.yml upwards from here\n"
           "  --set PATH=YAML  one setting, above all other layers (targets.vault.root=debian-13)\n"
           "  --version, --help; 'triphase COMMAND --help' for one command; triphase(1) for all of it\n");
    return flushed(stdout);
}

int help_command(const struct help_line *line)
{
    printf("usage: triphase %s %s\n\n%s\n\nAll of it: triphase(1).\n", line->name, line->usage,
           line->summary);
    return flushed(stdout);
}

/* Messages can hold bytes of hosts and files: what a terminal would act on is shown, not sent. */
static void write_lines(const char *prefix, const char *message, const char *end)
{
    AUTO_TEXT out = TEXT_INIT;
    for (const char *at = message;;) {
        size_t length = strcspn(at, "\n");
        text_add(&out, prefix);
        text_add_printable(&out, at, length);
        at += length;
        if (!*at || !at[1])
            break;
        text_add_char(&out, '\n');
        at++;
    }
    text_add(&out, end);
    fputs(text_string(&out), stderr);
    fflush(stderr);
}

void help_problem(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *message = xvasprintf(format, args);
    va_end(args);
    write_lines("triphase: ", message, "\n");
}

void help_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *message = xvasprintf(format, args);
    va_end(args);
    write_lines("", message, "\n");
}

void help_notes(const struct words *notes)
{
    for (size_t i = 0; i < notes->count; i++)
        help_note("%s", notes->items[i]);
}

int help_ask(const char *format, ...)
{
    if (!isatty(STDIN_FILENO))
        return 0;
    va_list args;
    va_start(args, format);
    AUTO_FREE char *message = xvasprintf(format, args);
    va_end(args);
    write_lines("", message, " [y/N] ");
    char answer[16];
    return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}
