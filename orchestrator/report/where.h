/* Where each second of the phases went (store/history_where.h), and what would save the most of them. */
#pragma once
#include "figures/account.h"
#include "format/json.h"
#include "view/table.h"
#include <stdbool.h>

struct report_wheres {
    const struct history_where *rows; /* the last one is the sum */
    size_t count;
    size_t runs;         /* that they are of */
    bool no_pipelining;  /* the user's settings turn it off */
    const char *setting; /* where they do: "ansible.cfg:3"; NULL else */
};

void report_where(const struct report_wheres *wheres, const struct table_look *look, struct text *out);
struct json *report_where_json(const struct report_wheres *wheres);
/* "facts are gathered in 3 phases: …", malloc'ed; NULL where nothing saves 0.3 s of a run. */
char *report_where_hint(const struct report_wheres *wheres);
