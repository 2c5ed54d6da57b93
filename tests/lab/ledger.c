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

enum { SHOWN_MOST = 600, AROUND = 60 }; /* bytes of a difference, and of what is before it */

static const char heading[] = "What is not as without it:"; /* its heading in the manual */

struct lab *ledger_project(const char *ansible)
{
    struct lab *lab = lab_phase_project(ansible, "    attempts: 1\n    beyond: allow\n");
    lab_use_mitogen(lab);
    lab_case(lab, "truth", "cases");
    lab_write(lab, "ansible.cfg",
              "[defaults]\ncallback_plugins = "
              "cases/callback_plugins\n[privilege_escalation]\nbecome_allow_same_user = true\n");
    lab_write(
        lab, "stock.yml",
        "all:\n  vars: {triphase_attempt: 1}\nrecipe_work:\n  hosts:\n    host:\n      ansible_host: "
        "127.0.0.1\n      ansible_port: %1$d\n"
        "      ansible_user: root\n      ansible_ssh_private_key_file: %2$s/key\n"
        "      ansible_python_interpreter: /usr/bin/python3\n"
        "      ansible_ssh_args: -o ControlMaster=auto -o ControlPersist=3s -o ControlPath=%2$s/ssh-%%h-%%p"
        " -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null\n",
        lab_sshd(lab), lab_folder(lab));
    return lab;
}

/* Of a run, or of the playbook by Ansible itself. */
struct said {
    int64_t code;
    char *version; /* of Ansible; NULL where nobody told */
    struct words lines, rows, verdict;
};

#define SAID_INIT                                   \
    {                                               \
        0, NULL, WORDS_INIT, WORDS_INIT, WORDS_INIT \
    }
#define AUTO_SAID __attribute__((cleanup(said_clear))) struct said

static void said_clear(struct said *said)
{
    free(said->version);
    words_clear(&said->lines);
    words_clear(&said->rows);
    words_clear(&said->verdict);
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

static void add_lines(char *text, struct words *lines)
{
    char *state = NULL;
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
        words_add(lines, line);
}

/* Those of a host together, as they came: how those of several lie between each other is nobody's promise. */
static void by_host(char *text, struct words *lines)
{
    AUTO_WORDS all = WORDS_INIT, hosts = WORDS_INIT;
    add_lines(text, &all);
    for (size_t i = 0; i < all.count; i++)
        words_own(&hosts, xstrndup(all.items[i], strcspn(all.items[i], " ") + 1));
    words_sort_unique(&hosts);
    for (size_t h = 0; h < hosts.count; h++)
        for (size_t i = 0; i < all.count; i++)
            if (text_starts(all.items[i], hosts.items[h]))
                words_add(lines, all.items[i]);
}

static void read_file(struct lab *lab, const char *name, struct words *lines)
{
    AUTO_FREE char *text = lab_exists(lab, name) ? lab_read(lab, name) : xstrdup("");
    by_host(text, lines);
}

static void run_stock(struct lab *lab, const char *ansible, const char *const *arguments, struct said *said)
{
    AUTO_WORDS argv = WORDS_INIT;
    words_add_all(&argv, ansible ? ansible : "ansible-playbook", "-i", "stock.yml", NULL);
    words_add_list(&argv, arguments);
    words_add(&argv, "cases/now.yml");
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

/* Of the store: a line of each task, and what it says of the phase and of hosts that were lost. */
static void read_store(struct lab *lab, struct said *said)
{
    AUTO_FREE char *rows = lab_sql(
        lab,
        "SELECT group_concat(line, char(10)) FROM (SELECT host.text || ' ' || status || ' ' || (flags & 13)"
        " || ' ' || items || ' ' || title.text AS line FROM task JOIN name AS host ON host.number = "
        "task.host JOIN name AS title ON title.number = task.task WHERE step = (SELECT max(number) FROM "
        "step WHERE kind = 'phase') ORDER BY seq)");
    AUTO_FREE char *phase =
        lab_phase(lab, "'phase ' || outcome || ' ' || coalesce(cause, '-') || printf(' %d %d %d %d %d %d %d "
                       "{', ok, changed, "
                       "failed, skipped, unreachable, ignored, rescued) || coalesce(message, '')");
    AUTO_FREE char *lost = lab_sql(
        lab,
        "SELECT group_concat(line, char(10)) FROM (SELECT 'lost ' || host || ' in ' || task || ': ' || cause "
        "|| ' ' "
        "|| ignored AS line FROM unreachable WHERE run = (SELECT id FROM run ORDER BY number DESC LIMIT 1) "
        "ORDER BY host, at_ns)");
    by_host(rows, &said->rows);
    words_add(&said->verdict, phase);
    add_lines(lost, &said->verdict);
}

static void run_mode(struct lab *lab, const char *mode, const char *name, const char *const *arguments,
                     struct said *said)
{
    AUTO_WORDS words = WORDS_INIT;
    words_add_list(&words, arguments);
    AUTO_FREE char *joined = words_join(&words, ", "), *list = xasprintf("[%s]", joined);
    lab_environment(lab, "TRIPHASE_PHASES_WORK_WORK_ARGS", list);
    lab_environment(lab, "TRIPHASE_ACCELERATE", mode);
    begin(lab);
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    AUTO_FREE char *used = lab_phase(lab, "accelerated || coalesce(accelerated_why, '')");
    cr_expect_str_eq(used, mode, "%s: %s", name, result.err);
    said->code = lab_phase_number(lab, "coalesce(128 + signal, exit_code)");
    said->version = lab_last_run(lab, "ansible");
    read_file(lab, "ledger", &said->lines);
    read_store(lab, said);
}

static size_t length_of_head(const char *line)
{
    return strcspn(line, "{");
}

/* How they differ, cut to that. */
static void show_difference(struct text *out, const char *one, const char *other)
{
    size_t same = 0, behind = 0, a = strlen(one), b = strlen(other);
    while (one[same] && one[same] == other[same])
        same++;
    while (behind < a - same && behind < b - same && one[a - behind - 1] == other[b - behind - 1])
        behind++;
    size_t from = same > AROUND ? same - AROUND : 0, ends[] = {a - behind - from, b - behind - from};
    text_addf(out, "\n  %.*s\n   - %.*s\n   + %.*s", (int)length_of_head(one), one,
              (int)(ends[0] < SHOWN_MOST ? ends[0] : SHOWN_MOST), one + from,
              (int)(ends[1] < SHOWN_MOST ? ends[1] : SHOWN_MOST), other + from);
}

/* To the first that is of something else: from there on nothing is beside its like. */
static void expect_lines(const char *what, const struct words *expected, const struct words *found)
{
    AUTO_TEXT shown = TEXT_INIT;
    bool alike = true;
    for (size_t i = 0; alike && (i < expected->count || i < found->count); i++) {
        const char *one = i < expected->count ? expected->items[i] : "(nothing more)",
                   *other = i < found->count ? found->items[i] : "(nothing more)";
        alike = length_of_head(one) == length_of_head(other) && !strncmp(one, other, length_of_head(one));
        if (!text_is(one, other))
            show_difference(&shown, one, other);
    }
    cr_expect(shown.length == 0, "%s: lines of %zu and %zu differ%s", what, expected->count, found->count,
              text_string(&shown));
}

static bool is_in_manual(const struct ledger_allowed *row)
{
    AUTO_TEXT manual = TEXT_INIT;
    cr_assert(file_read("docs/triphase.yml.5", 4 << 20, &manual, NULL) == 0);
    char *from = strstr(text_string(&manual), row->each_mode ? "" : heading),
         *to = from ? strstr(from, "\n.SH ") : NULL;
    if (to && !row->each_mode)
        *to = '\0';
    return from && strstr(from, row->manual);
}

static char *with_each_replaced(const char *line, const char *from, const char *to)
{
    AUTO_TEXT out = TEXT_INIT;
    for (const char *at; (at = strstr(line, from)); line = at + strlen(from)) {
        text_add_bytes(&out, line, (size_t)(at - line));
        text_add(&out, to);
    }
    text_add(&out, line);
    return text_take(&out);
}

/* The lines as they should be there. What is allowed has to stand in one. */
static void allow(const char *what, const struct ledger_allowed *row, struct words *lines)
{
    size_t seen = 0;
    for (size_t i = 0; i < lines->count; i++)
        if (text_starts(lines->items[i], row->line) && strstr(lines->items[i], row->stock)) {
            char *line = with_each_replaced(lines->items[i], row->stock, row->there);
            free(lines->items[i]);
            lines->items[i] = line;
            seen++;
        }
    cr_expect(seen, "%s: what the manual allows is not there: %s '%s'", what, row->line, row->stock);
    cr_expect(is_in_manual(row), "the manual does not say '%s'", row->manual);
}

void ledger_expect_same(struct lab *lab, const char *ansible, const char *folder, const char *name,
                        const char *const *arguments, const struct ledger_allowed *allowed)
{
    static const char *const modes[] = {"none", "warm", "mitogen"};
    AUTO_SAID stock = SAID_INIT;
    lab_play_case(lab, folder, name);
    run_stock(lab, ansible, arguments, &stock);
    for (size_t m = 0; m < COUNT_OF(modes); m++) {
        AUTO_FREE char *what = xasprintf("%s, %s", name, modes[m]);
        AUTO_SAID said = SAID_INIT;
        run_mode(lab, modes[m], name, arguments, &said);
        if (m == 0) /* Ansible by itself has no word for it */
            words_add_list(&stock.lines, words_argv(&said.verdict));
        words_add_list(&said.lines, words_argv(&said.verdict));
        AUTO_WORDS expected = WORDS_INIT;
        words_add_list(&expected, words_argv(&stock.lines));
        for (const struct ledger_allowed *row = allowed; row->manual; row++)
            if ((row->each_mode || text_is(modes[m], "mitogen")) &&
                (!row->ansible || text_starts(said.version, row->ansible)))
                allow(what, row, &expected);
        expect_lines(what, &expected, &said.lines);
        expect_lines(what, &stock.rows, &said.rows);
        cr_expect_eq(said.code, stock.code, "%s: Ansible ended with %d, by itself with %d", what,
                     (int)said.code, (int)stock.code);
    }
}
