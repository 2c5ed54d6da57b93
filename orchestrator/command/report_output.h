/* In which form a report is wanted, and how JSON goes to stdout. */
#pragma once
#include "mechanism/json.h"
#include "view/report.h"

struct report_output {
    bool json;
    enum report_form form; /* where it is not JSON */
};

/* Takes the value over. -1 with errno. */
int report_output_json(struct json *json);
