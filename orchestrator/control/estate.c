#include "control/estate.h"

#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/layout.h"
#include "process/lock.h"
#include "store/history.h"
#include "store/identity.h"

void estate_clear(struct estate *estate)
{
    for (size_t i = 0; i < estate->count; i++) {
        free(estate->items[i].why);
        free(estate->items[i].trouble);
    }
    for (size_t i = 0; i < estate->row_count; i++)
        machine_free(estate->rows[i]);
    for (size_t i = 0; i < estate->place_count; i++) {
        listing_clear(&estate->places[i].listing);
        error_clear(&estate->places[i].trouble);
    }
    free(estate->items);
    free(estate->rows);
    free(estate->places);
    places_free(estate->of, estate->place_count);
    *estate = (struct estate){0};
}

/* `before`: what the store knew before anybody was asked. */
static void ask_places(const struct project *project, const char *only, const struct estate *before,
                       struct estate *out)
{
    out->of = places_of(project, before->rows, before->row_count, &out->place_count);
    out->places = xcalloc(out->place_count, sizeof *out->places);
    for (size_t i = 0; i < out->place_count; i++) {
        struct estate_place *place = &out->places[i];
        place->of = &out->of[i];
        if (!place->of->mute && (!only || words_have(&place->of->targets, only)))
            place->asked =
                place->of->calls->list(project, place->of->target, &place->listing, &place->trouble) == 0;
        place->now_ns = due_now(place->listing.now_ns, moment_wall(), &place->ahead_ns);
    }
}

/* Behind the lists: what is made meanwhile has its row before it can be listed. */
static int read_rows(const char *store, const char *only, struct estate *out, struct error *err)
{
    AUTO_SQL *db = NULL;
    AUTO_WORDS targets = WORDS_INIT;
    if (history_find(store, &db, err) < 0 || (db && history_targets(db, &targets, err) < 0))
        return -1;
    for (size_t i = 0; i < targets.count; i++) {
        AUTO_MACHINE *machine = NULL;
        if (only && !text_is(only, targets.items[i]))
            continue;
        if (history_machine(db, targets.items[i], &machine, err) < 0)
            return -1;
        if (!machine || machine_was_there(machine))
            continue;
        out->rows = xreallocarray(out->rows, out->row_count + 1, sizeof *out->rows);
        out->rows[out->row_count++] = TAKE(machine);
    }
    return 0;
}

static const struct machine *row_of(const struct estate *estate, const char *provider,
                                    const struct listed *listed)
{
    for (size_t i = 0; i < estate->row_count; i++) {
        const struct machine *row = estate->rows[i];
        if (text_is(row->provider, provider) &&
            (listed->machine ? text_is(row->id, listed->machine)
                             : text_is(row->reference, listed->reference)))
            return row;
    }
    return NULL;
}

/* Who is at work on a target, malloc'ed; NULL: nobody. */
static char *busy_with(const char *state, const char *target)
{
    AUTO_FREE char *path = layout_lock(state, target);
    struct lock_owner owner;
    bool held = false;
    return lock_look(path, &owner, &held, NULL) == 0 && held ? xasprintf("run %s", id_shown(owner.run))
                                                             : NULL;
}

struct looking {
    const struct project *project;
    const char *only, *state, *project_id;
    struct estate *out;
};

static void add(const struct looking *looking, const struct estate_place *place, const struct listed *listed,
                const struct machine *machine)
{
    struct estate *out = looking->out;
    const char *name = machine ? machine->target : listed->target;
    if (looking->only && !(name && text_is(name, looking->only)))
        return;
    const struct target *target = name ? project_target(looking->project, name, NULL) : NULL;
    AUTO_FREE char *busy = machine ? busy_with(looking->state, name) : NULL;
    out->items = xreallocarray(out->items, out->count + 1, sizeof *out->items);
    struct estate_item *item = &out->items[out->count++];
    *item = (struct estate_item){.provider = machine ? machine->provider : place->of->provider,
                                 .place = place,
                                 .listed = listed,
                                 .machine = machine,
                                 .target = name,
                                 .now_ns = place ? place->now_ns : moment_wall()};
    const struct due_case of = {.machine = machine,
                                .listed = listed,
                                .project_id = looking->project_id,
                                .protected = target && target->protected,
                                .asked = place && place->asked,
                                .unasked = place && place->trouble.kind != ERROR_NONE,
                                .irremovable = place && !place->of->calls->remove_listed,
                                .busy = busy,
                                .now_ns = item->now_ns};
    item->due = due_decide(&of, &item->why);
}

static bool has_row(const struct estate *estate, const struct machine *machine)
{
    for (size_t i = 0; i < estate->count; i++)
        if (estate->items[i].machine == machine)
            return true;
    return false;
}

static const struct estate_place *place_of(const struct estate *estate, const struct machine *machine)
{
    const struct place *place =
        places_find(estate->of, estate->place_count, machine->provider, machine->target);
    return place ? &estate->places[place - estate->of] : NULL;
}

int estate_look(const struct project *project, const char *only, struct estate *out, struct error *err)
{
    AUTO_FREE char *state = layout_state(project->directory), *store = layout_store(state);
    AUTO_FREE char *id = identity_id(project->directory);
    AUTO_ESTATE found = {0}, before = {0};
    const struct looking looking = {project, only, state, id, &found};
    if (read_rows(store, only, &before, err) < 0)
        return -1;
    ask_places(project, only, &before, &found);
    if (read_rows(store, only, &found, err) < 0)
        return -1;
    for (size_t i = 0; i < found.place_count; i++)
        for (size_t j = 0; j < found.places[i].listing.count; j++) {
            const struct listed *listed = &found.places[i].listing.items[j];
            const struct machine *row = row_of(&found, found.places[i].of->provider, listed);
            if (!row || !has_row(&found, row))
                add(&looking, &found.places[i], listed, row);
        }
    for (size_t i = 0; i < found.row_count; i++)
        if (!has_row(&found, found.rows[i]))
            add(&looking, place_of(&found, found.rows[i]), NULL, found.rows[i]);
    *out = found;
    found = (struct estate){0};
    return 0;
}

size_t estate_count(const struct estate *estate, enum due due)
{
    size_t count = 0;
    for (size_t i = 0; i < estate->count; i++)
        count += estate->items[i].due == due;
    return count;
}

static const char *machine_of(const struct estate_item *item)
{
    return item->machine ? item->machine->id : item->listed->machine;
}

/* Whether two looks mean the same machine. */
static bool is_same(const struct estate_item *a, const struct estate_item *b)
{
    const char *one = machine_of(a), *other = machine_of(b);
    if (!text_is(a->provider, b->provider) || !a->machine != !b->machine)
        return false;
    return one || other ? one && other && text_is(one, other)
                        : text_is(a->listed->reference, b->listed->reference);
}

static bool was_to_go(const struct estate *shown, const struct estate_item *item)
{
    for (size_t i = 0; i < shown->count; i++)
        if (shown->items[i].due == DUE_GOES && is_same(&shown->items[i], item))
            return true;
    return false;
}

int estate_look_again(const struct project *project, const char *only, struct estate *shown,
                      struct error *err)
{
    AUTO_ESTATE now = {0};
    if (estate_look(project, only, &now, err) < 0)
        return -1;
    for (size_t i = 0; i < now.count; i++)
        if (now.items[i].due == DUE_GOES && !was_to_go(shown, &now.items[i]))
            now.items[i].due = DUE_STAYS;
    estate_clear(shown);
    *shown = now;
    now = (struct estate){0};
    return 0;
}
