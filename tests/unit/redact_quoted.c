/* Random secrets, quoted by the programs that quote things in the world, are found by what reads logs and
 * bundles and by the event callback: tests/lab/quoters.py. */
#include "redact/redact.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "folder.h"
#include "format/json.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 400, CASES_MOST = 1 << 28 };

static void quoters(const char *what, const char *first, const char *second, const char *third)
{
    const char *const argv[] = {"python3", "tests/lab/quoters.py", what, first, second, third, NULL};
    AUTO_TEXT out = TEXT_INIT, errors = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct child_end end;
    cr_assert_eq(program_run(&(struct program){.argv = argv, .bound_ns = 3000 * NS_PER_S}, &out, &errors,
                             &end, &err),
                 0, "%s", error_text(&err));
    cr_assert(end.exited && end.code == 0, "%s %s: %s%s", what, first, text_string(&out),
              text_string(&errors));
}

static void drop_white(struct text *text)
{
    AUTO_TEXT dense = TEXT_INIT;
    for (const char *c = text_string(text); *c; c++)
        if (!isspace((unsigned char)*c))
            text_add_char(&dense, *c);
    text_truncate(text, 0);
    text_add(text, text_string(&dense));
}

/* What is shown line by line while it comes is what is left of the whole, but for the white space that a
 * value of many ends with: it may come when the value's place is taken already, and tells nothing. */
static void as_it_comes(const struct redact_rules *rules, const char *text)
{
    AUTO_TEXT whole = TEXT_INIT, shown = TEXT_INIT;
    redact_text_known(rules, text, strlen(text), &whole);
    struct redact *redact = redact_new_live(rules);
    for (size_t length; *text; text += length) {
        length = strcspn(text, "\n");
        length += text[length] == '\n';
        redact_add(redact, text, length, &shown);
    }
    redact_end(redact, &shown);
    redact_free(redact);
    drop_white(&shown);
    drop_white(&whole);
    cr_assert_str_eq(text_string(&shown), text_string(&whole));
}

/* What reads logs and bundles, over all cases. */
static void take_out(const char *cases, const char *left)
{
    AUTO_TEXT content = TEXT_INIT, results = TEXT_INIT;
    cr_assert_eq(file_read(cases, CASES_MOST, &content, NULL), 0);
    char *state = NULL;
    for (char *line = strtok_r(content.bytes, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        AUTO_JSON *round = json_parse(line, strlen(line), NULL);
        const char *secret = json_get_string(round, "secret", NULL),
                   *text = json_get_string(round, "text", NULL);
        cr_assert(secret && text, "%s", line);
        struct redact_rules *rules = redact_rules_new();
        AUTO_TEXT out = TEXT_INIT;
        cr_assert(redact_rules_add(rules, "secret it", secret, strlen(secret)));
        redact_text(rules, text, strlen(text), &out);
        as_it_comes(rules, text);
        redact_rules_free(rules);
        AUTO_JSON *result = json_new_array();
        json_append(result, json_new_string(text_string(&out)));
        AUTO_FREE char *shown = json_compact(result);
        text_addf(&results, "%s\n", shown);
    }
    cr_assert_eq(file_replace(left, text_string(&results), results.length, 0600, NULL), 0);
}

/* QUOTED_ROUNDS and QUOTED_SEED: how many, and which. */
Test(redact_quoted, nothing_is_left_of_a_secret_however_it_was_quoted, .timeout = 7200)
{
    const char *rounds = getenv("QUOTED_ROUNDS"), *seed = getenv("QUOTED_SEED");
    AUTO_FREE char *count = rounds ? xstrdup(rounds) : xasprintf("%d", ROUNDS);
    AUTO_FREE char *number = seed ? xstrdup(seed) : xasprintf("%lld", (long long)time(NULL));
    AUTO_FREE char *cases = folder_path("cases"), *left = folder_path("left");
    quoters("make", number, count, cases);
    take_out(cases, left);
    quoters("check", cases, left, NULL);
    quoters("callback", cases, left, NULL);
    quoters("check", cases, left, NULL);
    folder_clean();
}

/* With a vault that opens all: what it is asked to open, and beside which key it stood. */
static const char open_all[] =
    "import sys\n"
    "sys.path.insert(0, 'callback')\n"
    "import triphase_events\n"
    "class Vault:\n"
    "    def decrypt(self, text):\n"
    "        return text.partition(b'\\n')[2]\n"
    "for record in sorted(triphase_events.vaulted_records(Vault(), sys.argv[1], set())):\n"
    "    print(record)\n";

static void expect_python(const char *program, const char *argument, const char *expected)
{
    AUTO_TEXT out = TEXT_INIT, errors = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct child_end end;
    const char *const argv[] = {"python3", "-c", program, argument, NULL};
    cr_assert_eq(program_run(&(struct program){.argv = argv, .bound_ns = 60 * NS_PER_S}, &out, &errors, &end,
                             &err),
                 0, "%s", error_text(&err));
    cr_expect_str_eq(text_string(&out), expected, "%s", text_string(&errors));
}

Test(redact_quoted, what_ansible_vault_holds_is_found_at_once_beside_a_long_line_of_anything, .timeout = 120)
{
    AUTO_TEXT content = TEXT_INIT;
    text_add(&content, "picture: ");
    for (int i = 0; i < 200000; i++)
        text_add(&content, "QUJD");
    text_add(&content,
             "\n'the.word': !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  61626364\n  65666768\nport: 1\n");
    folder_write("group_vars/all.yml", text_string(&content));
    AUTO_FREE char *project = folder_path("group_vars");
    expect_python(open_all, project, "('vaulted the.word', b'61626364\\n65666768')\n");
    folder_clean();
}

/* The same rows as the C half has (redact/a_value_that_says_too_little_goes_as_a_whole_beside_its_key_alone);
 * and what gives way to a name. */
static const char give_way[] =
    "import sys\n"
    "sys.path.insert(0, 'callback')\n"
    "from triphase_events import KNOWN\n"
    "KNOWN.add('beside pin', b'kx7')\n"
    "for text in ('pin: kx7', 'pin=kx7 and pin = \\'kx7\\'', '{\"pin\": \"kx7\"}', '\\\\\"pin\\\\\": "
    "\\\\\"kx7\\\\\"', 'kx7 alone, host: kx7',\n"
    "             'mypin: kx7, my_pin=kx7, pins: kx7', 'pin: kx7s, pin: kx7_8, pin kx7'):\n"
    "    print(KNOWN.clear(text))\n"
    "KNOWN.add('secret owner', b'gardener')\n"
    "KNOWN.add('secret other', b'correct-horse')\n"
    "print(KNOWN.clear('gardener, owner: gardener, correct-horse'))\n"
    "KNOWN.give_way(['gardener', 'nobody'])\n"
    "print(KNOWN.clear('gardener, owner: gardener, correct-horse'))\n";

Test(redact_quoted, a_value_that_is_a_name_is_known_beside_its_key_alone, .timeout = 120)
{
    expect_python(give_way, "",
                  "pin: [REDACTED vaulted]\n"
                  "pin=[REDACTED vaulted] and pin = '[REDACTED vaulted]'\n"
                  "{\"pin\": \"[REDACTED vaulted]\"}\n"
                  "\\\"pin\\\": \\\"[REDACTED vaulted]\\\"\n"
                  "kx7 alone, host: kx7\n"
                  "mypin: kx7, my_pin=kx7, pins: kx7\n"
                  "pin: kx7s, pin: kx7_8, pin kx7\n"
                  "[REDACTED secret owner], owner: [REDACTED secret owner], [REDACTED secret other]\n"
                  "gardener, owner: [REDACTED vaulted], [REDACTED secret other]\n");
}
