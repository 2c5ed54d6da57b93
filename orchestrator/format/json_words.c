#include "format/json_words.h"

struct json *json_words_array(const struct words *words)
{
    struct json *array = json_new_array();
    for (size_t i = 0; i < words->count; i++)
        json_append(array, json_new_string(words->items[i]));
    return array;
}

void json_words_add(const struct json *array, struct words *out)
{
    for (size_t i = 0; i < json_count(array); i++) {
        const char *word = json_string(json_at(array, i), NULL);
        if (word)
            words_add(out, word);
    }
}
