/* In which form a report is wanted, and how JSON goes to stdout. */
#pragma once
#include "format/json.h"
#include "report/text.h"

struct report_output {
    bool json;
    enum report_form form; /* where it is not JSON */
};

/* Takes the value over. -1 with errno. */
int report_output_json(struct json *json);
