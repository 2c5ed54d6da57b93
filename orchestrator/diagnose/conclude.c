#include "diagnose/conclude.h"

#include "base/memory.h"
#include "base/text.h"
#include "diagnose/mtu_advice.h"
#include "diagnose/signs.h"
#include "diagnose/weigh.h"
#include "format/json_words.h"

#include <string.h>

/* Of what was never tried with good cells nothing is known; of most the rest may be noise. */
enum { MOST_OF = 80 /* per cent of the bad cells, from which on the rest is called noise */ };

/* What each word means of cells that are set against each other, and what to try then. */
static const struct {
    const char *variable, *words, *next;
} meanings[] = {
    {"mtu", "large segments%s do not pass, small ones do: a hole in the path's MTU", NULL /* mtu_advice */},
    {"idle", "a connection that is silent%s for a while is dropped, one that talks is not",
     "let ssh ask for a sign of life (ServerAliveInterval below the time that was found), and raise the "
     "bound of "
     "whatever tracks connections on the way"},
    {"channels", "more channels at once%s than the host grants over one connection",
     "raise MaxSessions in the host's sshd_config, or share a connection among fewer"},
    {"volume", "a connection ends once so many bytes went over it%s, however fast",
     "look for a rule that counts bytes of a connection (connbytes, quota) and for a proxy with a limit"},
    {"duration", "a connection ends when it is so old%s, whatever goes over it",
     "look for a bound on the age of connections: a proxy, a NAT, a login session's limit"},
    {"rate", "a connection that is read slowly%s does not last",
     "look for a shaper, a full link or a proxy with a buffer of its own between both; over a tailnet see "
     "whether it "
     "is relayed (triphase probe)"},
    {"burstiness", "many small bursts%s break what an even flow of the same size does not",
     "try the kernel's TUN in place of the userspace network, and let long work run on the host (async) "
     "rather "
     "than over the connection"},
    {"client", "one client%s fares ill where another does the same well",
     "compare `ssh -G` of both: a ssh_config of the user's, a wrapper in PATH, ssh_args in an ansible.cfg"},
    {"transport", NULL, "take the other transport (`transport:` in triphase.yml)"},
    {"loss", NULL,
     "follow the path hop by hop (mtr); over a tailnet see whether it is direct or relayed (triphase probe)"},
    {"dns", NULL, "ask the resolver (getent hosts NAME); put the address itself in triphase.yml"},
    {"daemon", NULL,
     "look at tailscaled on the side that is named: `triphase doctor` here, its unit on the host"},
    {"policy", NULL,
     "let the tailnet's policy, the host's firewall and the provider's allow this machine to port 22 of the "
     "host"},
    {"master", NULL, "end that master: ssh -O exit, or its process, and remove its socket"},
    {"none", NULL, NULL},
    {"unknown", NULL,
     "take more cells: --full, --allow-changes, another transport; the table shows how each ended"},
};

bool conclude_is_variable(const char *word)
{
    for (size_t i = 0; i < COUNT_OF(meanings); i++)
        if (text_is(meanings[i].variable, word))
            return true;
    return false;
}

const char *sureness_name(enum sureness sure)
{
    static const char *const names[] = {[SURE_NOT] = "unsure", [SURE_LIKELY] = "likely", [SURE] = "sure"};
    return names[sure];
}

static const char *words_of(const char *variable)
{
    for (size_t i = 0; i < COUNT_OF(meanings); i++)
        if (text_is(meanings[i].variable, variable))
            return meanings[i].words;
    return NULL;
}

static const char *next_of(const char *variable)
{
    for (size_t i = 0; i < COUNT_OF(meanings); i++)
        if (text_is(meanings[i].variable, variable))
            return meanings[i].next;
    return NULL;
}

/* ---- What is left of the variables ---- */

static const char *kind_variable(int kind)
{
    return kind == WEIGH_CLIENT ? "client" : level_variable((enum level)kind);
}

/* In how many bad cells it is left, in either direction: a cell goes in one of them. */
static size_t covered(const struct weighing *over, int kind)
{
    size_t found = 0;
    for (int other = 0; other < WEIGH_KINDS; other++)
        if (text_is(kind_variable(other), kind_variable(kind)))
            found += over->left[other];
    return found < over->begun ? found : over->begun;
}

static bool goes_both_ways(const struct weighing *over, int kind)
{
    return covered(over, kind) > over->left[kind];
}

/* The kind that is left in most bad cells, the first of those alike; -1: none is left in enough of them. */
static int find_kind(const struct weighing *over)
{
    int best = -1;
    for (int kind = 0; kind < WEIGH_KINDS; kind++)
        if (over->left[kind] > 0 && covered(over, kind) * 100 >= over->begun * MOST_OF &&
            (best < 0 || covered(over, kind) > covered(over, best)))
            best = kind;
    return best;
}

static void add_span(struct words *out, const struct weighing *over, int kind)
{
    AUTO_FREE char *good = NULL, *bad = NULL;
    if (kind == WEIGH_CLIENT) {
        words_add(out, "client");
        return;
    }
    good = level_text((enum level)kind, over->good_most[kind]);
    bad = level_text((enum level)kind, over->bad_least[kind]);
    words_addf(out, "%s (good up to %s, bad from %s%s)", kind_variable(kind), good, bad,
               level_direction((enum level)kind));
}

static void add_confounded(struct finding *out, const struct weighing *over, int kind)
{
    for (int other = 0; other < WEIGH_KINDS; other++)
        if (other != kind && over->left[other] && covered(over, other) >= covered(over, kind) &&
            !text_is(kind_variable(other), kind_variable(kind)))
            add_span(&out->confounded, over, other);
}

static void add_excluded(struct finding *out, const struct weighing *over)
{
    for (int level = 0; level < LEVEL_COUNT; level++) {
        if (over->left[level] || over->good_most[level] <= (level == LEVEL_CHANNELS ? 1 : 0))
            continue;
        AUTO_FREE char *good = level_text((enum level)level, over->good_most[level]);
        words_addf(&out->excluded, "%s (good up to %s%s)", level_variable((enum level)level), good,
                   level_direction((enum level)level));
    }
}

static char *separation_words(const struct weighing *over, int kind)
{
    const char *variable = kind_variable(kind);
    AUTO_TEXT words = TEXT_INIT;
    const char *form = words_of(variable), *at = form ? strstr(form, "%s") : NULL;
    if (!at)
        return xstrdup(form ? form : variable);
    text_add_bytes(&words, form, (size_t)(at - form));
    bool one_way = kind != WEIGH_CLIENT && !goes_both_ways(over, kind);
    text_add(&words, one_way ? level_direction((enum level)kind) : "");
    text_add(&words, at + 2);
    if (kind != WEIGH_CLIENT) {
        AUTO_FREE char *good = level_text((enum level)kind, over->good_most[kind]);
        AUTO_FREE char *bad = level_text((enum level)kind, over->bad_least[kind]);
        text_addf(&words, " (good up to %s, bad from %s)", good, bad);
    }
    return text_take(&words);
}

static bool separate(const struct weighing *over, struct finding *out)
{
    int kind = over->good ? find_kind(over) : -1;
    if (kind < 0)
        return false;
    *out = (struct finding){.variable = kind_variable(kind), .level = -1};
    add_confounded(out, over, kind);
    out->words = separation_words(over, kind);
    if (kind != WEIGH_CLIENT) {
        out->level = kind;
        out->good_most = over->good_most[kind];
        out->bad_least = over->bad_least[kind];
    }
    out->sure = out->confounded.count ? SURE_NOT : covered(over, kind) > 1 ? SURE : SURE_LIKELY;
    if (covered(over, kind) < over->begun && out->sure == SURE)
        out->sure = SURE_LIKELY;
    return true;
}

/* ---- One transport, and all of them ---- */

/* Another transport over which a cell went well that is bad over this one. */
static const char *same_elsewhere(const struct signs_case *of)
{
    for (size_t i = 0; i < of->count; i++)
        for (size_t j = 0; &of->all[i] != of->over && j < of->all[i].count; j++)
            for (size_t k = 0; of->all[i].cells[j].ok && k < of->over->count; k++) {
                struct cell here = *of->over->cells[k].cell;
                here.transport = of->all[i].cells[j].cell->transport;
                if (!of->over->cells[k].ok && cell_is_alike(&here, of->all[i].cells[j].cell))
                    return here.transport;
            }
    return NULL;
}

static void explain(struct finding *finding, const struct signs_case *of)
{
    const struct weighing *over = of->over;
    const char *elsewhere = over->good ? same_elsewhere(of) : NULL;
    AUTO_TEXT why = TEXT_INIT;
    text_addf(&why, "%s: %zu good and %zu bad cells over %s", sureness_name(finding->sure), over->good,
              over->bad, over->transport);
    if (finding->level >= 0 && covered(over, finding->level) < over->begun)
        text_addf(&why, ", %zu of the bad ones are not explained by it",
                  over->begun - covered(over, finding->level));
    if (over->bad == 1)
        text_add(&why, "; one bad cell alone");
    if (elsewhere)
        text_addf(&why, "; over %s the same went well, so it takes both", elsewhere);
    if (finding->confounded.count) {
        AUTO_FREE char *others = words_join(&finding->confounded, "; ");
        text_addf(&why, "; the same cells would look so by %s", others);
    }
    finding->why = text_take(&why);
}

static void find_one(const struct signs_case *of, struct finding *out)
{
    const struct weighing *over = of->over;
    if (!signs_find(of, out)) {
        if (!over->bad)
            *out =
                (struct finding){.variable = "none",
                                 .sure = over->good > 1 ? SURE : SURE_LIKELY,
                                 .words = xasprintf("all that was done over %s went well", over->transport),
                                 .level = -1};
        else if (!separate(over, out))
            *out =
                (struct finding){.variable = "unknown",
                                 .sure = SURE_NOT,
                                 .words = xasprintf("no single thing that was varied separates the bad cells "
                                                    "over %s from the good ones",
                                                    over->transport),
                                 .level = -1};
    }
    out->transport = xstrdup(over->transport);
    out->good = over->good;
    out->bad = over->bad;
    if (!text_is(out->variable, "none"))
        add_excluded(out, over);
    explain(out, of);
}

static bool is_trouble(const struct finding *finding)
{
    return !text_is(finding->variable, "none");
}

/* Trouble first, then what is surer; a word that says nothing last of those. */
static bool comes_before(const struct finding *a, const struct finding *b)
{
    bool a_says = is_trouble(a) && !text_is(a->variable, "unknown");
    bool b_says = is_trouble(b) && !text_is(b->variable, "unknown");
    if (is_trouble(a) != is_trouble(b))
        return is_trouble(a);
    return a_says != b_says ? a_says : a->sure > b->sure;
}

static void order(struct conclusion *conclusion)
{
    for (size_t i = 1; i < conclusion->count; i++)
        for (size_t j = i; j > 0 && comes_before(&conclusion->findings[j], &conclusion->findings[j - 1]);
             j--) {
            struct finding moved = conclusion->findings[j];
            conclusion->findings[j] = conclusion->findings[j - 1];
            conclusion->findings[j - 1] = moved;
        }
}

static void list_transports(const struct cell *cells, size_t count, struct words *out)
{
    for (size_t i = 0; i < count; i++)
        if (cells[i].transport && !words_have(out, cells[i].transport))
            words_add(out, cells[i].transport);
}

static bool has_work(const struct cell *cells, size_t count, const char *work)
{
    for (size_t i = 0; i < count; i++)
        if (text_is(cells[i].work, work) && weigh_counts(&cells[i]))
            return true;
    return false;
}

static bool has_client(const struct cell *cells, size_t count, const char *client)
{
    for (size_t i = 0; i < count; i++)
        if (text_is(cells[i].client, client) && weigh_counts(&cells[i]))
            return true;
    return false;
}

static void add_not_varied(const struct cell *cells, size_t count, size_t transports, struct words *out)
{
    static const struct {
        const char *work, *words;
    } works[] = {{"idle", "idle"},
                 {"trickle", "duration"},
                 {"bulk-down", "volume from the host, mtu"},
                 {"bulk-up", "volume to the host"},
                 {"bursts", "burstiness"},
                 {"channels", "channels"},
                 {"disk", "disk-heavy bursts (--allow-changes)"},
                 {"package", "a package's installation (--allow-changes)"}};
    words_add(
        out,
        "network of this machine: it is as it is (start the container otherwise, diagnose there, and set "
        "both side by side with --compare)");
    if (transports < 2)
        words_add(out, "transport: one alone was looked at");
    if (!has_client(cells, count, "openssh") && !has_client(cells, count, "ansible"))
        words_add(out, "client: libssh alone was used");
    for (size_t i = 0; i < COUNT_OF(works); i++)
        if (!has_work(cells, count, works[i].work))
            words_add(out, works[i].words);
}

static void add_next(struct conclusion *out)
{
    for (size_t i = 0; i < out->count; i++) {
        const struct finding *finding = &out->findings[i];
        const char *next =
            text_is(finding->variable, "mtu") ? mtu_advice(finding->transport) : next_of(finding->variable);
        if (next && !words_have(&out->next, next))
            words_add(&out->next, next);
        if (out->findings[i].level >= 0 && out->findings[i].bad && i == 0)
            words_add(&out->next, "find the threshold itself: --threshold");
    }
}

static const char *find_elsewhere(const struct weighing *all, size_t count, size_t at)
{
    for (size_t i = 0; i < count; i++)
        if (i != at && all[i].baseline_ok)
            return all[i].transport;
    return NULL;
}

void conclude(const struct cell *cells, size_t count, const struct surroundings *surroundings,
              struct conclusion *out)
{
    AUTO_WORDS transports = WORDS_INIT;
    *out = (struct conclusion){0};
    list_transports(cells, count, &transports);
    struct weighing *all = xcalloc(transports.count + 1, sizeof *all);
    out->findings = xcalloc(transports.count + 1, sizeof *out->findings);
    for (size_t i = 0; i < transports.count; i++) {
        weigh(cells, count, transports.items[i], &all[i]);
        out->reached |= all[i].good > 0;
        words_add_list(&out->flaky, words_argv(&all[i].flaky));
        words_add_list(&out->uncounted, words_argv(&all[i].uncounted));
    }
    for (size_t i = 0; i < transports.count; i++) {
        struct signs_case of = {&all[i],
                                surroundings,
                                surroundings_way(surroundings, transports.items[i]),
                                find_elsewhere(all, transports.count, i),
                                all,
                                transports.count};
        if (all[i].count)
            find_one(&of, &out->findings[out->count++]);
    }
    if (!out->count)
        out->findings[out->count++] = (struct finding){.variable = "unknown",
                                                       .words = xstrdup("no cell says anything of the path"),
                                                       .why = xstrdup("unsure: nothing was counted"),
                                                       .level = -1};
    order(out);
    add_not_varied(cells, count, transports.count, &out->not_varied);
    add_next(out);
    for (size_t i = 0; i < transports.count; i++)
        weighing_clear(&all[i]);
    free(all);
}

/* ---- As JSON ---- */

static struct json *finding_json(const struct finding *finding)
{
    struct json *object = json_new_object();
    json_set_string(object, "variable", finding->variable);
    json_set_string(object, "transport", finding->transport);
    json_set_string(object, "sure", sureness_name(finding->sure));
    json_set_string(object, "words", finding->words);
    json_set_string(object, "why", finding->why);
    json_set_integer(object, "good", (int64_t)finding->good);
    json_set_integer(object, "bad", (int64_t)finding->bad);
    json_set(object, "confounded", json_words_array(&finding->confounded));
    json_set(object, "excluded", json_words_array(&finding->excluded));
    if (finding->level >= 0) {
        json_set(object, "good_most", json_new_real(finding->good_most));
        json_set(object, "bad_least", json_new_real(finding->bad_least));
    }
    return object;
}

struct json *conclusion_json(const struct conclusion *conclusion)
{
    struct json *object = json_new_object(), *findings = json_new_array();
    json_set_string(object, "variable", conclusion->findings[0].variable);
    json_set_string(object, "sure", sureness_name(conclusion->findings[0].sure));
    json_set_bool(object, "reached", conclusion->reached);
    for (size_t i = 0; i < conclusion->count; i++)
        json_append(findings, finding_json(&conclusion->findings[i]));
    json_set(object, "findings", findings);
    json_set(object, "flaky", json_words_array(&conclusion->flaky));
    json_set(object, "uncounted", json_words_array(&conclusion->uncounted));
    json_set(object, "not_varied", json_words_array(&conclusion->not_varied));
    json_set(object, "next", json_words_array(&conclusion->next));
    return object;
}

void conclusion_clear(struct conclusion *conclusion)
{
    for (size_t i = 0; i < conclusion->count; i++) {
        struct finding *finding = &conclusion->findings[i];
        free(finding->transport);
        free(finding->words);
        free(finding->why);
        words_clear(&finding->confounded);
        words_clear(&finding->excluded);
    }
    free(conclusion->findings);
    words_clear(&conclusion->flaky);
    words_clear(&conclusion->uncounted);
    words_clear(&conclusion->not_varied);
    words_clear(&conclusion->next);
    *conclusion = (struct conclusion){0};
}
