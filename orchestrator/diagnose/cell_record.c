#include "base/memory.h"
#include "base/text.h"
#include "diagnose/cell.h"

void cell_clear(struct cell *cell)
{
    free(cell->transport);
    free(cell->client);
    free(cell->work);
    json_free(cell->parameters);
    free(cell->ended);
    free(cell->message);
    free(cell->tcp_state);
    free(cell->path);
    *cell = (struct cell){0};
}

void cells_free(struct cell *cells, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cell_clear(&cells[i]);
    free(cells);
}

struct json *cell_json(const struct cell *cell)
{
    struct json *object = json_new_object();
    json_set_string(object, "transport", cell->transport);
    json_set_string(object, "client", cell->client);
    json_set_string(object, "work", cell->work);
    json_set(object, "parameters", cell->parameters ? json_keep(cell->parameters) : json_new_object());
    json_set_bool(object, "ok", cell->ok);
    json_set_string(object, "ended", cell->ended);
    json_set_string(object, "message", cell->message);
    json_set_integer(object, "duration_ns", cell->duration_ns);
    json_set_integer(object, "last_good_ns", cell->last_good_ns);
    json_set_integer(object, "bytes", (int64_t)cell->bytes);
    json_set_integer(object, "stalls", cell->stalls);
    json_set_string(object, "tcp_state", cell->tcp_state);
    json_set_string(object, "path", cell->path);
    return object;
}

static char *string_of(const struct json *object, const char *key)
{
    return xstrdup_or_null(json_get_string(object, key, NULL));
}

void cell_of_json(const struct json *object, struct cell *out)
{
    struct json *parameters = json_get(object, "parameters");
    *out = (struct cell){.transport = string_of(object, "transport"),
                         .client = string_of(object, "client"),
                         .work = string_of(object, "work"),
                         .parameters = json_is_object(parameters) ? json_keep(parameters) : json_new_object(),
                         .ok = json_get_bool(object, "ok"),
                         .ended = string_of(object, "ended"),
                         .message = string_of(object, "message"),
                         .duration_ns = json_get_integer(object, "duration_ns", 0),
                         .last_good_ns = json_get_integer(object, "last_good_ns", 0),
                         .bytes = (uint64_t)json_get_integer(object, "bytes", 0),
                         .stalls = (int)json_get_integer(object, "stalls", 0),
                         .tcp_state = string_of(object, "tcp_state"),
                         .path = string_of(object, "path")};
}

/* Whether all that `a` has stands in `b` too. */
static bool holds(const struct json *a, const struct json *b)
{
    void *at = NULL;
    const char *key;
    struct json *value;
    while (json_each(a, &at, &key, &value)) {
        AUTO_FREE char *mine = json_compact(value);
        struct json *other = json_get(b, key);
        AUTO_FREE char *theirs = other ? json_compact(other) : NULL;
        if (!text_is(mine, theirs))
            return false;
    }
    return true;
}

bool cell_is_alike(const struct cell *a, const struct cell *b)
{
    return text_is(a->transport, b->transport) && text_is(a->client, b->client) &&
           text_is(a->work, b->work) && json_count(a->parameters) == json_count(b->parameters) &&
           holds(a->parameters, b->parameters);
}

int64_t cell_parameter(const struct cell *cell, const char *name, int64_t otherwise)
{
    return json_get_integer(cell->parameters, name, otherwise);
}
