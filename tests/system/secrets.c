/* A secret that a playbook puts into a task's name or message reaches no store, no event, no report and no
 * terminal: on a static host, an sshd of the test's own. */
#include "../lab/lab.h"
#include "../lab/secret_rounds.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN  "ghp_0123456789abcdefghijklmnopqrstuvwxyz"
#define SECRET "Zug \"27\" f\xc3\xa4hrt\\ab"

static const char playbook[] =
    "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
    "    - name: \"With {{ db }} in it\"\n      ansible.builtin.debug: {msg: x}\n"
    "    - name: \"{{ 'y' * 1018 }}{{ db }}\"\n      ansible.builtin.debug: {msg: x}\n"
    "    - name: \"as {{ db | to_json }} {{ db | b64encode }} {{ db | quote }} {{ db | urlencode }}\"\n"
    "      ansible.builtin.debug: {msg: \"{{ {'a': db} | to_nice_yaml(width=12) }}\"}\n"
    "    - name: fails\n      ansible.builtin.fail:\n"
    "        msg: \"{{ 'z' * 1990 }}{{ db }} {{ db | to_json | to_json }}\"\n      ignore_errors: true\n"
    "    - name: fails at last\n      ansible.builtin.command: \"sh -c 'echo $X >&2; exit 3'\"\n"
    "      environment: {X: \"{{ db }}\"}\n      changed_when: false\n"
    "    - name: never\n      ansible.builtin.fail: {msg: \"{{ db | b64encode }} {{ db }}\"}\n";

/* As it is, and the parts that any quoting leaves alone. */
static void expect_none(const char *where, const char *text)
{
    static const char *const parts[] = {SECRET,        "Zug \\\"27", "Zug \\\\\\\"27", "f\xc3\xa4hrt",
                                        "f\\u00e4hrt", "f%C3%A4hrt", "WnVnICIyNyIgZ",  "Zug"};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        cr_expect_null(strstr(text, parts[i]), "%s tells '%s': %.3000s", where, parts[i],
                       strstr(text, parts[i]));
}

Test(secrets, a_templated_name_or_message_tells_nothing_of_them_anywhere, .timeout = 120)
{
    struct lab *lab = lab_new();
    lab_environment(lab, "ZUG", SECRET);
    lab_static_project(lab, "    attempts: 1\n", playbook);
    AUTO_FREE char *file = lab_read(lab, "triphase.yml");
    lab_write(lab, "triphase.yml", "%s    secrets:\n      db: {env: ZUG}\n", file);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(made.code, 2, "%s", made.err);
    cr_assert(strstr(made.err, "[REDACTED secret db]"), "%s", made.err);
    expect_none("stderr", made.err);
    expect_none("stdout", made.out);

    static const char *const commands[][4] = {{"report", "--json"}, {"report", "--by", "task"}, {"events"}};
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        struct lab_result told = lab_run(lab, commands[i][0], commands[i][1], commands[i][2], NULL);
        cr_expect_eq(told.code, 0, "%s", told.err);
        expect_none(commands[i][0], told.out);
    }
    struct lab_result later = lab_run(lab, "attach", "host", NULL);
    cr_expect_eq(later.code, 2, "%s", later.err);
    cr_expect(strstr(later.err, "[REDACTED secret db]"), "the log's tail of a run that is over: %s",
              later.err);
    expect_none("stderr of attach", later.err);
    AUTO_FREE char *rows = lab_sql(lab, "SELECT group_concat(text, ' ') FROM name"),
                   *messages = lab_sql(lab, "SELECT group_concat(message, ' ') FROM task"),
                   *ends = lab_sql(lab, "SELECT group_concat(message, ' ') FROM step");
    expect_none("the store's names", rows);
    expect_none("the store's messages", messages);
    expect_none("the store's steps", ends);
    AUTO_FREE char *events = lab_sql(lab, "SELECT max(events) FROM step"),
                   *run = lab_sql(lab, "SELECT max(id) FROM run"), *path = xasprintf(".triphase/%s", events),
                   *journal = xasprintf(".triphase/runs/%s/run.ndjson", run);
    AUTO_FREE char *lines = lab_read(lab, path), *told = lab_read(lab, journal);
    expect_none("the event file", lines);
    expect_none("run.ndjson", told);
    cr_expect(strstr(lines, "With [REDACTED secret db] in it"), "%s", lines);
}

/* It is not run again for that. */
Test(secrets, a_run_that_is_over_is_shown_without_what_has_the_shape_of_a_secret, .timeout = 120)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "    attempts: 1\n",
                       "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
                       "    - ansible.builtin.fail: {msg: \"{{ token }} went\"}\n");
    AUTO_FREE char *file = lab_read(lab, "triphase.yml");
    lab_write(lab, "triphase.yml",
              "%s    secrets:\n      token: {command: [sh, -c, \"echo >> asked; echo " TOKEN "\"]}\n", file);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(made.code, 2, "%s", made.err);
    cr_expect(strstr(made.err, "[REDACTED secret token] went"), "%s", made.err);
    AUTO_FREE char *asked = lab_read(lab, "asked");
    struct lab_result later = lab_run(lab, "attach", "host", NULL);
    AUTO_FREE char *asked_later = lab_read(lab, "asked");
    cr_expect_null(strstr(later.err, TOKEN), "%s", later.err);
    cr_expect(strstr(later.err, "went"), "%s", later.err);
    cr_expect_str_eq(asked, asked_later);
}

/* The names of target, host, group, role and task stand in the project for all to see. */
Test(secrets, one_that_is_a_name_leaves_events_their_names_and_plan_warns, .timeout = 120)
{
    struct lab *lab = lab_new();
    static const char *const names[] = {"host", "recipe_work", "Set the stage", "gardener", "water it"};
    lab_static_project(
        lab, "    attempts: 1\n",
        "- hosts: recipe_work\n  gather_facts: false\n  roles: [gardener]\n"
        "  handlers:\n    - name: water it\n      ansible.builtin.debug: {msg: x}\n  tasks:\n"
        "    - ansible.builtin.debug: {msg: \"soon: Set the stage\"}\n      changed_when: true\n      "
        "notify: water it\n"
        "    - ansible.builtin.meta: flush_handlers\n"
        "    - name: Set the stage\n      ansible.builtin.debug: {msg: x}\n"
        "    - name: \"{{ real }}\"\n      ansible.builtin.debug: {msg: x}\n"
        "    - name: tells\n      ansible.builtin.fail: {msg: \"s2: {{ s2 }}, {{ s2 }}, {{ real }}\"}\n");
    lab_write(lab, "playbooks/roles/gardener/tasks/main.yml", "%s",
              "- name: dig\n  ansible.builtin.debug: {msg: x}\n");
    AUTO_FREE char *file = lab_read(lab, "triphase.yml");
    AUTO_TEXT keys = TEXT_INIT;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_FREE char *variable = xasprintf("S%zu", i);
        lab_environment(lab, variable, names[i]);
        text_addf(&keys, "      s%zu: {env: S%zu}\n", i, i);
    }
    lab_environment(lab, "REAL", "correct-horse");
    lab_write(lab, "triphase.yml", "%s    secrets:\n%s      real: {env: REAL}\n", file, text_string(&keys));
    struct lab_result plan = lab_run(lab, "plan", "host", NULL);
    cr_expect_eq(plan.code, 0, "%s", plan.err);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_FREE char *warning =
            xasprintf("the value of secret s%zu of target host is a name of this project", i);
        cr_expect(strstr(plan.out, warning), "%s: %s", warning, plan.out);
    }
    cr_expect_null(strstr(plan.out, "secret real"), "%s", plan.out);

    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert_eq(made.code, 2, "%s", made.err);
    AUTO_FREE char *events = lab_sql(lab, "SELECT max(events) FROM step"),
                   *path = xasprintf(".triphase/%s", events);
    AUTO_FREE char *lines = lab_read(lab, path);
    static const char *const told[] = {"\"host\":\"host\"",
                                       "\"pattern\":\"recipe_work\"",
                                       "\"task\":\"Set the stage\"",
                                       "\"role\":\"gardener\"",
                                       "\"handlers\":[\"water it\"]",
                                       "\"task\":\"[REDACTED secret real]\"",
                                       "s2: [REDACTED vaulted], Set the stage, [REDACTED secret real]"};
    for (size_t i = 0; i < COUNT_OF(told); i++)
        cr_expect(strstr(lines, told[i]), "%s: %s", told[i], lines);

    /* Who shows the log says the same names, while it runs and afterwards; who packs it, those that the
     * project's own files have. */
    static const char *const kept[] = {"PLAY [recipe_work]", "ok: [host]"};
    static const char *const shown[] = {"soon: Set the stage", "TASK [gardener : dig]",
                                        "TASK [Set the stage]", "RUNNING HANDLER [water it]",
                                        "TASK [[REDACTED secret real]]"};
    struct lab_result later = lab_run(lab, "attach", "host", NULL);
    AUTO_FREE char *archive = xasprintf("%s/packed.tgz", lab_folder(lab)),
                   *unpack = xasprintf("tar -xzOf %s --wildcards '*/run/*.log' >%s/all.txt", archive,
                                       lab_folder(lab));
    cr_expect_eq(lab_run(lab, "bundle", "host", "-o", archive, NULL).code, 0);
    cr_assert_eq(system(unpack), 0);
    AUTO_FREE char *packed = lab_read(lab, "all.txt");
    cr_expect(strstr(later.err, kept[1]), "%s", later.err); /* the log's last lines */
    cr_expect(strstr(later.err, "TASK [Set the stage]"), "%s", later.err);
    for (size_t i = 0; i < COUNT_OF(shown); i++)
        cr_expect(strstr(made.err, shown[i]), "%s: %s", shown[i], made.err);
    for (size_t i = 0; i < COUNT_OF(kept); i++)
        cr_expect(strstr(packed, kept[i]), "%s: %s", kept[i], packed);
    cr_expect(!strstr(later.err, "correct-horse") && !strstr(packed, "correct-horse"), "%s%s", later.err,
              packed);
}

/* ansible-vault encrypt, the password is pw-of-test:
 * langes_wort: Wal"fisch und Bär / pin: kx7 / port: 12345678 / name_of_role: deploy_it_all */
static const char vault[] =
    "$ANSIBLE_VAULT;1.1;AES256\n"
    "37323534383564393437323139346132653561623061343734663432636364613963343437626661\n"
    "6537306232656436366235663537383239613639363238320a656533393634373331663363356139\n"
    "35333464633831316435373363663138666532373035613831653033363065663761323362316631\n"
    "6130613939363639360a383131376233343961633036303366386363346363306233373234343733\n"
    "31376630643039363061356464326161626661643237363838343234356362313934373532643734\n"
    "61323638343530303166633161336138373836313633363132316230356631373931396131663837\n"
    "33393862303336623337393636366464373761613534666330343531363331373466386438636337\n"
    "65306266666264613632346364333661366632643534363263663838333138383862386134633763\n"
    "3831\n";
/* Eisvogel-am-Bach */
static const char inline_vault[] =
    "---\n"
    "inline: !vault |\n"
    "          $ANSIBLE_VAULT;1.1;AES256\n"
    "          34366335313965373566646537666237356136323731306331306435313532663236306261396632\n"
    "          3462356432303763303632383138616261306636626461330a373432333532353036393762653966\n"
    "          38633563333764626565323730663563363734666133336235383138653335643930663161356565\n"
    "          3133636235336661650a396331336165613932393438646262326434633761626466303866373336\n"
    "          35666434663564616132656139383834656239323831613263646231376536326639\n";

static const char vaulted_playbook[] =
    "- hosts: recipe_work\n  gather_facts: false\n  vars_files: [../hidden.yml, ../other.yml]\n  tasks:\n"
    "    - name: \"With {{ langes_wort }}, {{ inline | b64encode }}\"\n      ansible.builtin.debug: {msg: "
    "x}\n"
    "    - name: fails\n      ansible.builtin.command: \"sh -c 'echo secret on the host; exit 3'\"\n      "
    "changed_when: false\n"
    "      ignore_errors: true\n"
    "    - name: fails at last\n      ansible.builtin.fail: {msg: \"{{ 'z' * 1980 }} {{ langes_wort }} {{ "
    "inline }}\"}\n"
    "      ignore_errors: true\n"
    "    - name: tells\n      ansible.builtin.fail: {msg: \"pin: {{ pin }} and {{ inline | to_json }}, port "
    "12345678\"}\n";

Test(secrets, what_ansible_vault_holds_is_known_in_events_and_bundle, .timeout = 180)
{
    struct lab *lab = lab_new();
    lab_environment(lab, "VAULT_OF_TEST", "pw-of-test");
    lab_static_project(lab, "    attempts: 1\n", vaulted_playbook);
    lab_write(lab, "hidden.yml", "%s", vault);
    lab_write(lab, "other.yml", "%s", inline_vault);
    AUTO_FREE char *file = lab_read(lab, "triphase.yml");
    lab_write(lab, "triphase.yml", "%s    vault_passwords:\n      default: {env: VAULT_OF_TEST}\n", file);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert_eq(made.code, 2, "%s", made.err);

    AUTO_FREE char *events = lab_sql(lab, "SELECT max(events) FROM step"),
                   *path = xasprintf(".triphase/%s", events),
                   *log = lab_sql(lab, "SELECT max(log) FROM step WHERE kind = 'phase'"),
                   *message = lab_sql(lab, "SELECT max(message) FROM step WHERE kind = 'phase'");
    AUTO_FREE char *lines = lab_read(lab, path);
    cr_expect(strstr(lines, "With [REDACTED vaulted langes_wort], [REDACTED vaulted inline]"), "%s", lines);
    cr_expect(strstr(message, "pin: [REDACTED vaulted] and \"[REDACTED vaulted inline]\", port 12345678"),
              "%s", message);
    static const char *const parts[] = {"Wal\"fisch", "Wal\\\"fisch", "und B",
                                        "Eisvogel",   "RWlzdm9nZWwt", "kx7"};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        cr_expect_null(strstr(lines, parts[i]), "the events tell '%s'", parts[i]);
        cr_expect_null(strstr(made.err, parts[i]), "stderr tells '%s': %s", parts[i], made.err);
    }
    cr_expect(strstr(made.err, "TASK [With [REDACTED vaulted langes_wort]"), "%s", made.err);

    AUTO_FREE char *archive = xasprintf("%s/packed.tgz", lab_folder(lab));
    struct lab_result packed = lab_run(lab, "bundle", "host", "-o", archive, NULL);
    cr_expect_eq(packed.code, 0, "%s", packed.err);
    AUTO_FREE char *all =
                       xasprintf("tar -xzOf %s --wildcards '*/run/*' > %s/all.txt", archive, lab_folder(lab)),
                   *logged = xasprintf(".triphase/%s", log);
    cr_assert_eq(system(all), 0);
    AUTO_FREE char *said = lab_read(lab, "all.txt"), *own = lab_read(lab, logged);
    cr_expect(strstr(own, "Eisvogel"), "the playbook's own words are its own: %s", own);
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        cr_expect_null(strstr(said, parts[i]), "the bundle tells '%s': %.300s", parts[i],
                       strstr(said, parts[i]));
}

Test(secrets, random_ones_that_real_programs_quoted_are_left_nowhere_on_the_whole_way, .timeout = 180)
{
    secret_rounds(40, 0);
}
