#include "sandbox/firewall.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "format/json.h"
#include "process/program.h"
#include "sandbox/owner.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#define BOUND (30 * NS_PER_S)

enum { RULES_LIMIT = 64 << 20 };

static int nft_script(const char *script, struct error *err)
{
    static const char *const argv[] = {"nft", "-f", "-", NULL};
    struct program program = {.argv = argv, .input = script, .bound_ns = BOUND};
    struct child_end end;
    AUTO_TEXT said = TEXT_INIT;
    if (program_run(&program, NULL, &said, &end, err) < 0)
        return -1;
    if (!end.exited || end.code != 0)
        return error_set(err, ERROR_PROVIDER, "nft refused the sandbox's rules: %.*s",
                         (int)strcspn(text_string(&said), "\n"), text_string(&said));
    return 0;
}

/* The items of the whole rule set, NULL on failure. */
static struct json *nft_rules(struct error *err)
{
    static const char *const argv[] = {"nft", "-j", "list", "ruleset", NULL};
    struct program program = {.argv = argv, .bound_ns = BOUND, .output_limit = RULES_LIMIT};
    struct child_end end;
    AUTO_TEXT out = TEXT_INIT;
    AUTO_TEXT said = TEXT_INIT;
    if (program_run(&program, &out, &said, &end, err) < 0)
        return NULL;
    if (!end.exited || end.code != 0) {
        error_set(err, ERROR_PROVIDER, "nft cannot list this machine's rules: %.*s",
                  (int)strcspn(text_string(&said), "\n"), text_string(&said));
        return NULL;
    }
    AUTO_JSON *all = json_parse(text_string(&out), out.length, err);
    if (!all)
        return NULL;
    return json_keep(json_get(all, "nftables"));
}

/* Whether the old iptables is in use, whose rules nft does not show. */
static bool has_legacy(void)
{
    AUTO_TEXT tables = TEXT_INIT;
    return file_read("/proc/net/ip_tables_names", 4096, &tables, NULL) == 0 &&
           strstr(text_string(&tables), "filter");
}

static bool same_chain(const struct json *a, const struct json *b, const char *b_name)
{
    return text_is(json_get_string(a, "family", ""), json_get_string(b, "family", "")) &&
           text_is(json_get_string(a, "table", ""), json_get_string(b, "table", "")) &&
           text_is(json_get_string(a, "name", ""), json_get_string(b, b_name, ""));
}

/* Whether the chain may drop a packet: by its policy, or by anything but a plain accept in its rules. */
static bool chain_filters(const struct json *items, const struct json *chain)
{
    if (text_is(json_get_string(chain, "policy", ""), "drop"))
        return true;
    for (size_t i = 0; i < json_count(items); i++) {
        const struct json *rule = json_get(json_at(items, i), "rule");
        if (!rule || !same_chain(chain, rule, "chain"))
            continue;
        const struct json *steps = json_get(rule, "expr");
        for (size_t step = 0; step < json_count(steps); step++) {
            static const char *const verdicts[] = {"drop", "reject", "jump", "goto", "queue", "xt"};
            for (size_t v = 0; v < COUNT_OF(verdicts); v++) {
                void *at = NULL;
                const char *key;
                struct json *value;
                while (json_each(json_at(steps, step), &at, &key, &value))
                    if (text_is(key, verdicts[v]))
                        return true;
            }
        }
    }
    return false;
}

/* A chain that the iptables program keeps: rules of nft's own kind could make it
 * unreadable for that program. */
static bool is_iptables_chain(const struct json *chain)
{
    return text_is(json_get_string(chain, "family", ""), "ip") &&
           text_is(json_get_string(chain, "table", ""), "filter") &&
           text_is(json_get_string(chain, "name", ""), "FORWARD");
}

static int iptables_pair(const char *program, const char *name, struct error *err)
{
    return program_do(BOUND, NULL, err, program, "-w", "5", "-I", "FORWARD", "-i", name, "-m", "comment",
                      "--comment", name, "-j", "ACCEPT", NULL) < 0 ||
                   program_do(BOUND, NULL, err, program, "-w", "5", "-I", "FORWARD", "-o", name, "-m",
                              "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-m", "comment", "--comment",
                              name, "-j", "ACCEPT", NULL) < 0
               ? -1
               : 0;
}

static const char *legacy_program(void)
{
    AUTO_FREE char *found = file_find_program("iptables-legacy", NULL);
    return found ? "iptables-legacy" : "iptables";
}

/* Lines of the legacy forward chain. */
static int legacy_rules(struct words *out, struct error *err)
{
    AUTO_TEXT rules = TEXT_INIT;
    if (program_do(BOUND, &rules, err, legacy_program(), "-w", "5", "-S", "FORWARD", NULL) < 0)
        return -1;
    char *state = NULL;
    for (char *line = rules.bytes ? strtok_r(rules.bytes, "\n", &state) : NULL; line;
         line = strtok_r(NULL, "\n", &state))
        words_add(out, line);
    return 0;
}

int firewall_add(const char *name, in_addr_t subnet, struct error *err)
{
    AUTO_JSON *items = nft_rules(err);
    if (!items)
        return -1;
    char network[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &subnet, network, sizeof network);
    AUTO_TEXT script = TEXT_INIT;
    /* What stays on this machine's sandboxes is not translated, so that guests see
     * each other's own addresses. */
    text_addf(&script,
              "table ip %s\n"
              "delete table ip %s\n"
              "table ip %s {\n"
              "    chain out {\n"
              "        type nat hook postrouting priority 100; policy accept;\n"
              "        ip saddr %s/30 oifname != \"tp*\" masquerade\n"
              "    }\n"
              "}\n",
              name, name, name, network);
    bool iptables = false;
    for (size_t i = 0; i < json_count(items); i++) {
        const struct json *chain = json_get(json_at(items, i), "chain");
        const char *family = json_get_string(chain, "family", "");
        if (!text_is(json_get_string(chain, "hook", ""), "forward") ||
            (!text_is(family, "ip") && !text_is(family, "inet")) || !chain_filters(items, chain))
            continue;
        AUTO_FREE char *program = file_find_program("iptables", NULL);
        if (is_iptables_chain(chain) && program && !has_legacy()) {
            iptables = true;
            continue;
        }
        const char *table = json_get_string(chain, "table", "");
        const char *of = json_get_string(chain, "name", "");
        text_addf(&script, "insert rule %s %s %s iifname \"%s\" accept comment \"%s\"\n", family, table, of,
                  name, name);
        text_addf(&script,
                  "insert rule %s %s %s oifname \"%s\" ct state established,related accept comment \"%s\"\n",
                  family, table, of, name, name);
    }
    if (nft_script(text_string(&script), err) < 0 || (iptables && iptables_pair("iptables", name, err) < 0))
        return -1;
    if (!has_legacy())
        return 0;
    AUTO_WORDS rules = WORDS_INIT;
    if (legacy_rules(&rules, err) < 0)
        return -1;
    if (rules.count == 1 && text_is(rules.items[0], "-P FORWARD ACCEPT"))
        return 0;
    return iptables_pair(legacy_program(), name, err);
}

/* Whether the value holds the string anywhere: a rule carries the name as comment or as interface. */
static bool mentions(const struct json *value, const char *name)
{
    AUTO_FREE char *bytes = json_compact(value);
    AUTO_FREE char *quoted = xasprintf("\"%s\"", name);
    return bytes && strstr(bytes, quoted);
}

int firewall_remove(const char *name, struct error *err)
{
    AUTO_JSON *items = nft_rules(err);
    if (!items)
        return -1;
    AUTO_TEXT script = TEXT_INIT;
    for (size_t i = 0; i < json_count(items); i++) {
        const struct json *table = json_get(json_at(items, i), "table");
        const struct json *rule = json_get(json_at(items, i), "rule");
        if (table && text_is(json_get_string(table, "name", ""), name))
            text_addf(&script, "delete table %s %s\n", json_get_string(table, "family", ""), name);
        else if (rule && !text_is(json_get_string(rule, "table", ""), name) && mentions(rule, name))
            text_addf(&script, "delete rule %s %s %s handle %lld\n", json_get_string(rule, "family", ""),
                      json_get_string(rule, "table", ""), json_get_string(rule, "chain", ""),
                      (long long)json_get_integer(rule, "handle", 0));
    }
    if (script.length && nft_script(text_string(&script), err) < 0)
        return -1;
    AUTO_WORDS rules = WORDS_INIT;
    if (!has_legacy())
        return 0;
    if (legacy_rules(&rules, err) < 0)
        return -1;
    for (size_t i = 0; i < rules.count; i++) {
        if (!strstr(rules.items[i], name) || !text_starts(rules.items[i], "-A "))
            continue;
        AUTO_WORDS argv = WORDS_INIT;
        words_add_all(&argv, legacy_program(), "-w", "5", "-D", NULL);
        char *state = NULL;
        for (char *word = strtok_r(rules.items[i] + 3, " ", &state); word; word = strtok_r(NULL, " ", &state))
            words_add(&argv, word);
        if (program_do_argv(BOUND, words_argv(&argv), NULL, err) < 0)
            return -1;
    }
    return 0;
}

int firewall_left(const char *name, struct words *left, struct error *err)
{
    AUTO_JSON *items = nft_rules(err);
    if (!items)
        return -1;
    for (size_t i = 0; i < json_count(items); i++) {
        const struct json *table = json_get(json_at(items, i), "table");
        const struct json *rule = json_get(json_at(items, i), "rule");
        if (table && text_is(json_get_string(table, "name", ""), name))
            words_addf(left, "nftables table %s %s", json_get_string(table, "family", ""), name);
        else if (rule && !text_is(json_get_string(rule, "table", ""), name) && mentions(rule, name))
            words_addf(left, "nftables rule in %s %s %s", json_get_string(rule, "family", ""),
                       json_get_string(rule, "table", ""), json_get_string(rule, "chain", ""));
    }
    AUTO_WORDS rules = WORDS_INIT;
    if (!has_legacy())
        return 0;
    if (legacy_rules(&rules, err) < 0)
        return -1;
    for (size_t i = 0; i < rules.count; i++)
        if (strstr(rules.items[i], name))
            words_addf(left, "iptables rule %s", rules.items[i]);
    return 0;
}

bool firewall_others_forward(void)
{
    AUTO_JSON *items = nft_rules(NULL);
    if (!items || has_legacy())
        return true;
    for (size_t i = 0; i < json_count(items); i++) {
        const struct json *chain = json_get(json_at(items, i), "chain");
        const char *hook = json_get_string(chain, "hook", "");
        if (sandbox_is_name(json_get_string(chain, "table", "")) ||
            !(text_is(hook, "forward") || text_is(hook, "postrouting")))
            continue;
        if (text_is(json_get_string(chain, "policy", ""), "drop"))
            return true;
        for (size_t k = 0; k < json_count(items); k++) {
            const struct json *rule = json_get(json_at(items, k), "rule");
            if (rule && same_chain(chain, rule, "chain"))
                return true;
        }
    }
    return false;
}
