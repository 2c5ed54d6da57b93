/* One ansible-playbook child as data: its argv, its environment, its files; and what Ansible itself makes
 * of them. */
#include "ansible/child.h"
#include "ansible/environment.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "format/yaml.h"
#include "process/child.h"
#include "process/program.h"
#include "redact/sealed.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define cr_has(text, part)     cr_assert(strstr((text), (part)), "'%s' does not say '%s'", (text), (part))
#define cr_has_not(text, part) cr_assert_null(strstr((text), (part)), "'%s' says '%s'", (text), (part))

static char folder[64];
static struct project project;
static struct target target;
static struct phase phase;
static struct machine *machine;

static void begin(void)
{
    memcpy(folder, "/tmp/triphase-ansible.XXXXXX", sizeof("/tmp/triphase-ansible.XXXXXX"));
    cr_assert(mkdtemp(folder));
    project = (struct project){.directory = folder,
                               .name = "demo",
                               .ansible = file_find_program("ansible-playbook", NULL),
                               .ansible_found = true};
    target = (struct target){.name = "vault", .provider = "static", .recipe = "vault", .host_name = "vault"};
    phase = (struct phase){.name = "install", .playbook = "play.yml", .limits.host_silent_ns = 18 * NS_PER_S};
    machine = machine_new();
    machine->address = xstrdup("127.0.0.1");
}

static void end(void)
{
    file_remove_tree(folder, NULL);
    free(project.ansible);
    machine_free(machine);
    words_clear(&target.env);
    words_clear(&phase.args);
    node_free(phase.vars);
}

TestSuite(ansible, .init = begin, .fini = end);

static void put(const char *name, const char *content)
{
    AUTO_FREE char *path = file_join(folder, name);
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(file_replace(path, content, strlen(content), 0644, &err) == 0, "%s", error_text(&err));
}

static struct ansible_request request(void)
{
    static char inventory[128], events[128];
    snprintf(inventory, sizeof(inventory), "%s/inventory.yml", folder);
    snprintf(events, sizeof(events), "%s/events", folder);
    put("inventory.yml",
        "all: {hosts: {vault: {ansible_connection: local, ansible_python_interpreter: /usr/bin/python3}}}\n");
    return (struct ansible_request){.project = &project,
                                    .target = &target,
                                    .phase = &phase,
                                    .machine = machine,
                                    .transport = TRANSPORT_DIRECT,
                                    .run = "01890000-0000-7000-8000-00000000abcd",
                                    .seq = 3,
                                    .attempt = 2,
                                    .run_directory = folder,
                                    .inventory = inventory,
                                    .events = events,
                                    .callback_directory = "/callbacks",
                                    .control_directory = "/s",
                                    .target_state = "/t",
                                    .machine_state = "/m"};
}

static struct ansible_child prepared(const struct ansible_request *ask)
{
    struct ansible_child child = {0};
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(ansible_child_prepare(ask, &child, &err) == 0, "%s", error_text(&err));
    return child;
}

/* ------------------------------------------------------------ arguments */

static struct ansible_arguments taken(const char *const *words)
{
    struct ansible_arguments arguments = {0};
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(ansible_arguments_check(words, &arguments, &err) == 0, "%s", error_text(&err));
    return arguments;
}

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})

Test(ansible, arguments_that_choose_tasks_or_hosts_make_a_run_partial)
{
    static const char *const partial[][3] = {{"--tags", "x"},
                                             {"--tags=x"},
                                             {"-t", "x"},
                                             {"-tx"},
                                             {"--skip-tags", "x"},
                                             {"--limit", "x"},
                                             {"-l", "x"},
                                             {"--check"},
                                             {"-C"},
                                             {"-CD"},
                                             {"-vC"},
                                             {"--start-at-task", "x"},
                                             {"--start", "x"},
                                             {"--lim=x"}};
    static const char *const whole[][3] = {{"-v"},      {"-vvvv"},    {"--diff"},    {"-D"},
                                           {"-f", "5"}, {"-f5"},      {"--forks=5"}, {"--vault-id", "a@b"},
                                           {"-b"},      {"-e", "C=1"}};
    for (size_t i = 0; i < COUNT_OF(partial); i++) {
        struct ansible_arguments arguments = taken(partial[i]);
        cr_assert(arguments.partial, "%s", partial[i][0]);
        ansible_arguments_clear(&arguments);
    }
    for (size_t i = 0; i < COUNT_OF(whole); i++) {
        struct ansible_arguments arguments = taken(whole[i]);
        cr_assert_not(arguments.partial, "%s", whole[i][0]);
        ansible_arguments_clear(&arguments);
    }
}

Test(ansible, arguments_that_ask_or_lead_elsewhere_are_refused)
{
    static const char *const refused[][3] = {{"-i", "x"},
                                             {"-ix"},
                                             {"--inventory=x"},
                                             {"--inv=x"},
                                             {"-k"},
                                             {"-K"},
                                             {"-vK"},
                                             {"--ask-pass"},
                                             {"--step"},
                                             {"-J"},
                                             {"--ask-vault-pass"},
                                             {"--vault-id", "prompt"},
                                             {"-u", "x"},
                                             {"-c", "local"},
                                             {"--list-hosts"},
                                             {"--vault-id", "dev@prompt"},
                                             {"--private-key", "x"},
                                             {"--ssh-common-args=x"},
                                             {"--version"},
                                             {"-h"},
                                             {"--syntax-check"},
                                             {"other.yml"},
                                             {"--"},
                                             {"-"},
                                             {"--nonsense"},
                                             {"-Z"},
                                             {"--tags"},
                                             {"-e"},
                                             {"--check=1"},
                                             {"--l=x"}};
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct ansible_arguments arguments = {0};
        AUTO_ERROR err = ERROR_INIT;
        cr_assert(ansible_arguments_check(refused[i], &arguments, &err) < 0, "%s was taken", refused[i][0]);
        cr_assert_eq(err.kind, ERROR_USAGE);
        cr_assert_null(arguments.words.items, "an output was touched");
    }
}

Test(ansible, extra_variables_are_kept_as_a_digest)
{
    struct ansible_arguments one = taken(ARGUMENTS("-e", "password=hunter2"));
    struct ansible_arguments other = taken(ARGUMENTS("-epassword=hunter3"));
    struct ansible_arguments again = taken(ARGUMENTS("--extra-vars=password=hunter2"));
    struct ansible_arguments none = taken(ARGUMENTS("-v"));
    cr_assert_str_eq(one.extra_digest, again.extra_digest);
    cr_assert_str_neq(one.extra_digest, other.extra_digest);
    cr_assert_eq(strlen(one.extra_digest), 64);
    cr_assert_null(none.extra_digest);
    ansible_arguments_clear(&one);
    ansible_arguments_clear(&other);
    ansible_arguments_clear(&again);
    ansible_arguments_clear(&none);
}

/* ------------------------------------------------------------ settings */

Test(ansible, settings_are_read_as_ansible_reads_them)
{
    put("ansible.cfg",
        "# comment\n[defaults]\nCallback_Plugins = plugins:~/mine:/abs ; comment\ntimeout: 30\n\n"
        "remote_user = deploy\nprivate_key_file = keys/one\ninventory = hosts.ini, ~/more\n"
        "[ssh_connection]\nssh_args = -o A=b\n   -o C=d\n; x\nssh_common_args=-J hop\n[other]\nssh_args = "
        "wrong\n");
    struct ansible_settings settings = {0};
    const char *const environment[] = {"HOME=/home/x", NULL};
    cr_assert(ansible_settings_read(folder, environment, &settings, NULL) == 0);
    AUTO_FREE char *plugins = xasprintf("%s/plugins:/home/x/mine:/abs", folder);
    AUTO_FREE char *key = xasprintf("%s/keys/one", folder);
    AUTO_FREE char *inventories = xasprintf("%s/hosts.ini,/home/x/more", folder);
    cr_assert_str_eq(settings.callback_plugins, plugins);
    cr_assert_str_eq(settings.of[SETTING_SSH_ARGS].value, "-o A=b\n-o C=d");
    cr_assert_str_eq(settings.of[SETTING_SSH_ARGS].origin, "ansible.cfg:10");
    cr_assert_str_eq(settings.of[SETTING_SSH_COMMON_ARGS].value, "-J hop");
    cr_assert_str_eq(settings.of[SETTING_REMOTE_USER].value, "deploy");
    cr_assert_str_eq(settings.of[SETTING_PRIVATE_KEY_FILE].value, key);
    cr_assert_str_eq(settings.of[SETTING_INVENTORY].value, inventories);
    cr_assert(settings.of[SETTING_TIMEOUT].value && !settings.of[SETTING_PIPELINING].value &&
              settings.config_is_projects);
    ansible_settings_clear(&settings);
    const char *const stronger[] = {"HOME=/home/x", "ANSIBLE_SSH_ARGS=-4", "ANSIBLE_CALLBACK_PLUGINS=/env",
                                    "ANSIBLE_PIPELINING=0", NULL};
    cr_assert(ansible_settings_read(folder, stronger, &settings, NULL) == 0);
    cr_assert_str_eq(settings.of[SETTING_SSH_ARGS].value, "-4");
    cr_assert_str_eq(settings.callback_plugins, "/env");
    cr_assert_str_eq(settings.of[SETTING_SSH_ARGS].origin, "environment ANSIBLE_SSH_ARGS");
    cr_assert(settings.of[SETTING_PIPELINING].value);
    ansible_settings_clear(&settings);
}

Test(ansible, a_line_that_goes_on_with_the_one_before_is_no_key_of_its_own)
{
    put("ansible.cfg",
        "[defaults]\n  nocows = 1\n  remote_user = deploy\n    remote_port = 1\n  timeout = 5\n"
        "[ssh_connection]\nretries = 1\n  ssh_args = none\n");
    struct ansible_settings settings = {0};
    cr_assert(ansible_settings_read(folder, (const char *const[]){"HOME=/home/x", NULL}, &settings, NULL) ==
              0);
    cr_expect_str_eq(settings.of[SETTING_REMOTE_USER].value, "deploy\nremote_port = 1");
    cr_expect_null(settings.of[SETTING_REMOTE_PORT].value);
    cr_expect_str_eq(settings.of[SETTING_TIMEOUT].value, "5");
    cr_expect_null(settings.of[SETTING_SSH_ARGS].value);
    ansible_settings_clear(&settings);
}

Test(ansible, paths_of_settings_may_name_variables)
{
    put("ansible.cfg",
        "[defaults]\nprivate_key_file = ${HOME}/keys/$WHICH\ninventory = $HOME/hosts, a$b, ${open, $\n");
    struct ansible_settings settings = {0};
    const char *const environment[] = {"HOME=/home/x", "WHICH=one", NULL};
    AUTO_FREE char *inventories = xasprintf("/home/x/hosts,%s/a$b,%s/${open,%s/$", folder, folder, folder);
    cr_assert(ansible_settings_read(folder, environment, &settings, NULL) == 0);
    cr_expect_str_eq(settings.of[SETTING_PRIVATE_KEY_FILE].value, "/home/x/keys/one");
    cr_expect_str_eq(settings.of[SETTING_INVENTORY].value, inventories);
    ansible_settings_clear(&settings);
}

Test(ansible, the_first_ansible_cfg_that_can_be_read_counts)
{
    put("ansible.cfg", "[defaults]\nremote_user = projects\n");
    AUTO_FREE char *absent = xasprintf("ANSIBLE_CONFIG=%s/absent.cfg", folder);
    struct ansible_settings settings = {0};
    cr_assert(ansible_settings_read(folder, (const char *const[]){absent, NULL}, &settings, NULL) == 0);
    cr_expect_str_eq(settings.of[SETTING_REMOTE_USER].value, "projects");
    cr_expect(settings.config_is_projects);
    ansible_settings_clear(&settings);
    if (geteuid() != 0)
        return;
    /* As for Ansible, by the real user. */
    put("closed.cfg", "[defaults]\nremote_user = nobodys\n");
    AUTO_FREE char *path = file_join(folder, "closed.cfg"), *closed = xasprintf("ANSIBLE_CONFIG=%s", path);
    cr_assert(chmod(folder, 0755) == 0 && chmod(path, 0) == 0 && setreuid(65534, (uid_t)-1) == 0);
    int status = ansible_settings_read(folder, (const char *const[]){closed, NULL}, &settings, NULL);
    cr_assert(setreuid(0, (uid_t)-1) == 0 && status == 0);
    cr_expect_str_eq(settings.of[SETTING_REMOTE_USER].value, "projects");
    ansible_settings_clear(&settings);
}

Test(ansible, without_settings_the_defaults_stay)
{
    struct ansible_settings settings = {0};
    const char *const environment[] = {"HOME=/home/x", NULL};
    cr_assert(ansible_settings_read(folder, environment, &settings, NULL) == 0);
    cr_assert_str_eq(settings.callback_plugins,
                     "/home/x/.ansible/plugins/callback:/usr/share/ansible/plugins/callback");
    for (int i = 0; i < SETTING_COUNT; i++)
        cr_assert_null(settings.of[i].value, "%s", ansible_setting_name((enum ansible_name)i));
    ansible_settings_clear(&settings);
}

/* ------------------------------------------------------------ environment */

Test(ansible, the_environment_holds_the_usual_and_no_secret)
{
    child_keep_back("ANSIBLE_MY_TOKEN");
    words_add_all(&target.env, "MINE", "ANSIBLE_MY_TOKEN", NULL);
    const char *const environment[] = {"PATH=/bin",        "HOME=/home/x",    "LANG=C",
                                       "MINE=1",           "OTHERS=2",        "HCLOUD_TOKEN=3",
                                       "XDG_X=1",          "ANSIBLE_FORKS=7", "HTTPS_PROXY=p",
                                       "no_proxy=q",       "LD_PRELOAD=/x",   "ANSIBLE_MY_TOKEN=s3cret",
                                       "TRIPHASE_RUN=old", "PYTHONPATH=/x",   NULL};
    struct ansible_settings settings = {.callback_plugins = ""};
    AUTO_WORDS out = WORDS_INIT;
    ansible_environment(&target, &settings, environment, &out);
    static const char *const there[] = {"PATH",  "HOME",        "MINE",    "ANSIBLE_FORKS",
                                        "XDG_X", "HTTPS_PROXY", "no_proxy"};
    static const char *const gone[] = {"OTHERS",       "HCLOUD_TOKEN", "ANSIBLE_MY_TOKEN",
                                       "TRIPHASE_RUN", "LD_PRELOAD",   "PYTHONPATH"};
    for (size_t i = 0; i < COUNT_OF(there); i++)
        cr_assert_not_null(words_env(&out, there[i]), "%s", there[i]);
    for (size_t i = 0; i < COUNT_OF(gone); i++)
        cr_assert_null(words_env(&out, gone[i]), "%s", gone[i]);
    cr_assert_str_eq(words_env(&out, "LC_ALL"), "C.UTF-8");
    cr_assert_str_eq(words_env(&out, "ANSIBLE_SSH_RETRIES"), "0");
    cr_assert_str_eq(words_env(&out, "ANSIBLE_PIPELINING"), "True");
}

Test(ansible, a_locale_of_utf8_is_the_users_and_one_that_is_not_there_is_none)
{
    struct ansible_settings settings = {
        .callback_plugins = "",
        .of = {[SETTING_PIPELINING] = {.value = "0"}, [SETTING_TIMEOUT] = {.value = "5"}}};
    AUTO_WORDS utf8 = WORDS_INIT, absent = WORDS_INIT;
    ansible_environment(&target, &settings, ARGUMENTS("LANG=C.UTF-8"), &utf8);
    cr_assert_null(words_env(&utf8, "LC_ALL"));
    cr_assert_null(words_env(&utf8, "ANSIBLE_PIPELINING"), "the user's own setting counts");
    ansible_environment(&target, &settings, ARGUMENTS("LANG=xx_YY.UTF-8"), &absent);
    cr_assert_str_eq(words_env(&absent, "LC_ALL"), "C.UTF-8");
}

/* ------------------------------------------------------------ the child */

Test(ansible, a_secret_is_neither_in_argv_nor_environment_nor_a_file)
{
    struct secret secrets[] = {{.name = "token", .kind = SECRET_ENV, .where = "TOKEN_OF_TEST"}};
    struct secret vaults[] = {{.name = "dev", .kind = SECRET_ENV, .where = "VAULT_OF_TEST"}};
    setenv("TOKEN_OF_TEST", "s3cret-token {{ 1 + 1 }}", 1);
    setenv("VAULT_OF_TEST", "s3cret-vault", 1);
    setenv("BECOME_OF_TEST", "s3cret-become", 1);
    target.secrets = secrets;
    target.secret_count = 1;
    target.vault_passwords = vaults;
    target.vault_password_count = 1;
    target.become_password = (struct secret){.kind = SECRET_ENV, .where = "BECOME_OF_TEST"};
    struct ansible_request ask = request();
    struct ansible_child child = prepared(&ask);
    for (size_t i = 0; i < child.argv.count; i++)
        cr_has_not(child.argv.items[i], "s3cret");
    for (size_t i = 0; i < child.environment.count; i++)
        cr_has_not(child.environment.items[i], "s3cret");
    for (size_t i = 0; i < child.files.count; i++) {
        AUTO_TEXT content = TEXT_INIT;
        struct stat info;
        cr_assert(file_read(child.files.items[i], 65536, &content, NULL) == 0 &&
                  stat(child.files.items[i], &info) == 0);
        cr_has_not(text_string(&content), "s3cret");
        cr_assert_eq(info.st_mode & 077, 0);
    }
    int count = 0;
    for (const int *fd = child.keep; *fd >= 0; fd++, count++) {
        struct stat info;
        cr_assert(fstat(*fd, &info) == 0);
        cr_assert_eq(info.st_mode & 0777, 0600, "an executable one Ansible would run");
        cr_assert_eq(fcntl(*fd, F_GET_SEALS),
                     *fd == child.known[1] ? 0 : F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
        cr_assert(fcntl(*fd, F_GETFD) & FD_CLOEXEC);
    }
    cr_assert_eq(count, 4);
    /* And all of them are known to who has to leave them out. */
    struct redact_rules *rules = redact_rules_new();
    redact_sealed_add(rules, child.known[0]);
    AUTO_TEXT left = TEXT_INIT;
    static const char said[] = "s3cret-token {{ 1 + 1 }}, s3cret-vault, s3cret-become";
    cr_expect_eq(redact_text(rules, said, strlen(said), &left), 3);
    cr_expect_str_eq(text_string(&left),
                     "[REDACTED secret token], [REDACTED vault password dev], [REDACTED become password]");
    redact_rules_free(rules);
    AUTO_FREE char *number = xasprintf("%d", child.known[0]);
    cr_expect_str_eq(words_env(&child.environment, "TRIPHASE_SECRETS"), number);
    ansible_child_clear(&child);
}

Test(ansible, what_is_forced_stands_last)
{
    struct ansible_request ask = request();
    struct ansible_arguments arguments = taken(ARGUMENTS("-e", "triphase_run=mine"));
    ask.arguments = &arguments;
    words_add_all(&phase.args, "--diff", NULL);
    struct ansible_child child = prepared(&ask);
    const struct words *argv = &child.argv;
    cr_assert_str_eq(argv->items[argv->count - 1], "play.yml");
    cr_assert_str_eq(argv->items[argv->count - 3], "-e");
    cr_has(argv->items[argv->count - 2], "/03-install.2.vars.yml");
    cr_assert(words_have(argv, "--diff") && words_have(argv, "triphase_run=mine"));
    cr_assert_null(words_env(&child.environment, "ANSIBLE_ASYNC_DIR"),
                   "only the jobs themselves are to have it");
    cr_assert_str_eq(words_env(&child.environment, "TRIPHASE_STEP"),
                     "01890000-0000-7000-8000-00000000abcd/03");
    cr_assert(text_starts(words_env(&child.environment, "ANSIBLE_CALLBACK_PLUGINS"), "/callbacks:"));
    cr_assert(text_starts(words_env(&child.environment, "ANSIBLE_SSH_ARGS"),
                          "-o ServerAliveInterval=2 -o ServerAliveCountMax=8 "));
    cr_assert_null(words_env(&child.environment, "ANSIBLE_GATHERING"));
    ansible_child_clear(&child);
    phase.facts_cached = true;
    ask.fact_cache = "/facts";
    child = prepared(&ask);
    cr_assert_str_eq(words_env(&child.environment, "ANSIBLE_GATHERING"), "smart");
    cr_assert_str_eq(words_env(&child.environment, "ANSIBLE_CACHE_PLUGIN_CONNECTION"), "/facts");
    ansible_child_clear(&child);
    ansible_arguments_clear(&arguments);
}

Test(ansible, a_secret_that_cannot_be_read_leaves_nothing_behind)
{
    struct secret secrets[] = {{.name = "token", .kind = SECRET_FILE, .where = "/nonexistent/secret"}};
    AUTO_WORDS faults = WORDS_INIT;
    cr_assert(yaml_read("a: 1\n", 5, "v", &phase.vars, &faults) == 0);
    target.secrets = secrets;
    target.secret_count = 1;
    static const char *const said[] = {"secret token", "key passphrase"};
    for (size_t i = 0; i < COUNT_OF(said); i++) {
        struct ansible_request ask = request();
        struct ansible_child child = {0};
        AUTO_ERROR err = ERROR_INIT;
        cr_assert(ansible_child_prepare(&ask, &child, &err) < 0);
        cr_has(error_text(&err), said[i]);
        cr_assert_null(child.argv.items, "an output was touched");
        AUTO_WORDS left = WORDS_INIT;
        cr_assert(file_list(folder, &left, NULL) == 0);
        cr_assert_eq(left.count, 1, "only the inventory");
        /* The last one that is read, after everything was written. */
        target.secret_count = 0;
        target.key_passphrase = secrets[0];
        target.key_passphrase.name = NULL;
    }
}

/* ------------------------------------------------------------ Ansible itself */

static char *run_child(const struct ansible_child *child, const char *ansible)
{
    AUTO_FREE char *path = file_join(folder, "out");
    AUTO_CLOSE int out = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct child started = CHILD_INIT;
    struct child_end ended = {0};
    AUTO_ERROR err = ERROR_INIT;
    free(child->argv.items[0]);
    child->argv.items[0] = xstrdup(ansible);
    struct child_plan plan = {.argv = words_argv(&child->argv),
                              .environment = words_argv(&child->environment),
                              .directory = folder,
                              .in = -1,
                              .out = out,
                              .error = out,
                              .keep = child->keep,
                              .die_with_parent = true};
    cr_assert(child_start(&plan, &started, &err) == 0, "%s", error_text(&err));
    struct pollfd ready = {started.pidfd, POLLIN, 0};
    cr_assert(poll(&ready, 1, 60000) == 1, "Ansible did not end");
    cr_assert(child_poll(&started, &ended, &err) == 1);
    child_close(&started);
    AUTO_TEXT text = TEXT_INIT;
    cr_assert(file_read(path, 1 << 20, &text, NULL) == 0);
    cr_assert(ended.exited && ended.code == 0, "%s: %d\n%s", ansible, ended.code, text_string(&text));
    return text_take(&text);
}

/* Each Ansible there is: the one in PATH and the machine's own. */
static size_t ansibles(const char *list[2])
{
    size_t count = 0;
    if (project.ansible)
        list[count++] = project.ansible;
    if (file_is_program("/usr/bin/ansible-playbook") &&
        !text_is(project.ansible, "/usr/bin/ansible-playbook"))
        list[count++] = "/usr/bin/ansible-playbook";
    return count;
}

static const char checks[] = "- hosts: all\n"
                             "  gather_facts: false\n"
                             "  vars: {triphase_phase: overridden, ansible_ssh_retries: 9}\n"
                             "  tasks:\n"
                             "    - ansible.builtin.assert:\n"
                             "        that:\n"
                             "          - triphase_phase == 'install'\n"
                             "          - triphase_attempt == 2\n"
                             "          - triphase_target == 'vault'\n"
                             "          - triphase_transport == 'direct'\n"
                             "          - triphase_address == '127.0.0.1'\n"
                             "          - triphase_state_dir == '/t'\n"
                             "          - triphase_machine_dir == '/m'\n"
                             "          - triphase_pending_handlers[0].host == 'vault'\n"
                             "          - triphase_pending_handlers[0].handler | length == 9\n"
                             "          - ansible_ssh_retries == 0\n"
                             "          - level == 'phase'\n"
                             "          - wins == 'user'\n"
                             "          - token | length == 24\n"
                             "          - ansible_become_password | length == 12\n"
                             "          - lookup('env', 'TOKEN_OF_TEST') == ''\n"
                             "          - vaulted == 'from the vault'\n"
                             "- hosts: localhost\n"
                             "  gather_facts: false\n"
                             "  tasks:\n"
                             "    - ansible.builtin.assert:\n"
                             "        that: [token | length == 24, ansible_become_password is not defined]\n";

/* group_vars/all.yml, encrypted with the password of VAULT_OF_TEST under the id dev. */
static void make_vault_file(void)
{
    AUTO_FREE char *variables = file_join(folder, "group_vars/all.yml");
    AUTO_FREE char *groups = file_join(folder, "group_vars");
    AUTO_FREE char *password = file_join(folder, "password");
    AUTO_FREE char *id = xasprintf("dev@%s", password);
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(file_make_dirs(groups, 0755, &err) == 0);
    put("group_vars/all.yml", "vaulted: from the vault\n");
    put("password", "vault-password\n");
    setenv("LC_ALL", "C.UTF-8", 1);
    cr_assert(program_do(60 * NS_PER_S, NULL, &err, "ansible-vault", "encrypt", "--vault-id", id, variables,
                         NULL) == 0,
              "%s", error_text(&err));
}

Test(ansible, real_ansible_reads_variables_secrets_and_vault, .timeout = 200)
{
    struct secret secrets[] = {{.name = "token", .kind = SECRET_ENV, .where = "TOKEN_OF_TEST"}};
    struct secret vaults[] = {{.name = "dev", .kind = SECRET_ENV, .where = "VAULT_OF_TEST"}};
    setenv("TOKEN_OF_TEST", "s3cret '\" {{ 1 + 1 }} %x", 1);
    setenv("VAULT_OF_TEST", "vault-password", 1);
    target.secrets = secrets;
    target.secret_count = 1;
    target.vault_passwords = vaults;
    target.vault_password_count = 1;
    target.become_password = (struct secret){.kind = SECRET_ENV, .where = "BECOME_OF_TEST"};
    setenv("BECOME_OF_TEST", "{{ become }}", 1);
    AUTO_WORDS faults = WORDS_INIT;
    static const char vars[] = "level: phase\nwins: phase\n";
    cr_assert(yaml_read(vars, strlen(vars), "vars", &phase.vars, &faults) == 0);
    put("play.yml", checks);
    make_vault_file();
    struct ansible_arguments arguments = taken(ARGUMENTS("-e", "wins=user"));
    const char *list[2];
    size_t count = ansibles(list);
    cr_assert_gt(count, 0, "ansible-playbook is not in PATH");
    for (size_t i = 0; i < count; i++) {
        struct ansible_request ask = request();
        ask.arguments = &arguments;
        ask.pending_handlers = "[{\"host\":\"vault\",\"handler\":\"r {{ x }}\"}]";
        struct ansible_child child = prepared(&ask);
        AUTO_FREE char *out = run_child(&child, list[i]);
        cr_has(out, "ok=1 ");
        cr_has_not(out, "failed=1");
        cr_has_not(out, "s3cret");
        ansible_child_clear(&child);
        AUTO_ERROR err = ERROR_INIT;
        AUTO_FREE char *version = ansible_version(list[i], &err);
        cr_assert_not_null(version, "%s", error_text(&err));
        cr_assert(text_starts(version, "2."), "%s", version);
    }
    ansible_arguments_clear(&arguments);
}

Test(ansible, programs_are_found_beside_ansible_among_its_packages_and_in_path)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *bin = file_join(folder, "env/bin");
    AUTO_FREE char *packages = file_join(folder, "env/lib/python3.11/site-packages/thing/bin");
    cr_assert(file_make_dirs(bin, 0755, &err) == 0 && file_make_dirs(packages, 0755, &err) == 0);
    AUTO_FREE char *ansible = file_join(bin, "ansible-playbook");
    AUTO_FREE char *beside = file_join(bin, "beside");
    AUTO_FREE char *inside = file_join(packages, "inside");
    static const char script[] = "#!/bin/sh\n";
    const char *const programs[] = {ansible, beside, inside};
    for (size_t i = 0; i < COUNT_OF(programs); i++)
        cr_assert(file_replace(programs[i], script, strlen(script), 0755, NULL) == 0);
    free(project.ansible);
    project.ansible = xstrdup(ansible);
    struct requirement needs[] = {{.program = "beside"},
                                  {.program = "inside", .package_file = "thing/bin/inside"},
                                  {.program = "sh"},
                                  {.program = "inside"}};
    AUTO_FREE char *one = ansible_find_required(&project, &needs[0]);
    AUTO_FREE char *two = ansible_find_required(&project, &needs[1]);
    AUTO_FREE char *three = ansible_find_required(&project, &needs[2]);
    AUTO_FREE char *four = ansible_find_required(&project, &needs[3]);
    cr_assert_str_eq(one, beside);
    cr_assert_str_eq(two, inside);
    cr_assert_not_null(three);
    cr_assert_null(four);

    /* A script in PATH, of another environment than Ansible's, is not the program that its package brings. */
    AUTO_FREE char *other = file_join(folder, "other/bin");
    AUTO_FREE char *starter = file_join(other, "thing");
    AUTO_FREE char *others_packages = file_join(folder, "other/lib/python3.11/site-packages/own/bin");
    AUTO_FREE char *own = file_join(others_packages, "thing");
    AUTO_FREE char *path = xasprintf("%s:%s", other, getenv("PATH"));
    cr_assert(file_make_dirs(other, 0755, &err) == 0 && file_make_dirs(others_packages, 0755, &err) == 0);
    cr_assert(file_replace(starter, script, strlen(script), 0755, NULL) == 0);
    cr_assert(file_replace(own, script, strlen(script), 0755, NULL) == 0);
    setenv("PATH", path, 1);
    struct requirement thing = {.program = "thing", .package_file = "own/bin/thing"};
    AUTO_FREE char *five = ansible_find_required(&project, &thing);
    cr_assert_str_eq(five, own);
}
