/* The commands of the works, as a shell here takes them. Programs that would change anything are none of this
 * machine's: PATH is a folder with the test's own. */
#include "diagnose/work.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "process/program.h"
#include "unit/folder.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(work, .timeout = 60, .fini = folder_clean);

static const char *const names[] = {"echo",   "idle", "trickle",   "bulk-down", "bulk-up", "throttled",
                                    "bursts", "disk", "processes", "channels",  "package", "idle-burst"};

Test(work, every_script_is_one_that_sh_can_read_and_has_no_single_quote)
{
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_ERROR err = ERROR_INIT;
        struct work work;
        struct cell cell = {.work = (char *)(uintptr_t)names[i]};
        cr_assert(eq(int, work_of(&cell, &work, &err), 0), "%s: %s", names[i], error_text(&err));
        const char *quote = strchr(work.script, 0x27);
        cr_expect(quote == NULL, "%s: %s", names[i], quote);
        cr_expect(eq(int, program_do(5 * NS_PER_S, NULL, &err, "sh", "-n", "-c", work.script, NULL), 0),
                  "%s: %s", names[i], error_text(&err));
        work_clear(&work);
    }
}

/* Whoever of a host's own goes on when the connection does not is never ended with it. */
Test(work, a_package_manager_alone_is_not_ended_with_the_connection)
{
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct work work;
        struct cell cell = {.work = (char *)(uintptr_t)names[i]};
        cr_assert(eq(int, work_of(&cell, &work, NULL), 0));
        cr_expect(eq(int, work.goes_on, text_is(names[i], "package")), "%s", names[i]);
        cr_expect(eq(int, work.goes_on &&work.holds, 0), "%s", names[i]);
        work_clear(&work);
    }
}

static void plant(const char *name, const char *script)
{
    AUTO_FREE char *below = file_join("bin", name), *whole = xasprintf("#!/bin/sh\n%s\n", script),
                   *path = folder_path(below);
    folder_write(below, whole);
    cr_assert(eq(int, chmod(path, 0755), 0));
}

static void plant_tools(const char *const *tools)
{
    for (; *tools; tools++) {
        AUTO_FREE char *script = xasprintf("exec /usr/bin/%s \"$@\"", *tools);
        plant(*tools, script);
    }
}

/* A work's script where nothing but what was planted is to be found: its output, and its exit code. */
static char *run_there(const struct cell *cell, int *code)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_TEXT out = TEXT_INIT;
    struct work work;
    cr_assert(eq(int, work_of(cell, &work, &err), 0), "%s", error_text(&err));
    AUTO_FREE char *bin = folder_path("bin"), *path = xasprintf("PATH=%s", bin);
    AUTO_FREE char *told = xasprintf("( %s ) </dev/null; echo \" code $?\"", work.script);
    work_clear(&work);
    cr_assert(eq(int,
                 program_do(40 * NS_PER_S, &out, &err, "/usr/bin/env", path, "/bin/sh", "-c", told, NULL), 0),
              "%s", error_text(&err));
    for (size_t i = 0; i < out.length; i++)
        out.bytes[i] = out.bytes[i] ? out.bytes[i] : 'x';
    char *said = text_take(&out), *end = strstr(said, " code ");
    cr_assert(end != NULL, "%s", said);
    *code = (int)strtol(end + 6, NULL, 10);
    *end = '\0';
    return said;
}

Test(work, a_trickle_lasts_as_long_as_it_says_on_a_host_whose_seconds_are_two)
{
    AUTO_ERROR err = ERROR_INIT;
    int code = -1;
    static const char *const tools[] = {"head", "cat", NULL};
    plant_tools(tools);
    folder_write("now", "1000\n");
    AUTO_FREE char *now = folder_path("now"), *date = xasprintf("exec cat %s", now);
    AUTO_FREE char *sleep = xasprintf("n=$(cat %s); echo $((n+2)) >%s", now, now);
    plant("date", date);
    plant("sleep", sleep);
    struct cell cell = {.work = (char *)(uintptr_t) "trickle",
                        .parameters = json_parse("{\"seconds\":10,\"rate\":7}", 23, &err)};

    AUTO_FREE char *ignored = run_there(&cell, &code);

    AUTO_TEXT then = TEXT_INIT;
    struct work work;
    cr_assert(eq(int, file_read(now, 100, &then, &err), 0));
    cr_assert(eq(int, work_of(&cell, &work, &err), 0));
    cr_expect(eq(int, code, 0));
    cr_expect(eq(str, (char *)(uintptr_t)text_string(&then), (char *)(uintptr_t) "1012\n"));
    cr_expect(le(u64, work.expects, 5 * 7), "what came until then is enough");
    work_clear(&work);
    json_free(cell.parameters);
}

Test(work, a_package_without_a_mirror_is_told_by_its_words_and_a_line_every_few_seconds)
{
    int code = -1;
    static const char *const tools[] = {"mktemp", "sh",    "rm",  "setsid", "tail", "id",
                                        "grep",   "sleep", "env", "wc",     NULL};
    plant_tools(tools);
    AUTO_FREE char *said_to = folder_path("asked");
    AUTO_FREE char *apt =
        xasprintf("echo \"$RES_OPTIONS $*\" >>%s; sleep 5; echo '  Temporary failure resolving the "
                  "mirror'; exit 100",
                  said_to);
    plant("apt-get", apt);
    plant("dpkg", "echo 'Status: install ok installed'");
    struct cell cell = {.work = (char *)(uintptr_t) "package"};

    AUTO_FREE char *said = run_there(&cell, &code);

    AUTO_TEXT asked = TEXT_INIT;
    cr_assert(eq(int, file_read(said_to, 4096, &asked, NULL), 0));
    cr_expect(eq(int, code, 4), "%s", said);
    cr_expect(strstr(said, "\n  Temporary failure resolving") == said, "it was not silent until then: %s",
              said);
    cr_expect(strstr(said, "sensible-utils is not reinstalled") != NULL, "%s", said);
    cr_expect(strstr(text_string(&asked), "timeout:3 attempts:1 -y") != NULL, "%s", text_string(&asked));
    cr_expect(strstr(text_string(&asked), " update") == NULL, "nobody is there to ask: %s",
              text_string(&asked));
}
