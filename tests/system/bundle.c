/* Bundles of real runs, unpacked with the system's own tools: all of it is there, nothing of it is secret,
 * whatever state the run, its folder and its host are in. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/words.h"
#include "format/json.h"
#include "lab/damage.h"
#include "lab/sandbox.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(bundle, .timeout = 200);

#define BOUND  (60 * NS_PER_S)
#define SECRET "c0rrect \"horse\"/bätt&ry\\st@ple"
#define GOOD   "play; task t1; finish\n"

static char *shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *shell(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *script = xvasprintf(format, args);
    va_end(args);
    const char *const argv[] = {"bash", "-ec", script, NULL};
    struct program program = {.argv = argv, .bound_ns = BOUND, .output_limit = 64 << 20};
    struct child_end end = {0};
    struct text out = TEXT_INIT;
    AUTO_TEXT complaint = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(program_run(&program, &out, &complaint, &end, &err) == 0, "%s", error_text(&err));
    cr_assert(eq(int, end.code, 0), "%s: %s", script, text_string(&complaint));
    return text_take(&out);
}

/* Unpacked below the lab's folder; gives the path of its top folder, malloc'ed. */
static char *unpack(struct lab *lab, const char *path)
{
    AUTO_FREE char *listed =
        shell("cd %s && rm -rf unpacked && mkdir unpacked && tar -C unpacked %s -xf %s && ls unpacked",
              lab_folder(lab), text_ends(path, "gz") ? "-z" : "--zstd", path);
    listed[strcspn(listed, "\n")] = '\0';
    cr_assert(text_starts(listed, "triphase-bundle-"), "%s", listed);
    return xasprintf("unpacked/%s", listed);
}

static char *content(struct lab *lab, const char *top, const char *name)
{
    AUTO_FREE char *path = xasprintf("%s/%s", top, name);
    return lab_read(lab, path);
}

static struct json *manifest_of(struct lab *lab, const char *top)
{
    AUTO_FREE char *text = content(lab, top, "manifest.json");
    AUTO_ERROR err = ERROR_INIT;
    struct json *manifest = json_parse(text, strlen(text), &err);
    cr_assert(manifest != NULL, "%s", error_text(&err));
    return manifest;
}

static const struct json *file_in(const struct json *manifest, const char *name)
{
    const struct json *files = json_get(manifest, "files");
    for (size_t i = 0; i < json_count(files); i++)
        if (text_is(json_get_string(json_at(files, i), "name", ""), name))
            return json_at(files, i);
    return NULL;
}

/* Why a part is missing; "" when it is not said to be. */
static const char *missing_in(const struct json *manifest, const char *part)
{
    const struct json *missing = json_get(manifest, "missing");
    for (size_t i = 0; i < json_count(missing); i++)
        if (text_is(json_get_string(json_at(missing, i), "part", ""), part))
            return json_get_string(json_at(missing, i), "why", "");
    return "";
}

/* Each file is as the manifest says, and each is in it. */
static void hold_whole(struct lab *lab, const char *top)
{
    AUTO_JSON *manifest = manifest_of(lab, top);
    const struct json *files = json_get(manifest, "files");
    int64_t redactions = json_get_integer(json_get(manifest, "redactions"), "in_manifest", 0);
    for (size_t i = 0; i < json_count(files); i++) {
        const char *name = json_get_string(json_at(files, i), "name", "");
        AUTO_FREE char *said =
            shell("cd %s/%s && sha256sum <%s | cut -c1-64 | tr -d '\\n'; stat -c ' %%s %%a' %s",
                  lab_folder(lab), top, name, name);
        AUTO_FREE char *expected =
            xasprintf("%s %lld 600\n", json_get_string(json_at(files, i), "sha256", ""),
                      (long long)json_get_integer(json_at(files, i), "size", -1));
        cr_expect(eq(str, said, expected), "%s", name);
        redactions += json_get_integer(json_at(files, i), "redactions", -1000000);
    }
    cr_expect(eq(i64, json_get_integer(json_get(manifest, "redactions"), "total", -1), redactions));
    AUTO_FREE char *count =
        shell("cd %s/%s && find . -type f | wc -l && find . ! -type f ! -type d", lab_folder(lab), top);
    cr_expect(eq(i64, strtoll(count, NULL, 10), (int64_t)json_count(files) + 1));
    cr_expect(strchr(count, '\n')[1] == '\0', "no file, no folder: %s", count);
}

/* `triphase bundle` into FILE of the lab's folder and unpacked: its top folder, malloc'ed. Exit 0. */
static char *bundle_into(struct lab *lab, const char *file, struct lab_result *result)
{
    AUTO_FREE char *path = file_join(lab_folder(lab), file);
    *result = lab_run(lab, "bundle", "-o", path, NULL);
    cr_assert(eq(int, result->code, 0), "%s", result->err);
    AUTO_FREE char *line = xasprintf("%s\n", path);
    cr_assert(eq(str, result->out, line));
    char *top = unpack(lab, path);
    hold_whole(lab, top);
    return top;
}

static struct lab *made_lab(const char *body)
{
    struct lab *lab = damage_lab("", body);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 0), "%s", made.err);
    return lab;
}

Test(bundle, holds_everything_and_unpacks_with_tar_in_both_formats)
{
    struct lab *lab = made_lab("echo a line of the log\n" GOOD);
    static const char *const names[] = {"report.txt",
                                        "report.json",
                                        "report.csv",
                                        "report.md",
                                        "provisioning-timings.txt",
                                        "report-by-role.txt",
                                        "report-by-task.txt",
                                        "events.txt",
                                        "store.ndjson",
                                        "config.txt",
                                        "versions.txt",
                                        "run/run.ndjson",
                                        "run/worker.log",
                                        "run/inventory.01.yml",
                                        "run/03-work.1.log",
                                        "run/03-work.1.events.ndjson",
                                        "host/processes.txt",
                                        "host/disk.txt",
                                        "host/routes-v4.txt",
                                        "host/routes-v6.txt",
                                        "host/network-addresses.txt",
                                        "host/firewall-v4.txt",
                                        "host/firewall-v6.txt",
                                        "host/dmesg.txt",
                                        "host/system.txt"};
    static const char *const files[] = {"a.tar.zst", "b.tar.gz", "c.tgz"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct lab_result result;
        AUTO_FREE char *top = bundle_into(lab, files[i], &result);
        AUTO_JSON *manifest = manifest_of(lab, top);
        for (size_t k = 0; k < COUNT_OF(names); k++)
            cr_expect(file_in(manifest, names[k]) != NULL, "%s: %s", names[k],
                      missing_in(manifest, names[k]));
        AUTO_FREE char *mode = shell("stat -c %%a %s/%s; ls -A %s | grep '^[.]triphase[.]' || true",
                                     lab_folder(lab), files[i], lab_folder(lab));
        cr_expect(eq(str, mode, "600\n"));
        AUTO_FREE char *log = content(lab, top, "run/03-work.1.log"),
                       *versions = content(lab, top, "versions.txt");
        cr_expect(strstr(log, "a line of the log") != NULL);
        cr_expect(strstr(versions, "OpenSSH") && strstr(versions, "triphase: ") &&
                  strstr(versions, "kernel: Linux"));
        cr_expect(json_get_bool(json_get(manifest, "host"), "reached"));
    }
}

#define TOKEN "ghp_0123456789abcdefghijABCDEFGHIJ012345"

Test(bundle, has_recipe_playbooks_and_what_differs_from_the_commit_and_no_secret_of_them)
{
    struct lab *lab = made_lab(GOOD);
    struct lab_result result;
    static const char *const values[] = {"playbooks/group_vars/all.yml",
                                         "roles/xfiles/files/answer.yml",
                                         "roles/a/defaults/main.yml",
                                         "inventory/hosts.yml",
                                         "vault-pass.txt",
                                         ".env"};
    for (size_t i = 0; i < COUNT_OF(values); i++)
        lab_write(lab, values[i], "%s", "value: of-group-vars\n");
    AUTO_FREE char *commit =
        shell("cd %s && git init -q . && git add -A && git -c user.name=a -c user.email=a@b commit -qm one &&"
              " git cat-file commit HEAD | sed 's/^committer.*/&\\ngpgsig -----BEGIN PGP SIGNATURE-----\\n "
              "\\n x\\n -----END PGP SIGNATURE-----/' | git hash-object -t commit -w --stdin >.git/signed &&"
              " git update-ref HEAD \"$(cat .git/signed)\" &&"
              " printf '#!/bin/sh\\ntouch strange\\n' >.git/strange && chmod +x .git/strange &&"
              " git config log.showSignature true && git config gpg.program \"$PWD/.git/strange\" &&"
              " git config diff.external 'touch strange; true' && git config core.fsmonitor 'touch strange; "
              "false' &&"
              " for file in playbooks/group_vars/all.yml roles/xfiles/files/answer.yml"
              " roles/a/defaults/main.yml inventory/hosts.yml vault-pass.txt .env; do"
              " echo other: of-group-vars >>$file; done &&"
              " echo '# edited, token %s' >>playbooks/work.yml && git rev-parse HEAD",
              lab_folder(lab), TOKEN);
    AUTO_FREE char *top = bundle_into(lab, "a.tar.zst", &result);
    AUTO_FREE char *recipe = content(lab, top, "project/phases/work.yml"),
                   *playbook = content(lab, top, "project/playbooks/work.yml"),
                   *about = content(lab, top, "project/git.txt"),
                   *diff = content(lab, top, "project/git.diff");
    cr_expect(strstr(recipe, "playbooks/work.yml") != NULL, "%s", recipe);
    cr_expect(strstr(playbook, "# edited, token [REDACTED") != NULL, "%s", playbook);
    commit[strcspn(commit, "\n")] = '\0';
    cr_expect(strstr(about, commit) && strstr(about, " M playbooks/work.yml"), "%s", about);
    cr_expect(strstr(diff, "+# edited, token [REDACTED") != NULL, "%s", diff);
    AUTO_FREE char *found =
        shell("cd %s/%s && grep -rlE 'ghp_|of-group-vars' . || true", lab_folder(lab), top);
    cr_expect(eq(str, found, ""));
    cr_expect(not(lab_exists(lab, "strange")), "a program that the repository names was started");
}

Test(bundle, says_why_there_is_no_commit)
{
    struct lab *lab = made_lab(GOOD);
    struct lab_result result;
    AUTO_FREE char *top = bundle_into(lab, "a.tar.zst", &result);
    AUTO_JSON *manifest = manifest_of(lab, top);
    cr_expect(text_is(missing_in(manifest, "project/git.txt"), "the project is in no git repository"), "%s",
              missing_in(manifest, "project/git.txt"));
}

Test(bundle, is_named_after_target_and_run_in_the_current_folder)
{
    struct lab *lab = made_lab(GOOD);
    AUTO_FREE char *run = damage_run(lab), *cwd = file_join(lab_folder(lab), "elsewhere");
    cr_assert(mkdir(cwd, 0700) == 0 && chdir(cwd) == 0);
    struct lab_result result = lab_run(lab, "bundle", "--no-host", "--json", run + strlen(run) - 8, NULL);
    cr_assert(chdir("/") == 0);
    cr_assert(eq(int, result.code, 0), "%s", result.err);
    AUTO_JSON *said = json_parse(result.out, strlen(result.out), NULL);
    AUTO_FREE char *name = xasprintf("triphase-bundle-host-%s.tar.zst", run + strlen(run) - 8);
    AUTO_FREE char *path = file_join("elsewhere", name);
    cr_assert(eq(str, (char *)(uintptr_t)json_get_string(said, "path", ""), name));
    cr_assert(lab_exists(lab, path));
    cr_assert(eq(
        str, (char *)(uintptr_t)json_get_string(json_get(json_get(said, "manifest"), "run"), "id", ""), run));
    AUTO_FREE char *full = file_join(lab_folder(lab), path);
    struct stat state;
    cr_assert(stat(full, &state) == 0);
    cr_assert(eq(i64, json_get_integer(said, "size", -1), (int64_t)state.st_size));
    cr_assert(strstr(missing_in(json_get(said, "manifest"), "host"), "--no-host") != NULL);
}

Test(bundle, usage_that_is_wrong_is_64_and_says_how)
{
    struct lab *lab = damage_lab("", GOOD);
    struct {
        struct lab_result result;
        const char *words;
    } cases[] = {
        {lab_run(lab, "bundle", NULL), "triphase create"},
        {lab_run(lab, "bundle", "-o", "x.zip", NULL), "--format"},
        {lab_run(lab, "bundle", "--format", "zip", NULL), "zst or gz"},
        {lab_run(lab, "bundle", "-o", "x.tar.zst", "--format", "gz", NULL), ".tar.gz"},
        {lab_run(lab, "bundle", "a", "b", NULL), "one run"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        cr_expect(eq(int, cases[i].result.code, 64), "%zu: %s", i, cases[i].result.err);
        cr_expect(strstr(cases[i].result.err, cases[i].words) != NULL, "%zu: %s", i, cases[i].result.err);
    }
}

/* ---- timings ---- */

/* The number behind a title of provisioning-timings.txt. */
static double sum_in(const char *timings, const char *title)
{
    const char *at = strstr(timings, title);
    cr_assert(at != NULL, "no '%s' in %s", title, timings);
    return strtod(at + strlen(title), NULL);
}

Test(bundle, timings_are_those_of_the_report_each_step_once_and_skipped_ones_listed)
{
    struct lab *lab = damage_lab(
        "    attempts: 2\n    retry_on: [failed]\n    retry_pause: 0s\n  - name: never\n    playbook: "
        "playbooks/work.yml\n",
        "if [ ! -e $FOLDER/again ]; then touch $FOLDER/again; play; exit 2; fi\nplay; task t1; exit 2\n");
    struct lab_result made = lab_run(lab, "create", "host", NULL), result, report;
    cr_assert(eq(int, made.code, 2), "%s", made.err);
    AUTO_FREE char *top = bundle_into(lab, "a.tar.zst", &result);
    AUTO_FREE char *timings = content(lab, top, "provisioning-timings.txt");
    report = lab_run(lab, "report", "--json", NULL);
    AUTO_JSON *json = json_parse(report.out, strlen(report.out), NULL);
    const struct json *steps = json_get(json, "steps");
    double sum = 0;
    size_t lines = 0;
    for (size_t i = 0; i < json_count(steps); i++) {
        const struct json *step = json_at(steps, i);
        double ms = json_real(json_get(step, "duration_ms"), -1);
        int64_t attempt = json_get_integer(step, "attempt", 0);
        const char *name = json_get_string(step, "name", "");
        AUTO_FREE char *shown =
            attempt > 1 ? xasprintf("%s#%lld ", name, (long long)attempt) : xasprintf("%s ", name);
        const char *line = strstr(timings, shown);
        cr_assert(line && line[-1] == '\n', "no line of %s in %s", shown, timings);
        char status[64], started[64], ended[64], duration[64];
        cr_assert(eq(int, sscanf(line, "%*s %63s %63s %63s %63s", status, started, ended, duration), 4));
        cr_expect(eq(str, status, (char *)(uintptr_t)json_get_string(step, "outcome", "")));
        cr_expect(eq(str, started, (char *)(uintptr_t)json_get_string(step, "started", "")));
        cr_expect(fabs(strtod(duration, NULL) - ms) < 0.0011, "%s of %f", duration, ms);
        sum += ms;
        lines++;
    }
    cr_assert(ge(sz, lines, 3), "%s", report.out);
    cr_expect(fabs(sum_in(timings, "Sum of per-step durations: ") - sum) < 0.01);
    const struct json *total = json_get(json, "total");
    cr_expect(fabs(sum - json_real(json_get(total, "phases_ms"), 0) -
                   json_real(json_get(total, "stages_ms"), 0)) < 0.01);
    cr_expect(fabs(sum_in(timings, "Whole run: ") - json_real(json_get(total, "duration_ms"), 0)) < 0.01);
    /* First start to last end, in seconds of the same day. */
    AUTO_FREE char *wall =
        lab_sql(lab, "SELECT (max(started_ns + duration_ns) - min(started_ns)) / 1000000.0 FROM step");
    cr_expect(fabs(sum_in(timings, "Wall-clock (first to last): ") - strtod(wall, NULL)) < 0.01, "%s", wall);
    const char *never = strstr(timings, "\nnever ");
    cr_assert(never != NULL, "%s", timings);
    char status[64];
    cr_expect(sscanf(never, " never %63s", status) == 1 && text_is(status, "skipped"));
    /* Nothing but these lines: title, head, steps, the skipped one, three sums, two empty ones; by role
     * title, head, the tasks of none, all, two sums, three empty ones. */
    size_t all = 0;
    for (const char *at = timings; (at = strchr(at, '\n')); at++)
        all++;
    cr_expect(eq(sz, all, lines + 8 + 9), "%s", timings);
}

/* ---- secrets ---- */

/* Of tests/cases/secret-forms/shapes. */
static const char *const planted[] = {"0planted0key0", "PlAnTeDvAuLt",  "kPLANTED0CNTRL",
                                      "PLANTEDhcloud", "PLANTEDbearer", "PLANTEDurl",
                                      "AKIAPLANTED",   "PLANTEDgithub", "PLANTEDunseal"};

/* Every form of the secret, a line each; also as a file "forms". malloc'ed. */
static char *write_forms(struct lab *lab)
{
    lab_case(lab, "secret-forms", "");
    lab_write(lab, "plain", "%s", SECRET);
    AUTO_FREE char *made =
        shell("cd %s && python3 forms.py plain >forms && rm plain forms.py", lab_folder(lab));
    return lab_read(lab, "forms");
}

/* None of the lines of `forms`, and nothing of the shapes, is anywhere in what the archive holds. */
static void hold_no_secret(struct lab *lab, const char *archive, const char *forms)
{
    AUTO_FREE char *unpacked = shell("cd %s && zstd -dcq %s >all.tar", lab_folder(lab), archive);
    AUTO_FREE char *path = file_join(lab_folder(lab), "all.tar");
    AUTO_TEXT all = TEXT_INIT;
    cr_assert(file_read(path, 256 << 20, &all, NULL) == 0 && all.length > 10240);
    AUTO_FREE char *copy = xstrdup(forms);
    char *state = NULL;
    for (char *form = strtok_r(copy, "\n", &state); form; form = strtok_r(NULL, "\n", &state))
        cr_expect(memmem(all.bytes, all.length, form, strlen(form)) == NULL, "'%s' is in the bundle", form);
    for (size_t i = 0; i < COUNT_OF(planted); i++)
        cr_expect(memmem(all.bytes, all.length, planted[i], strlen(planted[i])) == NULL,
                  "'%s' is in the bundle", planted[i]);
    cr_expect(memmem(all.bytes, all.length, "[REDACTED secret db]", 20) != NULL);
}

/* Adds lines to the target, which ends triphase.yml. */
static void add_keys(struct lab *lab, const char *keys)
{
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    lab_write(lab, "triphase.yml", "%s%s", project, keys);
}

static void hold_json_lines(struct lab *lab, const char *top, const char *name)
{
    AUTO_FREE char *text = content(lab, top, name);
    char *state = NULL;
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        AUTO_ERROR err = ERROR_INIT;
        AUTO_JSON *json = json_parse(line, strlen(line), &err);
        cr_expect(json != NULL, "%s of %s: %s", line, name, error_text(&err));
    }
}

Test(bundle, no_secret_in_any_form_is_in_any_byte_of_it)
{
    struct lab *lab = damage_lab("", "cat $FOLDER/forms $FOLDER/shapes; python3 $FOLDER/say.py "
                                     ">>$EVENTS\nplay; task t1; cat $FOLDER/forms >&2; exit 2\n");
    AUTO_FREE char *forms = write_forms(lab);
    add_keys(lab, "    secrets:\n      db: {env: DB_VALUE}\n");
    lab_environment(lab, "DB_VALUE", SECRET);
    lab_environment(lab, "PLANTED_API_KEY", "another-planted-value");
    /* In what phases keep on this side, and in a process of the host. */
    AUTO_FREE char *state = shell("cd %s && mkdir -p -m 0700 .triphase/targets/host/state", lab_folder(lab));
    lab_write(lab, ".triphase/targets/host/state/init.json",
              "{\"keys_base64\": [\"c2hhcmUtb25lLXBsYW50ZWQ=\"], \"threshold\": 2}");
    damage_innocent("BUNDLE=1", SECRET);
    damage_innocent("BUNDLE=1", "another-planted-value");
    damage_innocent("BUNDLE=1", "c2hhcmUtb25lLXBsYW50ZWQ=");
    lab_run(lab, "create", "host", NULL);
    struct lab_result result;
    AUTO_FREE char *top = bundle_into(lab, "a.tar.zst", &result);
    hold_no_secret(lab, "a.tar.zst", forms);
    hold_no_secret(lab, "a.tar.zst", "another-planted-value\nc2hhcmUtb25lLXBsYW50ZWQ=\n");
    AUTO_JSON *manifest = manifest_of(lab, top);
    static const char *const redacted[] = {"run/03-work.1.log", "run/03-work.1.events.ndjson",
                                           "host/processes.txt"};
    for (size_t i = 0; i < COUNT_OF(redacted); i++)
        cr_expect(gt(i64, json_get_integer(file_in(manifest, redacted[i]), "redactions", 0), 0), "%s",
                  redacted[i]);
    AUTO_FREE char *processes = content(lab, top, "host/processes.txt");
    cr_expect(strstr(processes, "[REDACTED secret db]") &&
              strstr(processes, "[REDACTED environment PLANTED_API_KEY]") &&
              strstr(processes, "[REDACTED state]"));
    cr_expect(eq(sz, json_count(json_get(json_get(manifest, "redactions"), "not_by_value")), 0));
    static const char *const lines[] = {"run/03-work.1.events.ndjson", "run/run.ndjson", "store.ndjson"};
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        hold_json_lines(lab, top, lines[i]);
    AUTO_FREE char *report = content(lab, top, "report.json");
    AUTO_JSON *parsed = json_parse(report, strlen(report), NULL);
    cr_expect(parsed != NULL);
}

Test(bundle, a_secret_that_cannot_be_read_now_is_named_and_the_rest_is_redacted)
{
    struct lab *lab = damage_lab("", "echo first-secret-value second-secret-value\n" GOOD);
    add_keys(lab, "    secrets:\n      one: {env: ONE_VALUE}\n      two: {env: TWO_VALUE}\n      three: "
                  "{command: [sh, -c, 'test -e gone && exit 3; echo third-secret-value']}\n"
                  "      four: {env: FOUR_VALUE}\n");
    lab_environment(lab, "ONE_VALUE", "first-secret-value");
    lab_environment(lab, "TWO_VALUE", "second-secret-value");
    lab_environment(lab, "FOUR_VALUE", "abc");
    struct lab_result made = lab_run(lab, "create", "host", NULL), result;
    cr_assert(eq(int, made.code, 0), "%s", made.err);
    lab_environment(lab, "TWO_VALUE", NULL);
    lab_write(lab, "gone", "yes\n");
    AUTO_FREE char *top = bundle_into(lab, "a.tar.zst", &result);
    AUTO_JSON *manifest = manifest_of(lab, top);
    const struct json *unread = json_get(json_get(manifest, "redactions"), "not_by_value");
    cr_assert(eq(sz, json_count(unread), 3));
    static const char *const names[] = {"secret four", "secret three", "secret two"}, *const whys[] = {
                                                                                          "4 characters",
                                                                                          "exited with 3",
                                                                                          "TWO_VALUE"};
    for (size_t i = 0; i < 3; i++) {
        const char *why = json_get_string(json_at(unread, i), "why", "");
        cr_expect(eq(str, (char *)(uintptr_t)json_get_string(json_at(unread, i), "value", ""),
                     (char *)(uintptr_t)names[i]));
        cr_expect(text_starts(why, "not redacted by value because ") && strstr(why, whys[i]), "%s", why);
        cr_expect(strstr(result.err, names[i]) && strstr(result.err, whys[i]), "%s", result.err);
    }
    AUTO_FREE char *log = content(lab, top, "run/03-work.1.log");
    cr_expect(strstr(log, "[REDACTED secret one] second-secret-value") != NULL, "%s", log);
}

Test(bundle, what_a_real_host_says_is_in_it_and_redacted)
{
    rig_needed();
    struct lab *lab = lab_new();
    AUTO_FREE char *forms = write_forms(lab);
    lab_write(lab, "triphase.yml",
              "project: lab\ntargets:\n  box:\n    provider: sandbox\n    recipe: work\n    secrets:\n      "
              "db: {env: DB_VALUE}\n");
    lab_write(lab, "phases/work.yml", "phases:\n  - name: work\n    playbook: playbooks/work.yml\n");
    lab_write(lab, "playbooks/work.yml",
              "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
              "    - ansible.builtin.copy:\n        src: ../forms\n        dest: /var/log/cloud-init.log\n   "
              "     mode: '0644'\n"
              "    - ansible.builtin.copy:\n        src: ../shapes\n        dest: "
              "/var/log/cloud-init-output.log\n        mode: '0644'\n"
              "    - ansible.builtin.shell: systemd-cat -t planted cat /var/log/cloud-init.log "
              "/var/log/cloud-init-output.log\n"
              "    - ansible.builtin.shell: iptables -A INPUT -p tcp --dport 4711 -j DROP && ip6tables -A "
              "INPUT -p tcp --dport 4712 -j DROP\n"
              "    - ansible.builtin.shell: systemctl start nothing-of-the-kind\n      failed_when: false\n"
              "    - ansible.builtin.debug:\n        msg: \"{{ lookup('file', '../forms') }}\"\n");
    lab_environment(lab, "DB_VALUE", SECRET);
    struct lab_result made = lab_run(lab, "create", "box", NULL), result;
    cr_assert(eq(int, made.code, 0), "%s", made.err);
    AUTO_FREE char *top = bundle_into(lab, "a.tar.zst", &result);
    hold_no_secret(lab, "a.tar.zst", forms);
    AUTO_JSON *manifest = manifest_of(lab, top);
    static const struct {
        const char *file, *words;
    } parts[] = {{"host/journal.txt", "planted["},
                 {"host/journal.txt", "[REDACTED secret db]"},
                 {"host/cloud-init-log.txt", "[REDACTED secret db]"},
                 {"host/cloud-init-output.txt", "[REDACTED private-key]"},
                 {"host/firewall-v4.txt", "--dport 4711"},
                 {"host/firewall-v6.txt", "--dport 4712"},
                 {"host/routes-v4.txt", "default via"},
                 {"host/system.txt", "uid=0(root)"},
                 {"host/processes.txt", "systemd-journal"},
                 {"host/systemd-units.txt", "ssh.service"},
                 {"host/systemd-boot.txt", "Startup finished"},
                 {"host/disk.txt", "Filesystem"},
                 {"host/network-addresses.txt", "host0"},
                 {"run/03-work.1.log", "[REDACTED secret db]"},
                 {"machine/console.log", "systemd"}};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        cr_assert(file_in(manifest, parts[i].file) != NULL, "%s: %s", parts[i].file,
                  missing_in(manifest, parts[i].file));
        AUTO_FREE char *text = content(lab, top, parts[i].file);
        cr_expect(strstr(text, parts[i].words) != NULL, "no '%s' in %s: %.3000s", parts[i].words,
                  parts[i].file, text);
    }
    cr_expect(strstr(missing_in(manifest, "host/docker.txt"), "nothing of the kind") != NULL);
    lab_run(lab, "destroy", "box", "--yes", NULL);
    AUTO_FREE char *again = bundle_into(lab, "b.tar.zst", &result);
    AUTO_JSON *after = manifest_of(lab, again);
    cr_expect(strstr(missing_in(after, "host"), "removed at") != NULL, "%s", missing_in(after, "host"));
    cr_expect(strstr(result.err, "missing: host: the machine was removed at") != NULL, "%s", result.err);
}

/* ---- in whatever state ---- */

Test(bundle, a_host_that_is_gone_gives_a_bundle_of_this_side)
{
    struct lab *lab = made_lab(GOOD);
    damage_kill(lab_sshd_pid(lab));
    struct lab_result result;
    AUTO_FREE char *top = bundle_into(lab, "a.tar.zst", &result);
    AUTO_JSON *manifest = manifest_of(lab, top);
    cr_expect(strstr(missing_in(manifest, "host"), "refused") != NULL, "%s", missing_in(manifest, "host"));
    cr_expect(strstr(result.err, "missing: host: it could not be reached over direct: ") != NULL, "%s",
              result.err);
    cr_expect(file_in(manifest, "run/03-work.1.log") && file_in(manifest, "report.json"));
    cr_expect(not(json_get_bool(json_get(manifest, "host"), "reached")));
}

/* A program in the place of ssh: the answers of a host that says what it likes. */
static void be_host(struct lab *lab, const char *body)
{
    lab_write(lab, "fake/ssh",
              "#!/bin/sh\ncase \"$*\" in *' -G '*|'-G '*|*-V*) exec /usr/bin/ssh \"$@\";; esac\n%s\n", body);
    AUTO_FREE char *path = xasprintf("%s/fake:%s", lab_folder(lab), getenv("PATH"));
    lab_environment(lab, "PATH", path);
}

Test(bundle, a_connection_that_breaks_off_gives_what_came_until_then)
{
    struct lab *lab = made_lab(GOOD);
    be_host(lab, "sh -s | head -c 60000; echo 'the line is cut' >&2; kill -9 $$");
    struct lab_result result;
    AUTO_FREE char *top = bundle_into(lab, "a.tar.zst", &result);
    AUTO_JSON *manifest = manifest_of(lab, top);
    cr_expect(file_in(manifest, "host/system.txt") != NULL);
    cr_expect(strstr(missing_in(manifest, "host/podman.txt"), "the line is cut") != NULL, "%s", result.err);
}

Test(bundle, a_host_that_says_anything_at_all_is_no_danger)
{
    struct lab *lab = made_lab(GOOD);
    static const char *const hosts[] = {
        "cat >/dev/null; head -c 70000000 /dev/urandom",
        /* It has read the mark, and misuses it. */
        "mark=$(grep -o '@[0-9a-f]*@' | head -n 1); for i in 1 2; do printf '\\n%s hello x\\n\\n%s begin "
        "../../../etc/passwd\\nx\\n%s end 0\\n"
        "\\n%s begin system\\na\\n%s end 0 1 x\\n\\n%s begin system\\nb\\n%s absent nonsense\\n\\n%s ' $mark "
        "$mark $mark $mark $mark $mark $mark $mark; done",
        "exit 0",
    };
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        be_host(lab, hosts[i]);
        struct lab_result result;
        AUTO_FREE char *top = bundle_into(lab, "a.tar.zst", &result);
        AUTO_FREE char *names = shell("cd %s/unpacked && find . | grep -c passwd || true", lab_folder(lab));
        cr_expect(eq(str, names, "0\n"));
    }
}

static pid_t append_without_end(struct lab *lab, const char *path)
{
    AUTO_FREE char *full = file_join(lab_folder(lab), path);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(full, O_WRONLY | O_APPEND | O_CLOEXEC);
        static const char line[] = "a line that is written while it is read, password=hunter2hunter2\n";
        for (int64_t end = moment_monotonic() + BOUND; moment_monotonic() < end;)
            for (int i = 0; i < 100; i++)
                (void)!write(fd, line, sizeof line - 1);
        _exit(0);
    }
    return pid;
}

static bool is_big(void *context)
{
    struct stat state;
    return stat(context, &state) == 0 && state.st_size > 1 << 20;
}

Test(bundle, a_log_that_grows_meanwhile_does_not_break_it)
{
    struct lab *lab = made_lab(GOOD);
    AUTO_FREE char *log = damage_step_file(lab, "log"), *full = file_join(lab_folder(lab), log);
    pid_t writer = append_without_end(lab, log);
    cr_assert(lab_until(20, is_big, full));
    AUTO_FREE char *path = file_join(lab_folder(lab), "a.tar.zst");
    struct lab_result result = lab_run(lab, "bundle", "--no-host", "-o", path, NULL);
    damage_kill(writer);
    cr_assert(eq(int, result.code, 0), "%s", result.err);
    AUTO_FREE char *top = unpack(lab, path);
    hold_whole(lab, top);
    AUTO_JSON *manifest = manifest_of(lab, top);
    const struct json *file = file_in(manifest, "run/03-work.1.log");
    cr_expect(gt(i64, json_get_integer(file, "grew_by", 0), 0), "it did not grow while it was read");
    cr_expect(gt(i64, json_get_integer(file, "size", 0), 1 << 20));
    AUTO_FREE char *text = content(lab, top, "run/03-work.1.log");
    cr_expect(strstr(text, "hunter2hunter2") == NULL);
}

Test(bundle, a_log_that_is_cut_off_meanwhile_does_not_break_it)
{
    struct lab *lab = made_lab(GOOD);
    AUTO_FREE char *log = damage_step_file(lab, "log"), *full = file_join(lab_folder(lab), log);
    AUTO_FREE char *path = file_join(lab_folder(lab), "a.tar.zst");
    AUTO_FREE char *filled = shell("yes some line | head -c 60000000 >%s/filled", lab_folder(lab));
    bool seen = false;
    for (int round = 0; round < 20 && !seen; round++) {
        AUTO_FREE char *copied = shell("cat %s/filled >%s", lab_folder(lab), full);
        pid_t command = lab_start(lab, "bundle", "bundle", "--no-host", "-o", path, NULL);
        usleep((useconds_t)(200000 + 50000 * round));
        cr_assert(truncate(full, 1000) == 0);
        cr_assert(eq(int, lab_wait(lab, command, 60), 0));
        AUTO_FREE char *top = unpack(lab, path);
        hold_whole(lab, top);
        AUTO_JSON *manifest = manifest_of(lab, top);
        seen =
            strstr(json_get_string(file_in(manifest, "run/03-work.1.log"), "cut_off", ""), "shorter") != NULL;
    }
    cr_assert(seen, "it was never cut off in the middle");
}

Test(bundle, a_crashed_run_and_a_run_that_goes_on_have_theirs)
{
    struct lab *lab = damage_lab("", "play; task t1; echo a word; touch $FOLDER/there; sleep 1000\n");
    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_file(lab, 60, "there"));
    struct lab_result result;
    AUTO_FREE char *top = bundle_into(lab, "a.tar.zst", &result);
    AUTO_FREE char *timings = content(lab, top, "provisioning-timings.txt");
    cr_expect(strstr(timings, "running") != NULL, "%s", timings);
    damage_kill_both(lab);
    lab_wait(lab, command, 10);
    AUTO_FREE char *again = bundle_into(lab, "b.tar.zst", &result);
    AUTO_JSON *manifest = manifest_of(lab, again);
    cr_expect(
        eq(str, (char *)(uintptr_t)json_get_string(json_get(manifest, "run"), "outcome", ""), "crashed"));
    AUTO_FREE char *log = content(lab, again, "run/03-work.1.log");
    cr_expect(strstr(log, "a word") != NULL);
    cr_expect(json_get_bool(json_get(manifest, "host"), "reached"), "%s", result.err);
}

Test(bundle, a_run_folder_that_is_partly_or_wholly_gone_is_said_to_be)
{
    struct lab *lab = made_lab(GOOD);
    AUTO_FREE char *run = damage_run(lab);
    AUTO_FREE char *part = xasprintf(".triphase/runs/%s/03-work.1.events.ndjson", run),
                   *full = file_join(lab_folder(lab), part);
    cr_assert(unlink(full) == 0);
    struct lab_result result;
    AUTO_FREE char *top = bundle_into(lab, "a.tar.zst", &result);
    AUTO_JSON *manifest = manifest_of(lab, top);
    cr_expect(strstr(missing_in(manifest, "run/03-work.1.events.ndjson"), "not there") != NULL);
    AUTO_FREE char *gone = shell("rm -r %s/.triphase/runs/%s", lab_folder(lab), run);
    AUTO_FREE char *again = bundle_into(lab, "b.tar.zst", &result);
    AUTO_JSON *after = manifest_of(lab, again);
    cr_expect(strstr(missing_in(after, "run"), "gone") != NULL);
    cr_expect(file_in(after, "store.ndjson") && file_in(after, "report.json"));
}

Test(bundle, no_link_leads_out_of_the_run_folder)
{
    struct lab *lab = made_lab(GOOD);
    AUTO_FREE char *run = damage_run(lab);
    lab_write(lab, "outside", "what nobody asked for\n");
    AUTO_FREE char *made = shell(
        "cd %s/.triphase/runs/%s && ln -s %s/outside 04-link.1.log && mkfifo 05-pipe.1.log && mkdir sub &&"
        " ln -sf /etc/shadow worker.log && ln -s ../.. up",
        lab_folder(lab), run, lab_folder(lab));
    struct lab_result result;
    AUTO_FREE char *top = bundle_into(lab, "a.tar.zst", &result);
    AUTO_JSON *manifest = manifest_of(lab, top);
    cr_expect(strstr(missing_in(manifest, "run/04-link.1.log"), "link") != NULL);
    cr_expect(strstr(missing_in(manifest, "run/worker.log"), "link") != NULL);
    cr_expect(strstr(missing_in(manifest, "run/05-pipe.1.log"), "no regular file") != NULL);
    AUTO_FREE char *found =
        shell("cd %s/unpacked && grep -rl 'what nobody asked for' . | wc -l", lab_folder(lab));
    cr_expect(eq(str, found, "0\n"));
    /* The folder itself a link. */
    AUTO_FREE char *moved = shell("cd %s/.triphase/runs && mv %s %s/aside && ln -s %s/aside %s",
                                  lab_folder(lab), run, lab_folder(lab), lab_folder(lab), run);
    AUTO_FREE char *again = bundle_into(lab, "b.tar.zst", &result);
    AUTO_JSON *after = manifest_of(lab, again);
    cr_expect(missing_in(after, "run")[0] != '\0');
    cr_expect(file_in(after, "run/run.ndjson") == NULL);
}

Test(bundle, project_files_that_are_wrong_keep_nobody_from_it)
{
    struct lab *lab = made_lab(GOOD);
    lab_write(lab, "triphase.yml", "project: lab\nnonsense: here\n");
    struct lab_result result;
    AUTO_FREE char *top = bundle_into(lab, "a.tar.zst", &result);
    AUTO_JSON *manifest = manifest_of(lab, top);
    cr_expect(strstr(missing_in(manifest, "config.txt"), "nonsense") != NULL);
    cr_expect(strstr(result.err, "not redacted by value because the project's files cannot be read") != NULL,
              "%s", result.err);
    cr_expect(json_get_bool(json_get(manifest, "host"), "reached"), "%s", result.err);
}

Test(bundle, a_full_disk_is_said_and_leaves_nothing)
{
    struct lab *lab = made_lab("head -c 3000000 /dev/urandom | base64\n" GOOD);
    AUTO_FREE char *small = file_join(lab_folder(lab), "small"), *path = file_join(small, "a.tar.zst");
    cr_assert(mkdir(small, 0700) == 0 && mount("tmpfs", small, "tmpfs", 0, "size=1m,mode=0700") == 0);
    struct lab_result result = lab_run(lab, "bundle", "--no-host", "-o", path, NULL);
    cr_expect(eq(int, result.code, 70));
    cr_expect(strstr(result.err, "No space left on device") != NULL, "%s", result.err);
    AUTO_FREE char *left = shell("ls -A %s; df --output=iused %s | tail -n 1 | tr -d ' '", small, small);
    cr_expect(eq(str, left, "1\n"), "something is left");
    struct lab_result nowhere = lab_run(lab, "bundle", "--no-host", "-o", "/nonexistent/a.tar.zst", NULL);
    cr_expect(eq(int, nowhere.code, 64));
    cr_expect(strstr(nowhere.err, "/nonexistent") != NULL, "%s", nowhere.err);
}

Test(bundle, an_older_bundle_is_replaced_whole_or_not_at_all)
{
    struct lab *lab = made_lab(GOOD);
    lab_write(lab, "a.tar.zst", "an older one");
    struct lab_result result;
    AUTO_FREE char *top = bundle_into(lab, "a.tar.zst", &result);
    AUTO_FREE char *folder = file_join(lab_folder(lab), "b.tar.zst");
    cr_assert(mkdir(folder, 0700) == 0);
    struct lab_result refused = lab_run(lab, "bundle", "--no-host", "-o", folder, NULL);
    cr_expect(eq(int, refused.code, 64));
    AUTO_FREE char *left = shell("ls -A %s | grep -c '^[.]triphase[.]' || true", lab_folder(lab));
    cr_expect(eq(str, left, "0\n"));
}
