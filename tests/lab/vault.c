#include "lab/vault.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/words.h"
#include "event/line.h"
#include "lab/recipe_lab.h"
#include "lab/sandbox.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUEST_BOUND_S = 60, REBOOT_BOUND_S = 60, RUN_BOUND_S = 300 };

static const char asking[] =
    "import ssl, sys, urllib.error, urllib.request\n"
    "url, certificate, method = sys.argv[1:]\n"
    "token = sys.stdin.read().strip()\n"
    "request = urllib.request.Request(url, method=method, headers={'X-Vault-Token': token} if token else "
    "{})\n"
    "opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),\n"
    "    urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=certificate)))\n"
    "try:\n"
    "    with opener.open(request, timeout=20) as reply:\n"
    "        print(reply.status, reply.read().decode())\n"
    "except urllib.error.HTTPError as error:\n"
    "    print(error.code, error.read().decode())\n";

struct lab *vault_lab(void)
{
    rig_needed();
    return recipe_lab_new(RUN_BOUND_S);
}

struct lab_result vault_run(struct lab *lab, double seconds, const char *word, ...)
{
    va_list more;
    va_start(more, word);
    struct lab_result result = recipe_lab_run(lab, seconds, word, more);
    va_end(more);
    return result;
}

struct lab_result vault_expect(struct lab *lab, int code, const char *word, ...)
{
    va_list more;
    va_start(more, word);
    struct lab_result result = recipe_lab_expect_list(lab, RUN_BOUND_S, code, word, more);
    va_end(more);
    return result;
}

char *vault_guest(struct lab *lab, const char *script, const char *input, int *code)
{
    return recipe_lab_guest(lab, "vault", GUEST_BOUND_S, script, input, code);
}

void vault_reboot(struct lab *lab)
{
    recipe_lab_reboot(lab, "vault", GUEST_BOUND_S, REBOOT_BOUND_S);
}

char *vault_state(struct lab *lab)
{
    (void)lab;
    return xstrdup(".triphase/targets/vault/state/vault");
}

struct json *vault_kept(struct lab *lab)
{
    AUTO_FREE char *state = vault_state(lab), *path = file_join(state, "init.json"),
                   *text = lab_read(lab, path);
    AUTO_ERROR err = ERROR_INIT;
    struct json *kept = json_parse(text, strlen(text), &err);
    cr_assert(kept != NULL, "%s", error_text(&err));
    return kept;
}

int vault_ask(struct lab *lab, const char *token, const char *method, const char *path, char **reply)
{
    AUTO_FREE char *address = lab_sql(lab, "SELECT address FROM machine ORDER BY made_ns DESC LIMIT 1"),
                   *url = xasprintf("https://%s:8200%s", address, path), *state = vault_state(lab),
                   *certificate = xasprintf("%s/%s/ca.crt", lab_folder(lab), state);
    const char *const argv[] = {"python3", "-c", asking, url, certificate, method, NULL};
    struct program program = {.argv = argv, .input = token, .bound_ns = GUEST_BOUND_S * NS_PER_S};
    struct child_end end;
    AUTO_TEXT out = TEXT_INIT, said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(program_run(&program, &out, &said, &end, &err) == 0, "%s: %s", url, error_text(&err));
    cr_assert(eq(int, end.code, 0), "%s: %s", url, text_string(&said));
    char *body = NULL;
    int status = (int)strtol(text_string(&out), &body, 10);
    if (reply)
        *reply = xstrdup(body);
    return status;
}

void vault_expect_active(struct lab *lab)
{
    int code;
    AUTO_FREE char *said =
        vault_guest(lab, "BAO_ADDR=https://127.0.0.1:8200 BAO_CACERT=/etc/openbao/tls/ca.crt bao status",
                    NULL, &code);
    cr_assert(eq(int, code, 0), "%s", said);
    static const char *const lines[][2] = {{"Sealed ", " false"},   {"HA Mode ", " active"},
                                           {"Total Shares ", " 3"}, {"Threshold ", " 2"},
                                           {"Version ", " 2.7.2"},  {"Storage Type ", " raft"}};
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        const char *at = strstr(said, lines[i][0]);
        AUTO_FREE char *line = xstrndup(at ? at : "", at ? strcspn(at, "\n") : 0);
        cr_assert(text_ends(line, lines[i][1]), "%s", said);
    }
    cr_assert(eq(int, vault_ask(lab, NULL, "GET", "/v1/sys/health", NULL), 200));
}

char *vault_changed(struct lab *lab)
{
    AUTO_FREE char *query =
        xasprintf("SELECT group_concat(text, char(10)) FROM (SELECT name.text FROM task JOIN name ON "
                  "name.number = task.task "
                  "JOIN step ON step.number = task.step WHERE task.status = %d AND step.run = "
                  "(SELECT number FROM run ORDER BY started_ns DESC LIMIT 1) ORDER BY task.started_ns)",
                  STATUS_CHANGED);
    return lab_sql(lab, query);
}

char *vault_kept_token(struct lab *lab)
{
    AUTO_FREE char *state = vault_state(lab), *path = file_join(state, "admin.token");
    char *token = lab_read(lab, path);
    token[strcspn(token, "\n")] = '\0';
    return token;
}

void vault_expect_tokens(struct lab *lab)
{
    AUTO_JSON *kept = vault_kept(lab);
    cr_assert(json_get(kept, "root_token") == NULL, "the root token is still kept");
    AUTO_FREE char *state = vault_state(lab), *path = file_join(state, "tokens.json"),
                   *known = lab_read(lab, path);
    cr_assert(strstr(known, "attempt") == NULL, "%s", known);
    AUTO_FREE char *said = NULL, *admin = vault_kept_token(lab);
    cr_assert(ne(int, vault_ask(lab, NULL, "PUT", "/v1/sys/generate-root/attempt", &said), 200),
              "whoever reaches the API may begin a root token: %s", said);
    AUTO_FREE char *socket = vault_guest(lab, "stat -c '%F %U %a' /run/openbao/root.sock", NULL, NULL);
    cr_assert(eq(str, socket, "socket openbao 700\n"));
    AUTO_FREE char *tokens = vault_guest(
        lab,
        "set -eu; export BAO_ADDR=https://127.0.0.1:8200 "
        "BAO_CACERT=/etc/openbao/tls/ca.crt; read -r BAO_TOKEN || true; export BAO_TOKEN\n"
        "for one in $(bao list -format=json auth/token/accessors | tr -d '[]\" \\n' | tr , ' '); do "
        "bao token lookup -accessor $one; done | grep ^policies | tr -s ' ' | sort",
        admin, NULL);
    cr_assert(eq(str, tokens, "policies [admin default]\npolicies [snapshot]\n"),
              "not one admin token and one for snapshots");
}

char *vault_cut_before(struct lab *lab, const char *file, const char *name)
{
    AUTO_FREE char *task = xasprintf("- name: %s\n", name);
    char *whole = lab_read(lab, file);
    char *at = strstr(whole, task);
    cr_assert(at != NULL, "%s has no task '%s'", file, name);
    lab_write(lab, file, "%.*s- name: Cut here\n  ansible.builtin.fail:\n    msg: cut here\n\n%s",
              (int)(at - whole), whole, at);
    return whole;
}

/* The token is on stdin. */
#define ASK                                                                               \
    "set -eu; read -r token || true; ask() { printf 'header = \"X-Vault-Token: %s\"\\n' " \
    "\"$token\" | curl -sf --config - --cacert /etc/openbao/tls/ca.crt \"$@\"; }\n"

int vault_token_status(struct lab *lab, const char *token)
{
    return vault_ask(lab, token, "GET", "/v1/auth/token/lookup-self", NULL);
}

void vault_save(struct lab *lab, const char *token)
{
    free(vault_guest(lab, ASK "ask -o /root/then https://127.0.0.1:8200/v1/sys/storage/raft/snapshot", token,
                     NULL));
}

void vault_restore(struct lab *lab, const char *token)
{
    free(vault_guest(lab,
                     ASK "ask -X POST --data-binary @/root/then -H 'Content-Type: application/octet-stream' "
                         "https://127.0.0.1:8200/v1/sys/storage/raft/snapshot-force; rm /root/then\n"
                         "sed -i 's/^{/{\"restored\": \"yes\", /' /var/lib/openbao/receipt.json",
                     token, NULL));
}

struct token {
    struct lab *lab;
    const char *text;
    int status;
};

static bool has_status(void *context)
{
    const struct token *token = context;
    return vault_token_status(token->lab, token->text) == token->status;
}

bool vault_until_token(struct lab *lab, double seconds, const char *token, int status)
{
    return lab_until(seconds, has_status, &(struct token){lab, token, status});
}
