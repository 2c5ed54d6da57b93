/* A list of words as JSON: an array of texts. */
#pragma once
#include "base/words.h"
#include "format/json.h"

struct json *json_words_array(const struct words *words);
/* Adds its texts; of what is no text, or no array, nothing. */
void json_words_add(const struct json *array, struct words *out);
