#include "figures.h"

#include "base/file.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int figures_write(const char *head, const char *rows, struct error *err)
{
    fprintf(stderr, "%s%s", head, rows);
    const char *path = getenv("SOAK_TABLE");
    if (!path)
        return 0;
    AUTO_TEXT all = TEXT_INIT;
    if (file_exists(path) && file_read(path, 1 << 20, &all, err) < 0)
        return -1;
    if (!strstr(text_string(&all), head))
        text_addf(&all, "%s%s", all.length ? "\n" : "", head);
    text_add(&all, rows);
    return file_replace(path, text_string(&all), all.length, 0644, err);
}

void figures_add(const char *head, const char *rows)
{
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(figures_write(head, rows, &err), 0, "%s", error_text(&err));
}
