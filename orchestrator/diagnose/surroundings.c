#include "diagnose/surroundings.h"

#include "base/memory.h"
#include "base/text.h"

enum { SEGMENTS_LEAST = 40 };

struct surroundings_way *surroundings_add_way(struct surroundings *surroundings, const char *transport)
{
    surroundings->ways =
        xreallocarray(surroundings->ways, surroundings->way_count + 1, sizeof *surroundings->ways);
    struct surroundings_way *way = &surroundings->ways[surroundings->way_count++];
    *way = (struct surroundings_way){.transport = xstrdup(transport),
                                     .pings = -1,
                                     .pongs = -1,
                                     .segments = -1,
                                     .segments_again = -1,
                                     .rounds = -1,
                                     .rounds_late = -1,
                                     .host_answers = -1};
    return way;
}

void surroundings_add_master(struct surroundings *surroundings, const char *path, const char *state)
{
    surroundings->masters =
        xreallocarray(surroundings->masters, surroundings->master_count + 1, sizeof *surroundings->masters);
    surroundings->masters[surroundings->master_count++] =
        (struct surroundings_master){xstrdup(path), xstrdup(state)};
}

const struct surroundings_way *surroundings_way(const struct surroundings *surroundings,
                                                const char *transport)
{
    for (size_t i = 0; surroundings && i < surroundings->way_count; i++)
        if (text_is(surroundings->ways[i].transport, transport))
            return &surroundings->ways[i];
    return NULL;
}

double surroundings_loss(const struct surroundings_way *way)
{
    if (!way || way->segments < SEGMENTS_LEAST || way->segments_again < 0)
        return -1;
    return 100.0 * (double)way->segments_again / (double)way->segments;
}

static struct json *way_json(const struct surroundings_way *way)
{
    struct json *object = json_new_object();
    json_set_string(object, "transport", way->transport);
    json_set_string(object, "daemon", way->daemon);
    json_set_string(object, "daemon_said", way->daemon_said);
    json_set_string(object, "peer", way->peer);
    json_set_integer(object, "pings", way->pings);
    json_set_integer(object, "pongs", way->pongs);
    json_set_integer(object, "segments", way->segments);
    json_set_integer(object, "segments_again", way->segments_again);
    json_set_integer(object, "rounds", way->rounds);
    json_set_integer(object, "rounds_late", way->rounds_late);
    json_set_string(object, "path", way->path);
    json_set_string(object, "port", way->port);
    json_set_integer(object, "host_answers", way->host_answers);
    return object;
}

struct json *surroundings_json(const struct surroundings *surroundings)
{
    struct json *object = json_new_object(), *ways = json_new_array(), *masters = json_new_array();
    json_set_string(object, "node", surroundings->node);
    json_set_string(object, "network", surroundings->network);
    json_set_string(object, "name", surroundings->name);
    json_set_string(object, "name_error", surroundings->name_error);
    for (size_t i = 0; i < surroundings->way_count; i++)
        json_append(ways, way_json(&surroundings->ways[i]));
    for (size_t i = 0; i < surroundings->master_count; i++) {
        struct json *master = json_new_object();
        json_set_string(master, "path", surroundings->masters[i].path);
        json_set_string(master, "state", surroundings->masters[i].state);
        json_append(masters, master);
    }
    json_set(object, "ways", ways);
    json_set(object, "masters", masters);
    return object;
}

static char *string_of(const struct json *object, const char *key)
{
    return xstrdup_or_null(json_get_string(object, key, NULL));
}

static void way_of_json(const struct json *object, struct surroundings_way *way)
{
    way->daemon = string_of(object, "daemon");
    way->daemon_said = string_of(object, "daemon_said");
    way->peer = string_of(object, "peer");
    way->pings = (int)json_get_integer(object, "pings", -1);
    way->pongs = (int)json_get_integer(object, "pongs", -1);
    way->segments = json_get_integer(object, "segments", -1);
    way->segments_again = json_get_integer(object, "segments_again", -1);
    way->rounds = (int)json_get_integer(object, "rounds", -1);
    way->rounds_late = (int)json_get_integer(object, "rounds_late", -1);
    way->path = string_of(object, "path");
    way->port = string_of(object, "port");
    way->host_answers = (int)json_get_integer(object, "host_answers", -1);
}

void surroundings_of_json(const struct json *object, struct surroundings *out)
{
    struct json *ways = json_get(object, "ways"), *masters = json_get(object, "masters");
    *out = (struct surroundings){.node = string_of(object, "node"),
                                 .network = string_of(object, "network"),
                                 .name = string_of(object, "name"),
                                 .name_error = string_of(object, "name_error")};
    for (size_t i = 0; i < json_count(ways); i++) {
        struct json *way = json_at(ways, i);
        way_of_json(way, surroundings_add_way(out, json_get_string(way, "transport", "?")));
    }
    for (size_t i = 0; i < json_count(masters); i++) {
        struct json *master = json_at(masters, i);
        surroundings_add_master(out, json_get_string(master, "path", "?"),
                                json_get_string(master, "state", "?"));
    }
}

void surroundings_clear(struct surroundings *surroundings)
{
    for (size_t i = 0; i < surroundings->way_count; i++) {
        struct surroundings_way *way = &surroundings->ways[i];
        free(way->transport);
        free(way->daemon);
        free(way->daemon_said);
        free(way->peer);
        free(way->path);
        free(way->port);
    }
    for (size_t i = 0; i < surroundings->master_count; i++) {
        free(surroundings->masters[i].path);
        free(surroundings->masters[i].state);
    }
    free(surroundings->node);
    free(surroundings->network);
    free(surroundings->name);
    free(surroundings->name_error);
    free(surroundings->ways);
    free(surroundings->masters);
    *surroundings = (struct surroundings)SURROUNDINGS_INIT;
}
