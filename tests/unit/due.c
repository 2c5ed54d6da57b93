/* What a sweep may do with a machine: every case that a list and a store can be in. */
#include "provider/due.h"

#include "base/memory.h"
#include "base/moment.h"
#include "provider/places.h"

#include <criterion/criterion.h>
#include <string.h>

#define HOUR (3600 * NS_PER_S)
#define NOW  (1000 * HOUR)
#define US   "01890000-0000-7000-8000-00000000aaaa"

Test(due, only_what_is_this_projects_and_past_its_time_goes_and_what_keeps_it_is_said)
{
    static const struct {
        int64_t row;    /* hours until the row's machine expires; NONE: no row, EVER: it stays */
        int64_t listed; /* likewise of what is listed */
        const char *project, *kept_by, *busy;
        bool protected, unasked, irremovable;
        enum due due;
        const char *why;
    } cases[] = {
#define NONE (-1000)
#define EVER 1000
        /* a row of this store: it alone says when */
        {-1, -1, US, NULL, NULL, false, false, false, DUE_GOES, "expired 1 h ago"},
        {-1, 5, US, NULL, NULL, false, false, false, DUE_GOES, "expired 1 h ago"},
        {-1, NONE, NULL, NULL, NULL, false, false, false, DUE_GOES, "expired 1 h ago"},
        {0, 0, US, NULL, NULL, false, false, false, DUE_GOES, "expired 0 s ago"},
        {2, -1, US, NULL, NULL, false, false, false, DUE_STAYS, "expires in 2 h"},
        {EVER, -1, US, NULL, NULL, false, false, false, DUE_STAYS, "never expires"},
        {-1, -1, US, NULL, NULL, true, false, false, DUE_STAYS,
         "expired 1 h ago, but its target is protected"},
        {-1, -1, US, "delete protection is on", NULL, false, false, false, DUE_STAYS,
         "expired 1 h ago, but delete protection is on"},
        {-1, -1, US, NULL, "run 0123abcd", false, false, false, DUE_STAYS,
         "expired 1 h ago, but run 0123abcd is at work on it"},
        {-1, NONE, NULL, NULL, NULL, false, true, false, DUE_STAYS,
         "expired 1 h ago, but its provider could not be asked"},
        {-1, NONE, NULL, NULL, NULL, false, false, true, DUE_GOES, "expired 1 h ago"},
        /* none: the list says when, and whose */
        {NONE, -1, US, NULL, NULL, false, false, false, DUE_GOES,
         "no row of this store knows it: expired 1 h ago"},
        {NONE, 2, US, NULL, NULL, false, false, false, DUE_STAYS,
         "no row of this store knows it: expires in 2 h"},
        {NONE, EVER, US, NULL, NULL, false, false, false, DUE_STAYS,
         "no row of this store knows it: never expires; remove it by its provider's own means"},
        {NONE, -1, US, NULL, NULL, true, false, false, DUE_STAYS,
         "no row of this store knows it: expired 1 h ago, but its target is protected"},
        {NONE, -1, US, "it is locked", NULL, false, false, false, DUE_STAYS,
         "no row of this store knows it: expired 1 h ago, but it is locked"},
        {NONE, -1, US, NULL, NULL, false, false, true, DUE_STAYS,
         "no row of this store knows it: expired 1 h ago, but its provider removes nothing that no store "
         "knows"},
        {NONE, -1, "another", NULL, NULL, false, false, false, DUE_FOREIGN,
         "another project's, expired 1 h ago"},
        {NONE, EVER, NULL, NULL, NULL, false, false, false, DUE_FOREIGN, "nobody said whose it is"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct machine row = {.expires_ns = cases[i].row == EVER ? 0 : NOW + cases[i].row * HOUR};
        struct listed listed = {.reference = (char *)(uintptr_t) "r",
                                .project_id = (char *)(uintptr_t)cases[i].project,
                                .kept_by = (char *)(uintptr_t)cases[i].kept_by,
                                .expires_ns = cases[i].listed == EVER ? 0 : NOW + cases[i].listed * HOUR};
        const struct due_case of = {.machine = cases[i].row == NONE ? NULL : &row,
                                    .listed = cases[i].listed == NONE ? NULL : &listed,
                                    .project_id = US,
                                    .protected = cases[i].protected,
                                    .unasked = cases[i].unasked,
                                    .irremovable = cases[i].irremovable,
                                    .busy = cases[i].busy,
                                    .now_ns = NOW};
        AUTO_FREE char *why = NULL;
        enum due due = due_decide(&of, &why);
        cr_expect_eq(due, cases[i].due, "case %zu: %s", i, why);
        cr_expect_str_eq(why, cases[i].why, "case %zu", i);
    }
}

Test(due, of_a_known_one_that_its_provider_does_not_list_that_is_said)
{
    static const struct {
        int64_t hours;
        bool asked;
        enum due due;
        const char *why;
    } cases[] = {{2, true, DUE_STAYS, "expires in 2 h; its provider does not list it"},
                 {-1, true, DUE_GOES, "expired 1 h ago; its provider does not list it"},
                 {2, false, DUE_STAYS, "expires in 2 h"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct machine row = {.expires_ns = NOW + cases[i].hours * HOUR};
        const struct due_case of = {
            .machine = &row, .project_id = US, .asked = cases[i].asked, .now_ns = NOW};
        AUTO_FREE char *why = NULL;
        cr_expect_eq(due_decide(&of, &why), cases[i].due);
        cr_expect_str_eq(why, cases[i].why);
    }
}

Test(due, of_a_project_without_an_id_nothing_is_its_own)
{
    struct listed nobodys = {.reference = (char *)(uintptr_t) "r", .expires_ns = 1};
    const struct due_case of = {.listed = &nobodys, .project_id = NULL, .now_ns = NOW};
    AUTO_FREE char *why = NULL;
    cr_expect_eq(due_decide(&of, &why), DUE_FOREIGN);
}

Test(due, of_two_clocks_that_are_apart_only_what_is_past_by_both_goes)
{
    static const struct {
        int64_t provider_s, counts_s, ahead_s; /* beside this machine's NOW; NONE: it told none */
    } cases[] = {{NONE, 0, 0},  {0, 0, 0},          {600, 600, 0},       {-600, -600, 0},
                 {601, 0, 601}, {-601, -601, -601}, {999999, 0, 999999}, {-999999, -999999, -999999}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t ahead = -1, told = cases[i].provider_s == NONE ? 0 : NOW + cases[i].provider_s * NS_PER_S;
        cr_expect_eq(due_now(told, NOW, &ahead), NOW + cases[i].counts_s * NS_PER_S, "case %zu", i);
        cr_expect_eq(ahead, cases[i].ahead_s * NS_PER_S, "case %zu", i);
    }
}

Test(due, ages_are_told_in_the_two_largest_units)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {{-5, "0 s"},
                 {59, "59 s"},
                 {60, "1 m"},
                 {119, "1 m"},
                 {3600, "1 h"},
                 {11520, "3 h 12 m"},
                 {86400, "1 d"},
                 {86400 + 59 * 60, "1 d"},
                 {2 * 86400 + 4 * 3600 + 1, "2 d 4 h"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FREE char *text = duration_rough(cases[i].seconds * NS_PER_S);
        cr_expect_str_eq(text, cases[i].text);
    }
}

static void set_target(struct target *target, const char *name, const char *provider, const char *list)
{
    target->name = (char *)(uintptr_t)name;
    target->provider = (char *)(uintptr_t)provider;
    if (list)
        words_add(&target->list, list);
}

Test(due, each_place_is_asked_once_however_many_targets_lead_there)
{
    struct target targets[6] = {0};
    set_target(&targets[0], "a", "command", "./one");
    set_target(&targets[1], "b", "static", NULL);
    set_target(&targets[2], "c", "command", "./two");
    set_target(&targets[3], "d", "command", "./one");
    set_target(&targets[4], "e", "command", NULL);
    set_target(&targets[5], "f", "command", NULL);
    const struct project project = {.targets = targets, .target_count = COUNT_OF(targets)};
    size_t count = 0;
    struct place *places = places_of(&project, NULL, 0, &count);
    static const struct {
        const char *provider, *targets;
        bool mute;
    } wanted[] = {
        {"command", "a d", false}, {"command", "c", false}, {"command", "e f", true}, {"sandbox", "", false}};
    cr_assert_eq(count, COUNT_OF(wanted));
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *names = words_join(&places[i].targets, " ");
        cr_expect_str_eq(places[i].provider, wanted[i].provider);
        cr_expect_str_eq(names, wanted[i].targets);
        cr_expect_eq(places[i].mute, wanted[i].mute, "%s", names);
    }
    cr_expect_null(places[3].target, "what is on this machine needs nobody's words");
    places_free(places, count);
    for (size_t i = 0; i < COUNT_OF(targets); i++)
        words_clear(&targets[i].list);
}

Test(due, what_another_provider_made_is_asked_for_by_keys_that_stayed_and_else_by_what_a_row_says)
{
    struct target targets[2] = {0}, elsewhere[1] = {0};
    set_target(&targets[0], "a", "sandbox", NULL);
    set_target(&targets[1], "b", "sandbox", NULL);
    set_target(&elsewhere[0], "a", "hetzner", NULL);
    elsewhere[0].cloud.endpoint = (char *)(uintptr_t) "https://one";
    const struct project project = {.targets = targets,
                                    .target_count = COUNT_OF(targets),
                                    .elsewhere = elsewhere,
                                    .elsewhere_count = COUNT_OF(elsewhere)};
    static const struct {
        const char *provider, *target, *resources, *found, *asked; /* asked: endpoint or list */
    } cases[] = {
        {"hetzner", "a", "{}", "a", "https://one"},
        {"hetzner", "b", "{\"endpoint\": \"https://two\", \"token\": {\"env\": \"T\"}}", "b c",
         "https://two"},
        {"hetzner", "c", "{\"endpoint\": \"https://two\", \"token\": {\"env\": \"T\"}}", "b c",
         "https://two"},
        {"hetzner", "d", "{\"endpoint\": \"https://two\", \"token\": {\"file\": \"T\"}}", "d", "https://two"},
        {"command", "b", "{\"calls\": {\"list\": [\"./l\", \"-v\"]}, \"vars\": {\"n\": 1}}", "b", "./l -v"},
        {"command", "c", "{\"calls\": {}}", "c", ""},
        {"sandbox", "x", "{}", "a b", NULL},
    };
    struct machine *rows[COUNT_OF(cases)];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        rows[i] = machine_new();
        rows[i]->provider = xstrdup(cases[i].provider);
        rows[i]->target = xstrdup(cases[i].target);
        rows[i]->resources = json_parse(cases[i].resources, strlen(cases[i].resources), NULL);
        cr_assert(rows[i]->resources);
    }
    size_t count = 0;
    struct place *places = places_of(&project, rows, COUNT_OF(cases), &count);
    cr_expect_eq(count, 6);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct place *place = places_find(places, count, cases[i].provider, cases[i].target);
        cr_assert(place, "%zu", i);
        AUTO_FREE char *names = words_join(&place->targets, " ");
        cr_expect_str_eq(names, cases[i].found, "%zu", i);
        if (!cases[i].asked) {
            cr_expect_null(place->target);
            continue;
        }
        AUTO_FREE char *list = words_join(&place->target->list, " ");
        cr_expect_str_eq(place->target->cloud.endpoint ? place->target->cloud.endpoint : list,
                         cases[i].asked);
        cr_expect_eq(place->mute, !*cases[i].asked, "%zu", i);
        cr_expect_eq(place->target->vars != NULL, strstr(cases[i].resources, "vars") != NULL, "%zu", i);
    }
    cr_expect_null(places_find(places, count, "hetzner", "e"));
    places_free(places, count);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        machine_free(rows[i]);
}
