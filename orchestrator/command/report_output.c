#include "command/report_output.h"

#include "base/memory.h"

int report_output_json(struct json *json)
{
    AUTO_FREE char *pretty = json_pretty(json);
    AUTO_TEXT out = TEXT_INIT;
    text_add(&out, pretty);
    text_add_char(&out, '\n');
    json_free(json);
    return table_print(&out);
}
