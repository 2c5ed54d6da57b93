/* The tables, and what they have in common. */
#pragma once
#include "base/text.h"
#include "verdict/verdict.h"

extern const struct verdict_table verdict_table_of_phases, verdict_table_of_stages, verdict_table_of_runs;

/* What ended it was not itself (verdict/ended.c): for the rows of phases and of stages. */
bool ended_by_death(const struct evidence *evidence);
bool ended_by_cancel(const struct evidence *evidence);
bool ended_by_deadline(const struct evidence *evidence);
/* At which task it was. */
char *ended_say_where(const struct evidence *evidence);
/* The same, and what the connection was like, and where more is to be read. */
char *ended_say_more(const struct evidence *evidence);
char *ended_say_death(const struct evidence *evidence);
/* Who ended it and how its process went, in words, as the begin of what was seen. */
void ended_see(const struct evidence *evidence, struct text *out);

/* The last row of each table. */
bool verdict_always(const struct evidence *evidence);
