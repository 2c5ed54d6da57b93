#include "diagnose/diagnosis.h"

#include "base/memory.h"
#include "base/text.h"

void diagnosis_add(struct diagnosis *diagnosis, struct cell *cell)
{
    diagnosis->cells = xreallocarray(diagnosis->cells, diagnosis->count + 1, sizeof *diagnosis->cells);
    diagnosis->cells[diagnosis->count++] = *cell;
    *cell = (struct cell){0};
}

void diagnosis_conclude(struct diagnosis *diagnosis)
{
    conclusion_clear(&diagnosis->said);
    conclude(diagnosis->cells, diagnosis->count, &diagnosis->seen, &diagnosis->said);
}

struct json *diagnosis_json(const struct diagnosis *diagnosis)
{
    struct json *object = json_new_object(), *cells = json_new_array();
    json_set_integer(object, "version", 1);
    json_set_string(object, "id", diagnosis->id);
    json_set_string(object, "target", diagnosis->target);
    json_set_string(object, "size", diagnosis->size);
    json_set_string(object, "node", diagnosis->node);
    json_set_integer(object, "started_ns", diagnosis->started_ns);
    json_set(object, "duration_ns",
             diagnosis->duration_ns < 0 ? json_new_null() : json_new_integer(diagnosis->duration_ns));
    for (size_t i = 0; i < diagnosis->count; i++)
        json_append(cells, cell_json(&diagnosis->cells[i]));
    json_set(object, "cells", cells);
    json_set(object, "surroundings", surroundings_json(&diagnosis->seen));
    json_set(object, "conclusion", conclusion_json(&diagnosis->said));
    json_set_string(object, "threshold", diagnosis->threshold);
    return object;
}

static char *string_of(const struct json *object, const char *key)
{
    return xstrdup_or_null(json_get_string(object, key, NULL));
}

int diagnosis_of_json(const struct json *object, struct diagnosis *out, struct error *err)
{
    const struct json *cells = json_get(object, "cells");
    if (!json_is_array(cells))
        return error_set(err, ERROR_PROJECT, "it is no diagnosis: it has no list \"cells\"");
    *out = (struct diagnosis){.id = string_of(object, "id"),
                              .target = string_of(object, "target"),
                              .size = string_of(object, "size"),
                              .node = string_of(object, "node"),
                              .started_ns = json_get_integer(object, "started_ns", 0),
                              .duration_ns = json_get_integer(object, "duration_ns", -1)};
    for (size_t i = 0; i < json_count(cells); i++) {
        struct cell cell;
        cell_of_json(json_at(cells, i), &cell);
        if (cell.transport && cell.client && cell.work)
            diagnosis_add(out, &cell);
        cell_clear(&cell);
    }
    surroundings_of_json(json_get(object, "surroundings"), &out->seen);
    diagnosis_conclude(out);
    return 0;
}

void diagnosis_clear(struct diagnosis *diagnosis)
{
    free(diagnosis->id);
    free(diagnosis->target);
    free(diagnosis->size);
    free(diagnosis->node);
    cells_free(diagnosis->cells, diagnosis->count);
    surroundings_clear(&diagnosis->seen);
    conclusion_clear(&diagnosis->said);
    free(diagnosis->threshold);
    *diagnosis = (struct diagnosis){0};
}
