#include "secret_rounds.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "lab.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static void project(const char *does, const char *folder, const char *second, const char *third)
{
    const char *const argv[] = {"python3", "tests/lab/secret_project.py", does, folder, second, third, NULL};
    AUTO_TEXT out = TEXT_INIT, errors = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct child_end end;
    struct program program = {.argv = argv, .bound_ns = 600 * NS_PER_S, .output_limit = 1 << 20};
    cr_assert_eq(program_run(&program, &out, &errors, &end, &err), 0, "%s", error_text(&err));
    cr_assert(end.exited && end.code == 0, "%s\n%s%s", does, text_string(&out), text_string(&errors));
    (void)fprintf(stderr, "%s", text_string(&out));
}

static void keep_told(struct lab *lab, const char *name, const struct lab_result *result)
{
    AUTO_FREE char *out = xasprintf("told/%s.out", name), *err = xasprintf("told/%s.err", name);
    lab_write(lab, out, "%s", result->out);
    lab_write(lab, err, "%s", result->err);
}

void secret_rounds(int cases, int further)
{
    static const struct {
        const char *name, *words[4];
    } shown[] = {
        {"report", {"report"}},
        {"json", {"report", "--json"}},
        {"csv", {"report", "--format", "csv"}},
        {"md", {"report", "--format", "md"}},
        {"by-task", {"report", "--by", "task"}},
        {"events", {"events"}},
        {"status", {"status"}},
        {"attach", {"attach", "host"}},
    };
    const char *given = getenv("SECRETS_SEED");
    int64_t seed = given ? strtoll(given, NULL, 10) : moment_wall() / NS_PER_S;
    seed += further;
    (void)fprintf(stderr, "SECRETS_SEED=%lld\n", (long long)seed);
    struct lab *lab = lab_new();
    lab_environment(lab, "ANSIBLE_CALLBACK_RESULT_FORMAT", seed % 2 ? "yaml" : "json");
    lab_static_project(lab, "    attempts: 1\n", "");
    AUTO_FREE char *number = xasprintf("%lld", (long long)seed), *count = xasprintf("%d", cases),
                   *told = xasprintf("%s/told", lab_folder(lab));
    project("make", lab_folder(lab), number, count);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert_eq(made.code, 2, "%s", made.err);
    keep_told(lab, "create", &made);
    for (size_t i = 0; i < COUNT_OF(shown); i++) {
        const char *const *words = shown[i].words;
        struct lab_result result = lab_run(lab, words[0], words[1], words[2], words[3], NULL);
        cr_expect(result.code == 0 || result.code == 2, "%s: %d, %s", shown[i].name, result.code, result.err);
        keep_told(lab, shown[i].name, &result);
    }
    AUTO_FREE char *archive = xasprintf("%s/packed.tgz", lab_folder(lab));
    struct lab_result packed = lab_run(lab, "bundle", "host", "-o", archive, "--format", "gz", NULL);
    cr_assert_eq(packed.code, 0, "%s", packed.err);
    keep_told(lab, "bundle", &packed);
    AUTO_FREE char *unpack = xasprintf("mkdir %s/bundle && tar -xzf %s -C %s/bundle", told, archive, told);
    cr_assert_eq(system(unpack), 0);
    project("check", lab_folder(lab), told, NULL);
}
