#include "ledger.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/words.h"
#include "lab/phase.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

enum { SHOWN_MOST = 12, AROUND = 60 };

static const char list[] = "What is not as without it:"; /* its heading in the manual */

struct lab *ledger_project(const char *ansible)
{
    struct lab *lab = lab_phase_project(ansible, "    attempts: 1\n    beyond: allow\n");
    lab_use_mitogen(lab);
    lab_case(lab, "truth", "cases");
    lab_write(lab, "ansible.cfg", "[defaults]\ncallback_plugins = cases/callback_plugins\n");
    lab_write(
        lab, "stock.yml",
        "recipe_work:\n  hosts:\n    host:\n      ansible_host: 127.0.0.1\n      ansible_port: %1$d\n"
        "      ansible_user: root\n      ansible_ssh_private_key_file: %2$s/key\n"
        "      ansible_python_interpreter: /usr/bin/python3\n"
        "      ansible_ssh_args: -o ControlMaster=auto -o ControlPersist=3s -o ControlPath=%2$s/ssh-%%h-%%p"
        " -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null\n",
        lab_sshd(lab), lab_folder(lab));
    return lab;
}

/* Of a run, or of the playbook by Ansible itself. */
struct said {
    int code;
    char *version; /* of Ansible; NULL where nobody told */
    struct words lines, rows;
};

#define SAID_INIT                       \
    {                                   \
        0, NULL, WORDS_INIT, WORDS_INIT \
    }
#define AUTO_SAID __attribute__((cleanup(said_clear))) struct said

static void said_clear(struct said *said)
{
    free(said->version);
    words_clear(&said->lines);
    words_clear(&said->rows);
}

/* What runs before have left is gone. */
static void begin(struct lab *lab)
{
    static const char *const left[] = {"home", "ledger", "rows"};
    for (size_t i = 0; i < COUNT_OF(left); i++) {
        AUTO_FREE char *path = file_join(lab_folder(lab), left[i]);
        file_remove_tree(path, NULL);
    }
    lab_write(lab, "home/.ansible/tmp/.keep", "%s", ""); /* else pipelining warns of it, once */
}

/* Those of a host together, as they came: how those of several lie between each other is nobody's promise. */
static void by_host(char *text, struct words *lines)
{
    AUTO_WORDS all = WORDS_INIT, hosts = WORDS_INIT;
    char *state = NULL;
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        words_add(&all, line);
        words_own(&hosts, xstrndup(line, strcspn(line, " ")));
    }
    words_sort_unique(&hosts);
    for (size_t h = 0; h < hosts.count; h++)
        for (size_t i = 0; i < all.count; i++)
            if (strcspn(all.items[i], " ") == strlen(hosts.items[h]) &&
                text_starts(all.items[i], hosts.items[h]))
                words_add(lines, all.items[i]);
}

static void read_file(struct lab *lab, const char *name, struct words *lines)
{
    AUTO_FREE char *text = lab_exists(lab, name) ? lab_read(lab, name) : xstrdup("");
    by_host(text, lines);
}

static void run_stock(struct lab *lab, const char *ansible, const char *name, const char *const *arguments,
                      struct said *said)
{
    AUTO_WORDS argv = WORDS_INIT;
    AUTO_FREE char *playbook = xasprintf("cases/%s.yml", name);
    words_add_all(&argv, ansible ? ansible : "ansible-playbook", "-i", "stock.yml", NULL);
    words_add_list(&argv, arguments);
    words_add(&argv, playbook);
    AUTO_TEXT out = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct child_end end = {0};
    struct program program = {.argv = words_argv(&argv),
                              .directory = lab_folder(lab),
                              .bound_ns = 240 * NS_PER_S,
                              .output_limit = 16 << 20};
    begin(lab);
    cr_assert(program_run(&program, &out, &out, &end, &err) == 0, "%s", error_text(&err));
    said->code = end.code;
    read_file(lab, "ledger", &said->lines);
    read_file(lab, "rows", &said->rows);
    cr_assert(said->lines.count, "Ansible by itself said nothing: %s", text_string(&out));
}

static void run_mode(struct lab *lab, const char *mode, const char *name, struct said *said)
{
    begin(lab);
    lab_play_case(lab, "truth", name);
    lab_environment(lab, "TRIPHASE_ACCELERATE", mode);
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    AUTO_FREE char *used = lab_phase(lab, "accelerated || coalesce(accelerated_why, '')");
    cr_expect_str_eq(used, mode, "%s: %s", name, result.err);
    said->code = result.code;
    said->version = lab_last_run(lab, "ansible");
    read_file(lab, "ledger", &said->lines);
    AUTO_FREE char *rows = lab_sql(
        lab,
        "SELECT group_concat(line, char(10)) FROM (SELECT host.text || ' ' || status || ' ' || (flags & 13)"
        " || ' ' || items || ' ' || title.text AS line FROM task JOIN name AS host ON host.number = "
        "task.host JOIN name AS title ON title.number = task.task WHERE step = (SELECT max(number) FROM "
        "step WHERE kind = 'phase') ORDER BY seq)");
    by_host(rows, &said->rows);
}

/* In which line they differ first, and how, cut to what differs. */
static void show_difference(struct text *out, const char *one, const char *other)
{
    size_t same = 0, behind = 0, a = strlen(one), b = strlen(other);
    while (one[same] && one[same] == other[same])
        same++;
    while (behind < a - same && behind < b - same && one[a - behind - 1] == other[b - behind - 1])
        behind++;
    size_t from = same > AROUND ? same - AROUND : 0, name = strcspn(one, "{");
    text_addf(out, "\n  %.*s\n   - %.*s\n   + %.*s", (int)(name < 80 ? name : 80), one,
              (int)(a - behind - from < 400 ? a - behind - from : 400), one + from,
              (int)(b - behind - from < 400 ? b - behind - from : 400), other + from);
}

static void expect_lines(const char *what, const struct words *expected, const struct words *found)
{
    AUTO_TEXT shown = TEXT_INIT;
    size_t most = expected->count > found->count ? expected->count : found->count, differ = 0;
    for (size_t i = 0; i < most; i++) {
        const char *one = i < expected->count ? expected->items[i] : "",
                   *other = i < found->count ? found->items[i] : "";
        if (!text_is(one, other) && differ++ < SHOWN_MOST)
            show_difference(&shown, one, other);
    }
    cr_expect(differ == 0, "%s: %zu of %zu lines differ%s", what, differ, expected->count,
              text_string(&shown));
}

static bool is_in_manual(const char *words)
{
    AUTO_TEXT manual = TEXT_INIT;
    cr_assert(file_read("docs/triphase.yml.5", 1 << 20, &manual, NULL) == 0);
    const char *from = strstr(text_string(&manual), list), *to = from ? strstr(from, "\n.SH ") : NULL,
               *found = from ? strstr(from, words) : NULL;
    return found && to && found < to;
}

/* The lines as they should be there. Each that is allowed has to stand in one. */
static void allow(const char *what, const struct ledger_allowed *row, struct words *lines)
{
    size_t seen = 0;
    for (size_t i = 0; i < lines->count; i++) {
        char *at = text_starts(lines->items[i], row->line) ? strstr(lines->items[i], row->stock) : NULL;
        if (!at)
            continue;
        seen++;
        char *whole = xasprintf("%.*s%s%s", (int)(at - lines->items[i]), lines->items[i], row->there,
                                at + strlen(row->stock));
        free(lines->items[i]);
        lines->items[i] = whole;
    }
    cr_expect(seen, "%s: what the manual allows is not there: %s '%s'", what, row->line, row->stock);
    cr_expect(is_in_manual(row->manual), "the manual's list does not say '%s'", row->manual);
}

void ledger_expect_same(struct lab *lab, const char *ansible, const char *name, const char *const *arguments,
                        int code, const struct ledger_allowed *allowed)
{
    static const char *const modes[] = {"none", "warm", "mitogen"};
    AUTO_SAID stock = SAID_INIT;
    run_stock(lab, ansible, name, arguments, &stock);
    cr_expect_eq(stock.code, code, "%s: Ansible by itself ended with %d", name, stock.code);
    for (size_t m = 0; m < COUNT_OF(modes); m++) {
        AUTO_SAID said = SAID_INIT;
        AUTO_FREE char *what = xasprintf("%s, %s", name, modes[m]);
        run_mode(lab, modes[m], name, &said);
        AUTO_WORDS expected = WORDS_INIT;
        words_add_list(&expected, words_argv(&stock.lines));
        for (const struct ledger_allowed *row = allowed; row->manual && text_is(modes[m], "mitogen"); row++)
            if (!row->ansible || text_starts(said.version, row->ansible))
                allow(what, row, &expected);
        expect_lines(what, &expected, &said.lines);
        expect_lines(what, &stock.rows, &said.rows);
        cr_expect_eq(said.code, code, "%s: it ended with %d", what, said.code);
    }
}
