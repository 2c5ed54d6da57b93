#include "base/embedded.h"

#include "base/text.h"

const struct embedded_file *embedded_find(const char *path)
{
    for (size_t i = 0; i < embedded_file_count; i++)
        if (text_is(embedded_files[i].path, path))
            return &embedded_files[i];
    return NULL;
}
