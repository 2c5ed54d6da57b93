#include "report/format.h"

#include "base/memory.h"
#include "base/text.h"

extern const struct report_format report_format_table, report_format_csv, report_format_json,
    report_format_md;

static const struct report_format *const formats[] = {
    &report_format_table,
    &report_format_csv,
    &report_format_json,
    &report_format_md,
};

const struct report_format *report_format_at(size_t index)
{
    return index < COUNT_OF(formats) ? formats[index] : NULL;
}

const struct report_format *report_format_named(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(formats); i++)
        if (text_is(formats[i]->name, name))
            return formats[i];
    return NULL;
}
