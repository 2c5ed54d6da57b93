/* The fake of the Hetzner Cloud API is one that real clients take for the real one: Debian's own `hcloud` and
 * the vendor's library for Python, which reads every field. What it says wrong, they say. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/words.h"
#include "lab/hetzner.h"
#include "lab/lab.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(hetzner_gate, .timeout = 60);

enum { CLIENT_BOUND_S = 20, COLLECTION_BOUND_S = 240, MOST_WORDS = 24 };

struct client {
    struct hetzner *cloud;
    struct lab *lab;
    struct words environment;
};

static struct client *client_new(const char *const *words)
{
    struct client *client = lab_keep(xcalloc(1, sizeof *client));
    client->cloud = hetzner_start(words);
    client->lab = lab_new();
    AUTO_FREE char *key = file_join(lab_folder(client->lab), "key");
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(program_do(CLIENT_BOUND_S * NS_PER_S, NULL, &err, "ssh-keygen", "-q", "-t", "ed25519", "-N", "",
                         "-f", key, NULL) == 0,
              "%s", error_text(&err));
    words_add_list(&client->environment, (const char *const *)environ);
    words_set_env(&client->environment, "HOME", lab_folder(client->lab));
    words_set_env(&client->environment, "HCLOUD_ENDPOINT", hetzner_endpoint(client->cloud));
    words_set_env(&client->environment, "HCLOUD_TOKEN", HETZNER_TOKEN);
    return client;
}

/* What it said on stdout and stderr, in the lab's keeping. */
static const char *run_within(struct client *client, int seconds, int code, const char *const *argv)
{
    struct program program = {
        .argv = argv,
        .environment = words_argv(&client->environment),
        .bound_ns = seconds * NS_PER_S,
    };
    struct text out = TEXT_INIT;
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct child_end end;
    cr_assert(program_run(&program, &out, &said, &end, &err) == 0, "%s: %s", argv[0], error_text(&err));
    text_add(&out, text_string(&said));
    char *all = lab_keep(text_take(&out));
    cr_assert(end.exited && end.code == code, "%s %s: %d %s", argv[0], argv[1] ? argv[1] : "", end.code, all);
    return all;
}

static const char *run(struct client *client, int code, const char *const *argv)
{
    return run_within(client, CLIENT_BOUND_S, code, argv);
}

static const char *hcloud(struct client *client, int code, const char *word, ...) __attribute__((sentinel));
static const char *hcloud(struct client *client, int code, const char *word, ...)
{
    const char *argv[MOST_WORDS + 4] = {"hcloud", "--poll-interval", "50ms", word};
    va_list more;
    va_start(more, word);
    for (size_t i = 4; argv[i - 1]; i++) {
        cr_assert(i < MOST_WORDS);
        argv[i] = va_arg(more, const char *);
    }
    va_end(more);
    return run(client, code, argv);
}

static void has(const char *text, const char *part)
{
    cr_expect(strstr(text, part) != NULL, "no '%s' in: %s", part, text);
}

static void lacks(const char *text, const char *part)
{
    cr_expect(strstr(text, part) == NULL, "'%s' in: %s", part, text);
}

static bool nothing_is_left(void *context)
{
    return hetzner_count(context, "servers") == 0;
}

Test(hetzner_gate, debians_client_makes_lists_describes_and_deletes_servers_keys_and_firewalls)
{
    struct client *it = client_new(NULL);
    AUTO_FREE char *public = file_join(lab_folder(it->lab), "key.pub");

    has(hcloud(it, 0, "ssh-key", "create", "--name", "k", "--public-key-from-file", public, "--label", "a=b",
               NULL),
        "created");
    has(hcloud(it, 0, "ssh-key", "list", "-l", "a=b", NULL), " k ");
    has(hcloud(it, 1, "ssh-key", "create", "--name", "k2", "--public-key-from-file", public, NULL),
        "SSH key with the same fingerprint already exists");
    has(hcloud(it, 0, "firewall", "create", "--name", "f", NULL), "created");
    has(hcloud(it, 0, "firewall", "add-rule", "f", "--direction", "in", "--protocol", "tcp", "--port", "22",
               "--source-ips", "0.0.0.0/0", NULL),
        "updated");
    const char *made =
        hcloud(it, 0, "server", "create", "--name", "s", "--type", "cx23", "--image", "docker-ce",
               "--ssh-key", "k", "--firewall", "f", "--location", "fsn1", "--label", "a=b", NULL);
    has(made, "IPv4: 198.18.0.1");
    lacks(made, "assword");
    has(hcloud(it, 0, "server", "create", "--name", "bare", "--type", "cx23", "--image", "debian-12", NULL),
        "Root password: " HETZNER_ROOT_PASSWORD);
    has(hcloud(it, 1, "server", "create", "--name", "s", "--type", "cx23", "--image", "debian-12", NULL),
        "uniqueness_error");

    const char *list = hcloud(it, 0, "server", "list", "-l", "a=b", NULL);
    has(list, "running");
    lacks(list, "bare");
    const char *told = hcloud(it, 0, "server", "describe", "s", "-o", "json", NULL);
    has(told, "\"docker-ce\"");
    has(told, "\"applied\"");
    has(hcloud(it, 0, "firewall", "apply-to-resource", "f", "--type", "server", "--server", "bare", NULL),
        "applied");
    has(hcloud(it, 0, "firewall", "describe", "f", NULL), "bare");
    /* 1.30 says "applied" of this too. */
    has(hcloud(it, 0, "firewall", "remove-from-resource", "f", "--type", "server", "--server", "bare", NULL),
        "Firewall ");
    lacks(hcloud(it, 0, "firewall", "describe", "f", NULL), "bare");
    has(hcloud(it, 0, "server", "add-label", "bare", "a=c", NULL), "added");
    has(hcloud(it, 0, "server", "list", "-l", "a!=b", NULL), "bare");
    has(hcloud(it, 0, "server", "enable-protection", "s", "delete", NULL), "enabled");
    has(hcloud(it, 1, "server", "delete", "s", NULL), "protected");
    has(hcloud(it, 0, "server", "disable-protection", "s", "delete", NULL), "disabled");
    has(hcloud(it, 1, "firewall", "delete", "f", NULL), "resource_in_use");

    has(hcloud(it, 0, "server", "delete", "s", NULL), "deleted");
    has(hcloud(it, 0, "server", "delete", "bare", NULL), "deleted");
    cr_assert(lab_until(5, nothing_is_left, it->cloud));
    has(hcloud(it, 0, "firewall", "delete", "f", NULL), "deleted");
    has(hcloud(it, 0, "ssh-key", "delete", "k", NULL), "deleted");
    cr_expect_eq(hetzner_count(it->cloud, "firewalls") + hetzner_count(it->cloud, "ssh_keys"), 0);
}

Test(hetzner_gate, the_vendors_strict_library_finds_every_field_that_it_reads)
{
    struct client *it = client_new(NULL);
    AUTO_FREE char *public = lab_read_line(it->lab, "key.pub");

    const char *said = run(it, 0,
                           (const char *const[]){".venv-lint/bin/python3",
                                                 "tests/lab/hetzner/strict_client.py", public, NULL});

    static const char expected[] =
        "key strict True\n"
        "firewall strict [('in', 'tcp', '22')]\n"
        "type cax11 arm ['fsn1', 'nbg1', 'hel1']\n"
        "image docker-ce app arm\n"
        "created initializing create_server ['attach_to_network', 'start_server'] None\n"
        "server running cax11 fsn1 arm {'by': 'strict', 'role': 'a'}\n"
        "nets 198.18.0.1 2001:db8:0:1::/64 10.0.1.2 strict\n"
        "walls [(True, 'applied')]\n"
        "no IPv4 None 2001:db8:0:2::/64 True\n"
        "listed ['strict-1']\n"
        "again uniqueness_error\n"
        "in use resource_in_use\n"
        "applied 2 0\n"
        "protected protected\n"
        "labels {'by': 'other'}\n"
        "gone None not_found\n"
        "left [] [] [] []\n";
    cr_expect_str_eq(said, expected);
    cr_expect_eq(hetzner_asked(it->cloud, "POST /v1/servers 201"), 2);
}

Test(hetzner_gate, a_list_of_two_hundred_comes_in_pages_of_fifty)
{
    struct client *it = client_new((const char *const[]){"--preload", "200", "--preload-label", "a=b", NULL});

    const char *list =
        hcloud(it, 0, "server", "list", "-l", "a=b", "-o", "noheader", "-o", "columns=name", NULL);

    size_t lines = 0;
    for (const char *at = list; (at = strchr(at, '\n')); at++)
        lines++;
    cr_expect_eq(lines, 200);
    cr_expect_eq(hetzner_asked(it->cloud, "GET /v1/servers?"), 4);
}

Test(hetzner_gate, a_wrong_token_and_one_that_may_only_look_are_told_apart)
{
    struct client *it = client_new((const char *const[]){"--readonly-token", "looks", NULL});

    words_set_env(&it->environment, "HCLOUD_TOKEN", "unknown");
    has(hcloud(it, 1, "server", "list", NULL), "unable to authenticate (unauthorized)");
    words_set_env(&it->environment, "HCLOUD_TOKEN", "looks");
    has(hcloud(it, 0, "server", "list", NULL), "ID");
    has(hcloud(it, 1, "server", "create", "--name", "s", "--type", "cx23", "--image", "debian-12", NULL),
        "(forbidden)");
}

Test(hetzner_gate, the_vendors_ansible_collection_makes_a_server_once_and_removes_it, .timeout = 300)
{
    struct client *it = client_new(NULL);
    AUTO_FREE char *public = lab_read_line(it->lab, "key.pub");
    char *folder =
        lab_keep(xstrdup(run_within(it, COLLECTION_BOUND_S, 0,
                                    (const char *const[]){"tests/lab/hetzner/collection.sh", NULL})));
    folder[strcspn(folder, "\n")] = '\0';
    words_set_env(&it->environment, "ANSIBLE_COLLECTIONS_PATH", folder);
    words_set_env(&it->environment, "PUBLIC_KEY", public);
    AUTO_FREE char *here = realpath(".venv-lint/bin", NULL),
                   *python = xasprintf("ansible_python_interpreter=%s/python3", here);

    const char *said =
        run_within(it, COLLECTION_BOUND_S, 0,
                   (const char *const[]){"ansible-playbook", "-i", "localhost,", "-c", "local", "-e", python,
                                         "tests/lab/hetzner/collection.yml", NULL});

    has(said, "failed=0");
    cr_expect_eq(hetzner_asked(it->cloud, "POST /v1/servers 201"), 1);
    static const char *const kinds[] = {"servers", "ssh_keys", "firewalls", "networks", "placement_groups"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        cr_expect_eq(hetzner_count(it->cloud, kinds[i]), 0, "%s", kinds[i]);
}
