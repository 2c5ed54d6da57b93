/* What modules had to say, in a report of a run. */
#pragma once
#include "figures/account.h"
#include "view/table.h"

/* A list of {step, host, role, task, subject, text, detail}, in order. */
struct json *report_told_json(const struct account *account);
/* A line for each: "told: SUBJECT: TEXT", and by which step. */
void report_told_add(const struct account *account, const struct table_look *look, struct text *out);
