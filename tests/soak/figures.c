#include "figures.h"

#include "base/file.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void figures_add(const char *head, const char *rows)
{
    fprintf(stderr, "%s%s", head, rows);
    const char *path = getenv("SOAK_TABLE");
    if (!path)
        return;
    AUTO_TEXT all = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    if (file_exists(path))
        cr_assert(file_read(path, 1 << 20, &all, &err) == 0, "%s", error_text(&err));
    if (!strstr(text_string(&all), head))
        text_addf(&all, "%s%s", all.length ? "\n" : "", head);
    text_add(&all, rows);
    cr_assert(file_replace(path, text_string(&all), all.length, 0644, &err) == 0, "%s", error_text(&err));
}
