/* Why a run and each of its steps ended as they did: the row of the table of verdicts that fitted, what was
 * seen then, and the rows before it, which did not fit. For people, and as JSON. */
#pragma once
#include "figures/account.h"
#include "format/json.h"
#include "view/table.h"

void explain_view(const struct account *account, const struct table_look *look, struct text *out);
/* malloc'ed; freed by json_free. */
struct json *explain_json(const struct account *account);
