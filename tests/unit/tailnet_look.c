/* One look at what can carry a tailnet here, the words for it, and the choice that is made from it. Real
 * daemons are in system/ways.c. */
#include "tailnet/look_told.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "folder.h"
#include "preflight/tailnet_facts.h"
#include "transport/choose.h"
#include "web.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *path;

static void begin(void)
{
    folder_fill();
    path = folder_path("ts.sock");
}

static void end(void)
{
    free(path);
    folder_clean();
}

TestSuite(tailnet_look, .timeout = 60, .init = begin, .fini = end);

#define OK "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
/* One body for both questions: the state and the settings. */
#define DAEMON(tun, state)                                                                                  \
    OK "{\"Version\":\"1.102.3\",\"TUN\":" tun ",\"BackendState\":\"" state "\","                           \
       "\"ControlURL\":\"http://hs.example.org:8080\",\"TailscaleIPs\":[\"100.64.0.1\"],"                   \
       "\"Self\":{\"HostName\":\"op\",\"DNSName\":\"op.tail.net.\",\"Tags\":[\"tag:op\"]},"                 \
       "\"Health\":[\"something is wrong\"],"                                                               \
       "\"Peer\":{\"nodekey:a\":{\"ID\":\"n1\",\"HostName\":\"vault\",\"DNSName\":\"vault.tail.net.\","     \
       "\"TailscaleIPs\":[\"100.64.0.7\"],\"Online\":true,\"Active\":true,\"CurAddr\":\"192.0.2.9:41641\"," \
       "\"sshHostKeys\":[\"ssh-ed25519 AAAA\"]}}}"

static void serve(const struct web_answer *answer)
{
    web_start(path, answer, 1);
}

static void take(struct tailnet_look *look)
{
    int64_t since = moment_monotonic();
    tailnet_look_take(path, deadline_in(TAILNET_LOOK_S * NS_PER_S), look);
    cr_assert_lt(moment_monotonic() - since, 3 * NS_PER_S, "a look is bounded");
}

/* "WHAT | FOUND | FOLLOWS" lines. malloc'ed. */
static char *told(const struct tailnet_look *look, const char *address, const char *wanted)
{
    AUTO_JSON *rows = look_told(look, address, wanted);
    struct text out = TEXT_INIT;
    for (size_t i = 0; i < json_count(rows); i++)
        text_addf(&out, "%s | %s | %s\n", json_get_string(json_at(rows, i), "what", "?"),
                  json_get_string(json_at(rows, i), "found", "?"),
                  json_get_string(json_at(rows, i), "follows", "?"));
    return text_take(&out);
}

Test(tailnet_look, a_daemon_without_a_tun_is_told_with_its_tailnet_its_peer_and_what_would_give_a_tun)
{
    static const struct web_answer answer = {.bytes = DAEMON("false", "Running")};
    AUTO_TAILNET_LOOK look = {.taken = false};
    serve(&answer);
    take(&look);
    cr_assert_eq(look.daemon, TAILNET_DAEMON_ANSWERS, "%s", look.tun.daemon_error);
    cr_assert_eq(look.tun.verdict, TUN_USERSPACE);
    cr_assert_lt(look.took_ns, NS_PER_S);
    cr_assert_str_eq(look.control_url, "http://hs.example.org:8080");
    AUTO_FREE char *all = told(&look, "100.64.0.7", "http://hs.example.org:8080/");
    cr_has(all, "| version 1.102.3, Running | it can carry connections\n");
    cr_has(all, "its TUN | none: userspace networking | the transport tailnet cannot be taken");
    cr_has(all, "\nthis machine | ");
    cr_has(all, "control server | http://hs.example.org:8080 | \n");
    cr_has(all, "this machine in the tailnet | 100.64.0.1, op.tail.net, tag:op | \n");
    cr_has(all, "health | something is wrong | \n");
    cr_has(all, "the host 100.64.0.7 | vault.tail.net, online, direct by 192.0.2.9:41641, last handshake "
                "never, serves Tailscale SSH | \n");
    AUTO_FREE char *other = told(&look, "100.64.0.8", "https://other.example.org");
    cr_has(other, "the host 100.64.0.8 | none of the daemon's peers | it has not joined this tailnet");
    cr_has(other, "| not the one that is wanted, https://other.example.org\n");
}

Test(tailnet_look, where_a_daemon_has_a_tun_nothing_has_to_be_mended)
{
    static const struct web_answer answer = {.bytes = DAEMON("true", "Running")};
    AUTO_TAILNET_LOOK look = {.taken = false};
    serve(&answer);
    take(&look);
    cr_assert_eq(look.tun.verdict, TUN_IN_USE);
    cr_assert_null(tailnet_look_mend(&look));
    AUTO_FREE char *all = told(&look, NULL, NULL);
    cr_has(all, "its TUN | it has one | the transport tailnet goes through the kernel\n");
    cr_has_not(all, "\nthis machine | ");
}

Test(tailnet_look, what_does_not_answer_is_told_apart_and_never_waited_for)
{
    static const struct web_answer silent = {.end = WEB_HOLD}, strange = {.bytes = "SSH-2.0-x\r\n"},
                                   refuses = {.bytes = "HTTP/1.1 403 Forbidden\r\n\r\nno"};
    AUTO_TAILNET_LOOK nobody = {.taken = false}, one = {.taken = false};
    take(&nobody);
    cr_assert_eq(nobody.daemon, TAILNET_DAEMON_NONE);
    AUTO_FREE char *all = told(&nobody, NULL, NULL);
    cr_has(all, "| nobody there (No such file or directory) | no tailnet can be used until one runs");
    serve(&silent);
    take(&one);
    cr_assert_eq(one.daemon, TAILNET_DAEMON_SILENT, "%s", one.tun.daemon_error);
    AUTO_FREE char *hangs = told(&one, NULL, NULL);
    cr_has(hangs, "it hangs, and carries nothing");
    const struct web_answer *const ill[] = {&strange, &refuses};
    for (size_t i = 0; i < COUNT_OF(ill); i++) {
        tailnet_look_clear(&one);
        cr_assert_eq(unlink(path), 0);
        serve(ill[i]);
        take(&one);
        cr_assert_eq(one.daemon, TAILNET_DAEMON_STRANGE, "%s", one.tun.daemon_error);
    }
}

static struct project *project_of(const char *lines)
{
    AUTO_FREE char *text =
        xasprintf("project: demo\noperator: {socket: ts.sock}\ntargets:\n  vault:\n    recipe: "
                  "vault\n%s",
                  lines);
    folder_write("triphase.yml", text);
    return folder_load();
}

/* PATH is a folder that holds these alone. */
static void have_only(const char *const *programs)
{
    AUTO_FREE char *bin = folder_path("bin");
    cr_assert_eq(file_remove_tree(bin, NULL), 0);
    for (; *programs; programs++) {
        AUTO_FREE char *name = xasprintf("bin/%s", *programs), *program = folder_path(name);
        folder_write(name, "#!/bin/sh\n");
        cr_assert_eq(chmod(program, 0755), 0);
    }
    setenv("PATH", bin, 1);
}

static const char *mend_of_doctor(struct facts *facts, const struct project *project)
{
    tailnet_facts_add(project, facts);
    for (size_t i = 0; i < facts->count; i++)
        if (text_is(facts->items[i].name, "tailnet"))
            return facts->items[i].mend;
    cr_assert_fail("the doctor says nothing of the tailnet");
    return NULL;
}

Test(tailnet_look,
     where_there_is_neither_daemon_nor_program_nobody_is_sent_to_a_command_that_cannot_start_one)
{
    static const struct {
        const char *have[3], *lacks;
    } cases[] = {{{NULL}, "tailscaled"},
                 {{"tailscale"}, "tailscaled"},
                 {{"tailscaled"}, "tailscale"},
                 {{"tailscale", "tailscaled"}, NULL}};
    static const char install[] = "install Tailscale's package (https://tailscale.com/download)";
    AUTO_PROJECT *project = project_of("    transport: tailnet-userspace\n");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_TAILNET_LOOK look = {.taken = false};
        AUTO_FACTS facts = {0};
        AUTO_ERROR err = ERROR_INIT;
        enum transport_kind kind;
        const char *lacks = cases[i].lacks;
        have_only(cases[i].have);
        take(&look);
        cr_assert_eq(look.daemon, TAILNET_DAEMON_NONE);
        AUTO_FREE char *explained = told(&look, NULL, NULL), *mend = tailnet_look_mend(&look);
        AUTO_FREE char *row =
            xasprintf("no tailnet can be used until one runs: %s", lacks ? install : "triphase up");
        cr_has(explained, row);
        if (strstr(mend, "a tailscaled started here could have a TUN"))
            cr_has(mend, lacks ? install : "triphase up");
        const char *doctors = mend_of_doctor(&facts, project);
        cr_assert(text_starts(doctors, lacks ? install : "triphase up"), "%s", doctors);
        cr_assert_lt(transport_choose_for(&project->targets[0], NULL, NULL, &kind, &err), 0);
        AUTO_FREE char *plan =
            lacks ? xasprintf("and the program %s is not to be found in PATH: %s", lacks, install)
                  : xstrdup("'triphase up' starts one");
        cr_has(error_text(&err), plan);
        if (lacks)
            cr_has_not(error_text(&err), "triphase up");
    }
}

Test(tailnet_look, both_names_of_a_control_server_are_one)
{
    cr_assert(tailnet_look_same_server(NULL, ""));
    cr_assert(tailnet_look_same_server(NULL, "https://controlplane.tailscale.com"));
    cr_assert(tailnet_look_same_server("https://login.tailscale.com/", ""));
    cr_assert(tailnet_look_same_server("https://HS.example.org/", "https://hs.example.org"));
    cr_assert_not(tailnet_look_same_server("https://hs.example.org", ""));
    cr_assert_not(tailnet_look_same_server("https://hs.example.org:1", "https://hs.example.org:2"));
}

/* ------------------------------------------------------------ the choice */

static bool is_usable(const struct json *evidence, const char *name)
{
    const struct json *list = json_get(evidence, "transports");
    for (size_t i = 0; i < json_count(list); i++)
        if (text_is(json_get_string(json_at(list, i), "name", ""), name))
            return json_get_bool(json_at(list, i), "usable");
    cr_assert_fail("%s is not told", name);
    return false;
}

Test(tailnet_look, what_is_called_usable_is_the_same_whether_it_is_to_be_used_or_only_rendered)
{
    AUTO_PROJECT *project = project_of("    transport: [tailnet, tailnet-userspace]\n");
    have_only((const char *const[]){"tailscale", "tailscaled", NULL});
    for (int contact = 0; contact < 2; contact++) {
        AUTO_ERROR err = ERROR_INIT;
        AUTO_JSON *evidence = NULL;
        enum transport_kind kind;
        struct transport_question question = {.names = &project->targets[0].transports,
                                              .target = &project->targets[0],
                                              .for_contact = contact != 0};
        int status = transport_choose(&question, &kind, &evidence, &err);
        cr_assert_eq(status, contact ? -1 : 0);
        cr_assert_not(is_usable(evidence, "tailnet"));
        cr_assert_not(is_usable(evidence, "tailnet-userspace"));
        if (contact)
            cr_has(error_text(&err), "'triphase up' starts one");
    }
}

Test(tailnet_look, what_can_carry_now_is_taken_before_what_could_once_a_daemon_runs)
{
    AUTO_PROJECT *project = project_of("    transport: [tailnet, direct]\n");
    enum transport_kind kind;
    struct transport_question question = {.names = &project->targets[0].transports,
                                          .target = &project->targets[0]};
    cr_assert_eq(transport_choose(&question, &kind, NULL, NULL), 0);
    cr_assert_eq(kind, TRANSPORT_DIRECT);
}

Test(tailnet_look, where_none_can_carry_now_the_first_of_the_list_that_could_once_a_daemon_runs_is_rendered)
{
    static const struct {
        const char *list;
        enum tun_verdict tun;
        enum transport_kind kind;
    } cases[] = {{"    transport: [tailnet, tailnet-userspace]\n", TUN_USABLE, TRANSPORT_TAILNET},
                 {"    transport: [tailnet-userspace, tailnet]\n", TUN_USABLE, TRANSPORT_TAILNET_USERSPACE},
                 {"    transport: [tailnet, tailnet-userspace]\n", TUN_NO_CAPABILITY,
                  TRANSPORT_TAILNET_USERSPACE}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_PROJECT *project = project_of(cases[i].list);
        AUTO_TAILNET_LOOK look = {.taken = false};
        enum transport_kind kind;
        take(&look);
        look.tun.verdict = cases[i].tun;
        const struct transport_question question = {.names = &project->targets[0].transports,
                                                    .target = &project->targets[0],
                                                    .look = &look};
        cr_assert_eq(transport_choose(&question, &kind, NULL, NULL), 0);
        cr_expect_eq(kind, cases[i].kind, "case %zu", i);
    }
}

Test(tailnet_look, one_look_serves_all_questions_of_one_asker)
{
    static const struct web_answer answer = {.bytes = DAEMON("true", "Running")};
    AUTO_PROJECT *project = project_of("    transport: [tailnet]\n");
    AUTO_TAILNET_LOOK look = {.taken = false};
    struct transport_question question = {.names = &project->targets[0].transports,
                                          .target = &project->targets[0],
                                          .for_contact = true,
                                          .look = &look};
    struct web *web = web_start(path, &answer, 1);
    enum transport_kind kind;
    cr_assert_eq(transport_choose(&question, &kind, NULL, NULL), 0);
    size_t asked = web_count(web);
    cr_assert_eq(asked, 2, "the state and the settings");
    cr_assert_eq(transport_choose(&question, &kind, NULL, NULL), 0);
    cr_assert_eq(web_count(web), asked);
}

/* How a list is chosen from, for a login within so long. */
static int choose_within(const char *list, int64_t ns, enum transport_kind *kind, struct error *err)
{
    AUTO_PROJECT *project = project_of(list);
    struct deadline contact = deadline_in(ns);
    return transport_choose_for(&project->targets[0], NULL, &contact, kind, err);
}

Test(tailnet_look, a_daemon_that_is_starting_is_waited_for_before_a_login_goes_by_it)
{
    static const struct web_answer starting = {.bytes = DAEMON("true", "Starting")};
    /* A look is three connections: who is there, the state, the settings. Two, then the news, then a
     * third. */
    const struct web_answer answers[] = {starting,
                                         starting,
                                         starting,
                                         starting,
                                         starting,
                                         starting,
                                         {.bytes = OK, .end = WEB_HOLD},
                                         {.bytes = DAEMON("true", "Running")}};
    AUTO_ERROR err = ERROR_INIT;
    enum transport_kind kind;
    struct web *web = web_start(path, answers, COUNT_OF(answers));
    cr_assert_eq(choose_within("    transport: [tailnet, direct]\n", 40 * NS_PER_S, &kind, &err), 0, "%s",
                 error_text(&err));
    cr_assert_eq(kind, TRANSPORT_TAILNET);
    cr_assert_eq(web_count(web), 7);
}

Test(tailnet_look, one_that_is_starting_for_ever_costs_its_share_and_gives_way)
{
    static const struct web_answer starting = {.bytes = DAEMON("true", "Starting")};
    AUTO_ERROR err = ERROR_INIT;
    enum transport_kind kind;
    serve(&starting);
    int64_t since = moment_monotonic();
    cr_assert_eq(choose_within("    transport: [tailnet, direct]\n", 2 * NS_PER_S, &kind, NULL), 0);
    cr_assert_eq(kind, TRANSPORT_DIRECT);
    cr_assert_lt(choose_within("    transport: [tailnet]\n", 2 * NS_PER_S, &kind, &err), 0);
    cr_has(error_text(&err), "was waited for");
    int64_t took = moment_monotonic() - since;
    cr_assert(took > 19 * NS_PER_S / 10 && took < 10 * NS_PER_S, "%.1f s", (double)took / NS_PER_S);
}

static int waited;

/* Whoever waits for the daemon finds it there. */
static void comes_back(const struct tailnet_look *look)
{
    static const struct web_answer answer = {.bytes = DAEMON("true", "Running")};
    cr_expect(tailnet_look_is_away(look));
    waited++;
    serve(&answer);
}

static int choose_after(const char *carried, const char *list, enum transport_kind *kind)
{
    AUTO_PROJECT *project = project_of(list);
    struct deadline contact = deadline_in(40 * NS_PER_S);
    const struct transport_question question = {.names = &project->targets[0].transports,
                                                .target = &project->targets[0],
                                                .for_contact = true,
                                                .contact = &contact,
                                                .carried = carried,
                                                .waits = comes_back};
    return transport_choose(&question, kind, NULL, NULL);
}

Test(tailnet_look, one_that_carried_the_run_and_is_gone_is_waited_for_where_no_other_way_is_left)
{
    enum transport_kind kind;
    cr_assert_lt(choose_after(NULL, "    transport: [tailnet]\n", &kind), 0);
    cr_assert_eq(choose_after("tailnet", "    transport: [tailnet, direct]\n", &kind), 0);
    cr_assert_eq(kind, TRANSPORT_DIRECT);
    cr_assert_eq(waited, 0);
    cr_assert_eq(choose_after("tailnet", "    transport: [tailnet]\n", &kind), 0);
    cr_assert_eq(kind, TRANSPORT_TAILNET);
    cr_assert_eq(waited, 1);
}

Test(tailnet_look, the_daemon_of_another_control_server_carries_nothing_unless_it_knows_the_host)
{
    static const struct web_answer answer = {.bytes = DAEMON("true", "Running")};
    AUTO_PROJECT *project = project_of("    tailnet: {tags: [tag:x], login_server: 'https://other'}\n");
    AUTO_MACHINE *machine = machine_new();
    AUTO_ERROR err = ERROR_INIT;
    enum transport_kind kind;
    serve(&answer);
    cr_assert_lt(transport_choose_for(&project->targets[0], NULL, NULL, &kind, &err), 0);
    cr_assert_eq(err.kind, ERROR_MISSING);
    cr_has(error_text(&err), "belongs to the control server http://hs.example.org:8080, and https://other is "
                             "wanted");
    machine->tailnet = json_new_object();
    json_set_string(machine->tailnet, "address", "100.64.0.9");
    cr_assert_lt(transport_choose_for(&project->targets[0], machine, NULL, &kind, NULL), 0);
    json_set_string(machine->tailnet, "address", "100.64.0.7");
    cr_assert_eq(transport_choose_for(&project->targets[0], machine, NULL, &kind, NULL), 0, "it is a peer");
    cr_assert_eq(kind, TRANSPORT_TAILNET);
}

static void expect_of_a_daemon_at_headscale(const char *operator, const char * target, const char *wanted)
{
    AUTO_FREE char *text = xasprintf("project: demo\noperator: {socket: ts.sock%s}\ntargets:\n  vault: "
                                     "{recipe: vault, transport: tailnet, %s}\n",
                                     operator, target);
    folder_write("triphase.yml", text);
    AUTO_PROJECT *project = folder_load();
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FACTS facts = {0};
    enum transport_kind kind;
    int status = transport_choose_for(&project->targets[0], NULL, NULL, &kind, &err);
    cr_expect_eq(status, wanted ? -1 : 0, "%s, %s: %s", operator, target, error_text(&err));
    if (wanted) {
        AUTO_FREE char *both =
            xasprintf("belongs to the control server http://hs.example.org:8080, and %s is "
                      "wanted",
                      wanted);
        cr_has(error_text(&err), both);
    }
    tailnet_facts_add(project, &facts);
    for (size_t i = 0; i < facts.count; i++)
        if (text_is(facts.items[i].name, "control server"))
            cr_expect_eq(facts.items[i].state, wanted ? FACT_WARNING : FACT_OK, "%s, %s: %s", operator,
                         target, facts.items[i].what);
}

Test(tailnet_look, of_a_target_that_joins_its_own_control_server_counts_and_of_others_what_somebody_said)
{
    static const char tailscales[] = "https://controlplane.tailscale.com";
    static const struct web_answer answer = {.bytes = DAEMON("true", "Running")};
    serve(&answer);
    expect_of_a_daemon_at_headscale("", "tailnet: {tags: [tag:x]}", tailscales);
    expect_of_a_daemon_at_headscale(", login_server: 'http://hs.example.org:8080'",
                                    "tailnet: {tags: [tag:x]}", tailscales);
    expect_of_a_daemon_at_headscale(", login_server: 'https://other'",
                                    "tailnet: {tags: [tag:x], login_server: 'http://hs.example.org:8080'}",
                                    NULL);
    expect_of_a_daemon_at_headscale("", "provider: static, address: 192.0.2.1", NULL);
    expect_of_a_daemon_at_headscale(", login_server: 'https://other'", "provider: static, address: 192.0.2.1",
                                    "https://other");
}

Test(tailnet_look, a_phase_that_requires_a_tun_is_never_given_a_way_without_one)
{
    AUTO_PROJECT *project = NULL;
    folder_write("phases/vault.yml",
                 "phases:\n  - {name: install, playbook: playbooks/install.yml, require: [tun]}\n"
                 "  - {name: other, playbook: playbooks/install.yml, require: [tun], transport: auto}\n"
                 "  - {name: third, playbook: playbooks/install.yml, require: [tun],\n"
                 "     transport: [tailnet-userspace, direct]}\n");
    project = project_of("    transport: [tailnet-userspace, tailnet]\n    tailnet: {tags: [tag:x]}\n");
    const struct target *target = &project->targets[0];
    const struct phase *phases = project_recipe(project, "vault")->phases;
    cr_assert_eq(project_transports(target, &phases[0])->count, 1);
    cr_assert_str_eq(project_transports(target, &phases[0])->items[0], "tailnet");
    cr_assert_eq(project_transports(target, &phases[1])->count, 1);
    cr_assert_str_eq(project_transports(target, &phases[1])->items[0], "tailnet");
    cr_assert_eq(project_transports(target, &phases[2])->count, 1);
    cr_assert_str_eq(project_transports(target, &phases[2])->items[0], "direct");
    folder_write("phases/vault.yml",
                 "phases:\n  - {name: install, playbook: playbooks/install.yml, require: [tun],\n"
                 "     transport: tailnet-userspace}\n");
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_has(said, "phases/vault.yml:3:6: 'transport': the phase requires a TUN");
}
