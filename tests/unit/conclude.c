/* What is concluded from a matrix: each cause as its cells look, noise, and matrices that others
 * published. */
#include "diagnose/conclude.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

struct row {
    const char *transport, *client, *work, *parameters, *ended;
    double seconds, last_good;
    uint64_t bytes;
};

struct matrix {
    struct cell cells[40];
    size_t count;
    struct surroundings seen;
    struct conclusion said;
};

#define ECHO(over)                                      \
    {                                                   \
        over, "libssh", "echo", "{}", "ok", 0.3, 0.3, 5 \
    }
#define OPENSSH(over)                                    \
    {                                                    \
        over, "openssh", "echo", "{}", "ok", 0.3, 0.3, 5 \
    }
#define IDLE(over, s, ended)                                                   \
    {                                                                          \
        over, "libssh", "idle", "{\"seconds\":" #s "}", ended, s + 0.3, 0.3, 5 \
    }
#define TRICKLE(over, ended, last)                                                                   \
    {                                                                                                \
        over, "libssh", "trickle", "{\"seconds\":90,\"segment\":100}", ended, 90.2, last, last * 500 \
    }
#define DOWN(over, size, ended, s, came)                                        \
    {                                                                           \
        over, "libssh", "bulk-down", "{\"bytes\":" #size "}", ended, s, s, came \
    }
#define UP(over, size, ended, s, went)                                        \
    {                                                                         \
        over, "libssh", "bulk-up", "{\"bytes\":" #size "}", ended, s, s, went \
    }
#define BURSTS(over, ended, came)                                                                       \
    {                                                                                                   \
        over, "libssh", "bursts", "{\"count\":20,\"bytes\":400000}", ended, 2.0, came ? 2.0 : 0.2, came \
    }
#define CHANNELS(over, n, ended)                                              \
    {                                                                         \
        over, "libssh", "channels", "{\"count\":" #n "}", ended, 0.5, 0.4, 60 \
    }

static void add(struct matrix *matrix, const struct row *row)
{
    AUTO_ERROR err = ERROR_INIT;
    struct cell *cell = &matrix->cells[matrix->count++];
    *cell = (struct cell){.transport = xstrdup(row->transport),
                          .client = xstrdup(row->client),
                          .work = xstrdup(row->work),
                          .parameters = json_parse(row->parameters, strlen(row->parameters), &err),
                          .ok = text_is(row->ended, "ok"),
                          .ended = xstrdup(row->ended),
                          .duration_ns = (int64_t)(row->seconds * NS_PER_S),
                          .last_good_ns = (int64_t)(row->last_good * NS_PER_S),
                          .bytes = row->bytes};
    cr_assert(cell->parameters != NULL, "%s: %s", row->parameters, error_text(&err));
}

static void add_all(struct matrix *matrix, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(matrix, &rows[i]);
}

static const struct finding *concluded(struct matrix *matrix)
{
    conclude(matrix->cells, matrix->count, &matrix->seen, &matrix->said);
    return &matrix->said.findings[0];
}

static void clear(struct matrix *matrix)
{
    for (size_t i = 0; i < matrix->count; i++)
        cell_clear(&matrix->cells[i]);
    surroundings_clear(&matrix->seen);
    conclusion_clear(&matrix->said);
}
#define AUTO_MATRIX __attribute__((cleanup(clear))) struct matrix
#define ADD(matrix, ...)                          \
    do {                                          \
        const struct row rows_[] = {__VA_ARGS__}; \
        add_all(matrix, rows_, COUNT_OF(rows_));  \
    } while (0)

static bool has(const struct words *words, const char *part)
{
    for (size_t i = 0; i < words->count; i++)
        if (strstr(words->items[i], part))
            return true;
    return false;
}

#define GOOD(over)                                                                                         \
    ECHO(over), OPENSSH(over), DOWN(over, 2000, "ok", 0.3, 2000), DOWN(over, 1000000, "ok", 0.4, 1000000), \
        DOWN(over, 8000000, "ok", 0.6, 8000000), UP(over, 1000000, "ok", 0.4, 1000000),                    \
        UP(over, 8000000, "ok", 0.6, 8000000), BURSTS(over, "ok", 400000), CHANNELS(over, 8, "ok"),        \
        IDLE(over, 75, "ok"), TRICKLE(over, "ok", 90)

static struct matrix good_matrix(void)
{
    struct matrix matrix = {.seen = SURROUNDINGS_INIT};
    ADD(&matrix, GOOD("direct"));
    return matrix;
}

/* Another end for the row of that work and size; all of the size where `bytes` is 0. */
static void spoil(struct matrix *matrix, const char *work, int64_t bytes, const char *ended, double last,
                  uint64_t came)
{
    size_t found = 0;
    for (size_t i = 0; i < matrix->count; i++) {
        struct cell *cell = &matrix->cells[i];
        if (!text_is(cell->work, work) || (bytes && cell_parameter(cell, "bytes", 0) != bytes))
            continue;
        free(cell->ended);
        cell->ended = xstrdup(ended);
        cell->ok = false;
        cell->last_good_ns = (int64_t)(last * NS_PER_S);
        cell->bytes = came;
        found++;
    }
    cr_assert(gt(sz, found, 0), "%s %lld", work, (long long)bytes);
}

Test(conclude, finds_nothing_where_all_went_well)
{
    AUTO_MATRIX matrix = good_matrix();
    const struct finding *found = concluded(&matrix);
    cr_expect(eq(str, (char *)found->variable, "none"));
    cr_expect(eq(int, found->sure, SURE));
    cr_expect(matrix.said.reached);
}

Test(conclude, calls_it_volume_where_what_moves_more_bytes_breaks_off)
{
    AUTO_MATRIX matrix = good_matrix();
    spoil(&matrix, "bulk-down", 8000000, "stalled", 0.5, 5000000);
    const struct finding *found = concluded(&matrix);
    cr_expect(eq(str, (char *)found->variable, "volume"));
    cr_expect(eq(int, found->sure, SURE_LIKELY));
    cr_expect(eq(dbl, found->good_most, 1000000));
    cr_expect(eq(dbl, found->bad_least, 5000000));
    cr_expect(has(&found->excluded, "duration (good up to 90 s)"));
}

Test(conclude, is_surer_the_more_bad_cells_say_the_same)
{
    AUTO_MATRIX matrix = good_matrix();
    spoil(&matrix, "bulk-down", 8000000, "stalled", 0.5, 5000000);
    spoil(&matrix, "bulk-down", 1000000, "reset", 0.4, 900000);
    const struct finding *found = concluded(&matrix);
    cr_expect(eq(str, (char *)found->variable, "volume"));
    cr_expect(eq(int, found->sure, SURE));
}

Test(conclude, calls_it_volume_too_where_both_directions_break_off_and_names_neither)
{
    AUTO_MATRIX matrix = good_matrix();
    spoil(&matrix, "bulk-down", 8000000, "stalled", 0.5, 3000000);
    spoil(&matrix, "bulk-up", 8000000, "stalled", 0.5, 3000000);
    const struct finding *found = concluded(&matrix);
    cr_expect(eq(str, (char *)found->variable, "volume"));
    cr_expect(eq(int, found->sure, SURE));
    cr_expect(strstr(found->words, "the host") == NULL, "%s", found->words);
}

Test(conclude, takes_a_slow_login_for_no_slow_path)
{
    AUTO_MATRIX matrix = good_matrix();
    for (size_t i = 0; i < matrix.count; i++)
        matrix.cells[i].duration_ns += 2 * NS_PER_S;
    ADD(&matrix, DOWN("direct", 100000, "ok", 2.4, 100000));
    cr_expect(eq(str, (char *)concluded(&matrix)->variable, "none"));
}

Test(conclude, calls_it_mtu_where_the_first_large_segment_never_comes)
{
    AUTO_MATRIX matrix = good_matrix();
    ADD(&matrix, DOWN("direct", 900, "ok", 0.3, 900));
    spoil(&matrix, "bulk-down", 2000, "stalled", 0.2, 0);
    spoil(&matrix, "bulk-down", 1000000, "stalled", 0.2, 0);
    spoil(&matrix, "bulk-down", 8000000, "stalled", 0.2, 0);
    spoil(&matrix, "bursts", 0, "stalled", 0.2, 0);
    spoil(&matrix, "channels", 0, "stalled", 0.2, 0);
    const struct finding *found = concluded(&matrix);
    cr_expect(eq(str, (char *)found->variable, "mtu"));
    cr_expect(eq(int, found->sure, SURE));
    cr_expect(eq(dbl, found->good_most, 900));
    cr_expect(strstr(found->words, "from the host") != NULL, "%s", found->words);
}

Test(conclude, says_of_large_segments_what_helps_over_that_transport)
{
    static const struct {
        const char *over, *says, *says_not;
    } cases[] = {{"direct", "ip link set", "TS_DEBUG_MTU"},
                 {"tailnet", "TS_DEBUG_MTU", "ip link set"},
                 {"tailnet-userspace", "TS_DEBUG_MTU", "ip link set"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_MATRIX matrix = {.seen = SURROUNDINGS_INIT};
        ADD(&matrix, GOOD(cases[i].over), DOWN(cases[i].over, 900, "ok", 0.3, 900));
        spoil(&matrix, "bulk-down", 2000, "stalled", 0.2, 0);
        spoil(&matrix, "bulk-down", 1000000, "stalled", 0.2, 0);
        spoil(&matrix, "bulk-down", 8000000, "stalled", 0.2, 0);
        spoil(&matrix, "bursts", 0, "stalled", 0.2, 0);
        spoil(&matrix, "channels", 0, "stalled", 0.2, 0);
        cr_assert(eq(str, (char *)concluded(&matrix)->variable, "mtu"), "%s", cases[i].over);
        cr_expect(has(&matrix.said.next, cases[i].says), "%s", cases[i].over);
        cr_expect(not(has(&matrix.said.next, cases[i].says_not)), "%s", cases[i].over);
    }
}

Test(conclude, calls_it_idle_where_silence_kills_and_talk_of_the_same_length_does_not)
{
    AUTO_MATRIX matrix = good_matrix();
    spoil(&matrix, "idle", 0, "stalled", 0.3, 5);
    const struct finding *found = concluded(&matrix);
    cr_expect(eq(str, (char *)found->variable, "idle"));
    cr_expect(eq(sz, found->confounded.count, 0));
}

Test(conclude, calls_it_duration_where_talk_dies_at_the_same_age)
{
    AUTO_MATRIX matrix = good_matrix();
    spoil(&matrix, "idle", 0, "reset", 0.3, 5);
    spoil(&matrix, "trickle", 0, "reset", 60, 30000);
    const struct finding *found = concluded(&matrix);
    cr_expect(eq(str, (char *)found->variable, "duration"));
}

Test(conclude, calls_it_burstiness_where_only_bursts_break)
{
    AUTO_MATRIX matrix = good_matrix();
    spoil(&matrix, "bursts", 0, "stalled", 1.1, 200000);
    cr_expect(eq(str, (char *)concluded(&matrix)->variable, "burstiness"));
}

Test(conclude, calls_it_channels_where_the_host_grants_fewer)
{
    AUTO_MATRIX matrix = good_matrix();
    ADD(&matrix, CHANNELS("direct", 2, "ok"));
    spoil(&matrix, "channels", 0, "channel-refused", 0.2, 0);
    matrix.cells[matrix.count - 1].ok = true;
    const struct finding *found = concluded(&matrix);
    cr_expect(eq(str, (char *)found->variable, "channels"));
    cr_expect(eq(int, found->sure, SURE));
}

Test(conclude, calls_it_client_where_another_one_does_the_same_well)
{
    AUTO_MATRIX matrix = good_matrix();
    ADD(&matrix, {"direct", "openssh", "bulk-down", "{\"bytes\":1000000}", "closed", 0.4, 0.2, 0});
    matrix.cells[1].ok = false;
    free(matrix.cells[1].ended);
    matrix.cells[1].ended = xstrdup("closed");
    cr_expect(eq(str, (char *)concluded(&matrix)->variable, "client"));
}

Test(conclude, calls_it_rate_where_bytes_go_on_to_the_end_and_slowly)
{
    AUTO_MATRIX matrix = good_matrix();
    for (size_t i = 0; i < matrix.count; i++)
        if (cell_parameter(&matrix.cells[i], "bytes", 0) == 1000000)
            matrix.cells[i].duration_ns = 31 * NS_PER_S;
    spoil(&matrix, "bulk-down", 8000000, "timeout", 40, 1300000);
    spoil(&matrix, "bulk-up", 8000000, "timeout", 40, 1300000);
    const struct finding *found = concluded(&matrix);
    cr_expect(eq(str, (char *)found->variable, "rate"));
    cr_expect(eq(int, found->sure, SURE));
}

Test(conclude, calls_it_loss_where_a_calm_flow_is_sent_again)
{
    AUTO_MATRIX matrix = good_matrix();
    struct surroundings_way *way = surroundings_add_way(&matrix.seen, "direct");
    way->segments = 200;
    way->segments_again = 14;
    spoil(&matrix, "bulk-down", 8000000, "timeout", 20, 300000);
    spoil(&matrix, "bursts", 0, "stalled", 1, 100000);
    cr_expect(eq(str, (char *)concluded(&matrix)->variable, "loss"));
}

Test(conclude, takes_a_host_that_was_not_met_any_more_for_no_proof_of_a_size)
{
    AUTO_MATRIX matrix = {0};
    ADD(&matrix, ECHO("tailnet-userspace"), DOWN("tailnet-userspace", 200, "ok", 0.3, 200),
        DOWN("tailnet-userspace", 600, "timeout", 0, 0), DOWN("tailnet-userspace", 4000, "timeout", 0, 0));

    const struct finding *found = concluded(&matrix);

    cr_expect(text_is(found->variable, "mtu") == false, "%s", found->words);
    cr_expect(ne(int, found->sure, SURE), "%s", found->words);
}

Test(conclude, takes_one_segment_of_two_hundred_for_no_loss)
{
    AUTO_MATRIX matrix = good_matrix();
    struct surroundings_way *way = surroundings_add_way(&matrix.seen, "direct");
    way->segments = 200;
    way->segments_again = 1;
    cr_expect(eq(str, (char *)concluded(&matrix)->variable, "none"));
}

Test(conclude, calls_it_master_where_only_what_shares_one_hangs)
{
    AUTO_MATRIX matrix = good_matrix();
    ADD(&matrix, {"direct", "openssh", "echo", "{\"master\":\"/run/cp\"}", "stalled", 5, 0, 0});
    surroundings_add_master(&matrix.seen, "/run/cp", "frozen");
    const struct finding *found = concluded(&matrix);
    cr_expect(eq(str, (char *)found->variable, "master"));
    cr_expect(strstr(found->words, "/run/cp is frozen") != NULL, "%s", found->words);
}

#define DEAD(over, ended)                               \
    {over, "libssh", "echo", "{}", ended, 0.3, 0, 0},   \
    {                                                   \
        over, "openssh", "echo", "{}", ended, 0.3, 0, 0 \
    }

Test(conclude, calls_it_dns_where_the_name_is_not_found)
{
    AUTO_MATRIX matrix = {.seen = SURROUNDINGS_INIT};
    ADD(&matrix, DEAD("direct", "dns"));
    matrix.seen.name = xstrdup("vault.example");
    matrix.seen.name_error = xstrdup("Name or service not known");
    const struct finding *found = concluded(&matrix);
    cr_expect(eq(str, (char *)found->variable, "dns"));
    cr_expect(strstr(found->words, "vault.example") != NULL);
    cr_expect(not(matrix.said.reached));
}

Test(conclude, calls_it_daemon_where_tailscaled_here_does_not_answer_or_the_hosts_does_not)
{
    AUTO_MATRIX here = {.seen = SURROUNDINGS_INIT}, there = {.seen = SURROUNDINGS_INIT};
    ADD(&here, DEAD("tailnet-userspace", "proxy-exit"), GOOD("direct"));
    surroundings_add_way(&here.seen, "tailnet-userspace")->daemon = xstrdup("absent");
    ADD(&there, DEAD("tailnet-userspace", "timeout"), GOOD("direct"));
    struct surroundings_way *way = surroundings_add_way(&there.seen, "tailnet-userspace");
    way->daemon = xstrdup("answers");
    way->peer = xstrdup("offline");
    way->pings = 3;
    way->pongs = 0;
    cr_expect(eq(str, (char *)concluded(&here)->variable, "daemon"));
    cr_expect(eq(int, here.said.findings[0].sure, SURE));
    cr_expect(eq(str, (char *)concluded(&there)->variable, "daemon"));
}

Test(conclude, calls_it_policy_where_the_host_answers_and_its_port_does_not)
{
    AUTO_MATRIX matrix = {.seen = SURROUNDINGS_INIT};
    ADD(&matrix, DEAD("tailnet-userspace", "timeout"), GOOD("direct"));
    struct surroundings_way *way = surroundings_add_way(&matrix.seen, "tailnet-userspace");
    way->daemon = xstrdup("answers");
    way->peer = xstrdup("online");
    way->pings = way->pongs = 3;
    way->port = xstrdup("silent");
    const struct finding *found = concluded(&matrix);
    cr_expect(eq(str, (char *)found->variable, "policy"));
    cr_expect(eq(int, found->sure, SURE));
}

Test(conclude, calls_it_transport_where_one_is_dead_and_nothing_says_why)
{
    AUTO_MATRIX matrix = {.seen = SURROUNDINGS_INIT};
    ADD(&matrix, DEAD("tailnet-userspace", "timeout"), GOOD("direct"));
    const struct finding *found = concluded(&matrix);
    cr_expect(eq(str, (char *)found->variable, "transport"));
    cr_expect(eq(str, found->transport, "tailnet-userspace"));
    cr_expect(eq(sz, matrix.said.count, 2));
    cr_expect(eq(str, (char *)matrix.said.findings[1].variable, "none"));
}

Test(conclude, reaches_nothing_where_every_cell_is_bad)
{
    AUTO_MATRIX matrix = {.seen = SURROUNDINGS_INIT};
    ADD(&matrix, DEAD("direct", "timeout"), DEAD("tailnet", "timeout"));
    const struct finding *found = concluded(&matrix);
    cr_expect(not(matrix.said.reached));
    cr_expect(eq(str, (char *)found->variable, "unknown"));
}

Test(conclude, says_that_a_refused_login_is_no_fault_of_the_path)
{
    AUTO_MATRIX matrix = {.seen = SURROUNDINGS_INIT};
    ADD(&matrix, DEAD("direct", "auth"));
    const struct finding *found = concluded(&matrix);
    cr_expect(eq(str, (char *)found->variable, "unknown"));
    cr_expect(strstr(found->words, "login") != NULL);
}

Test(conclude, lets_one_flaky_cell_be_one)
{
    AUTO_MATRIX matrix = good_matrix();
    spoil(&matrix, "bursts", 0, "stalled", 1.1, 200000);
    ADD(&matrix, BURSTS("direct", "ok", 400000));
    const struct finding *found = concluded(&matrix);
    cr_expect(eq(str, (char *)found->variable, "none"));
    cr_expect(has(&matrix.said.flaky, "bursts"));
}

Test(conclude, sees_through_one_stray_bad_cell_beside_many_that_agree)
{
    AUTO_MATRIX matrix = good_matrix();
    static const char *const larger[] = {"{\"bytes\":9000000}", "{\"bytes\":10000000}",
                                         "{\"bytes\":11000000}"};
    for (size_t i = 0; i < COUNT_OF(larger); i++)
        ADD(&matrix, {"direct", "libssh", "bulk-down", larger[i], "stalled", 5, 0.5, 5000000});
    spoil(&matrix, "bulk-down", 8000000, "stalled", 0.5, 5000000);
    ADD(&matrix, {"direct", "libssh", "echo", "{\"count\":3}", "reset", 0.1, 0.1, 5});
    const struct finding *found = concluded(&matrix);
    cr_expect(eq(str, (char *)found->variable, "volume"));
    cr_expect(eq(int, found->sure, SURE_LIKELY));
    cr_expect(strstr(found->why, "not explained") != NULL, "%s", found->why);
}

Test(conclude, does_not_count_what_failed_on_the_host_and_says_so)
{
    AUTO_MATRIX matrix = good_matrix();
    ADD(&matrix, {"direct", "libssh", "package", "{}", "remote-failed", 3, 3, 900});
    cr_expect(eq(str, (char *)concluded(&matrix)->variable, "none"));
    cr_expect(has(&matrix.said.uncounted, "package"));
}

Test(conclude, names_what_the_same_cells_would_show_too)
{
    AUTO_MATRIX matrix = {.seen = SURROUNDINGS_INIT};
    ADD(&matrix, ECHO("direct"), DOWN("direct", 8000000, "stalled", 12.0, 5000));
    const struct finding *found = concluded(&matrix);
    cr_expect(eq(int, found->sure, SURE_NOT));
    cr_expect(has(&found->confounded, "duration"));
}

/* The matrix that was published with the case: over userspace all was well but for a package's
 * installation, which died after 76 s; over the kernel's TUN, and in a container with other networking,
 * the same took 9 s. */
Test(conclude, of_the_published_matrix_only_what_it_allows)
{
    AUTO_MATRIX matrix = {.seen = SURROUNDINGS_INIT};
#define SPACE "tailnet-userspace"
    ADD(&matrix, {SPACE, "openssh", "echo", "{}", "ok", 0.3, 0.3, 3},
        {SPACE, "openssh", "idle", "{\"seconds\":120}", "ok", 120, 120, 3},
        {SPACE, "openssh", "trickle", "{\"seconds\":120,\"segment\":100}", "ok", 120, 120, 12000},
        {SPACE, "openssh", "bulk-down", "{\"bytes\":8000000}", "ok", 3, 3, 8000000},
        {SPACE, "openssh", "throttled", "{\"bytes\":8000000,\"rate\":100000}", "ok", 80, 80, 8000000},
        {SPACE, "openssh", "package", "{\"name\":\"awscli\"}", "reset", 76, 76, 40000},
        {"tailnet", "openssh", "package", "{\"name\":\"awscli\"}", "ok", 9, 9, 40000});
    const struct finding *found = concluded(&matrix);
    cr_expect(eq(str, (char *)found->variable, "burstiness"));
    cr_expect(eq(str, found->transport, SPACE));
    cr_expect(eq(int, found->sure, SURE_LIKELY));
    cr_expect(has(&found->excluded, "duration (good up to 120 s)"));
    cr_expect(has(&found->excluded, "volume (good up to 8.0 MB from the host)"));
    cr_expect(strstr(found->why, "one bad cell alone") != NULL, "%s", found->why);
    cr_expect(strstr(found->why, "over tailnet the same went well") != NULL, "%s", found->why);
    cr_expect(has(&matrix.said.not_varied, "network of this machine"));
}

Test(conclude, gives_only_words_that_are_promised)
{
    static const char *const words[] = {"transport", "client", "duration", "volume",   "burstiness", "mtu",
                                        "idle",      "loss",   "rate",     "channels", "dns",        "daemon",
                                        "policy",    "master", "none",     "unknown",  NULL};
    for (size_t i = 0; words[i]; i++)
        cr_expect(conclude_is_variable(words[i]), "%s", words[i]);
    cr_expect(not(conclude_is_variable("network")));
}

/* Over userspace nobody knocks at the port: that the host's first line came is told by where a session of
 * this program's own stood still. */
Test(conclude, calls_it_mtu_where_the_first_line_comes_and_the_exchange_of_keys_does_not)
{
    static const struct {
        const char *ended, *word;
    } cases[] = {{"stalled", "mtu"}, {"timeout", "policy"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_MATRIX matrix = {.seen = SURROUNDINGS_INIT};
        struct surroundings_way *way = surroundings_add_way(&matrix.seen, "tailnet-userspace");
        way->daemon = xstrdup("answers");
        way->peer = xstrdup("online");
        way->pings = way->pongs = 3;
        ADD(&matrix, {"tailnet-userspace", "libssh", "echo", "{}", cases[i].ended, 10, 0, 0},
            {"tailnet-userspace", "openssh", "echo", "{}", "timeout", 10, 0, 0},
            {"tailnet-userspace", "libssh", "bulk-down", "{\"bytes\":600}", cases[i].ended, 8, 0, 0});
        cr_expect(eq(str, (char *)(uintptr_t)concluded(&matrix)->variable, (char *)(uintptr_t)cases[i].word));
    }
}
