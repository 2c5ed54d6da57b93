/* How a diagnosis is told: while it goes on, as a table with its conclusion, and two side by side. */
#pragma once
#include "diagnose/compare.h"
#include "diagnose/diagnosis.h"
#include "diagnose/matrix.h"
#include "view/table.h"

/* Progress, on stderr: a line that is drawn again on a terminal, and one for each cell that is not well.
 * Those of the matrix that have ended before count as taken. */
struct diagnose_progress;
struct diagnose_progress *diagnose_progress_new(const struct matrix *matrix);
void diagnose_progress_begun(struct diagnose_progress *progress, size_t at);
void diagnose_progress_passed(struct diagnose_progress *progress); /* time alone has */
/* `at` as in diagnose/take.h. */
void diagnose_progress_taken(struct diagnose_progress *progress, size_t at, const struct cell *cell);
void diagnose_progress_free(struct diagnose_progress *progress);

void diagnose_view(const struct diagnosis *diagnosis, const struct table_look *look, struct text *out);
void diagnose_view_compared(const struct diagnosis *before, const struct diagnosis *after,
                            const struct compared *compared, const struct table_look *look, struct text *out);
