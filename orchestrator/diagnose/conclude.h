/* From the cells of a matrix, and what was seen beside them, to what is wrong. Pure.
 *
 * A cell that ended well speaks for all that it asked of the path, as far as it asked it; of what a bad
 * cell asked, that which no good one over the same transport asked as much of is left. What is left in
 * every bad cell is the variable that separates them. Before that come signs, which say it themselves: a
 * daemon that does not answer, a name that is not found, segments that are sent again. Both are tables in
 * conclude.c. */
#pragma once
#include "base/words.h"
#include "diagnose/cell.h"
#include "diagnose/finding.h"
#include "diagnose/surroundings.h"

struct conclusion {
    struct finding *findings; /* the one that counts first; one at least */
    size_t count;
    bool reached;            /* any cell ended well */
    struct words flaky;      /* cells that ended well and not well */
    struct words uncounted;  /* cells that say nothing of the path, and why */
    struct words not_varied; /* what could not be, or was not, varied */
    struct words next;       /* what to try */
};

#define AUTO_CONCLUSION __attribute__((cleanup(conclusion_clear))) struct conclusion

/* `out` is made new; the caller clears it. Cells that were not taken count for nothing. */
void conclude(const struct cell *cells, size_t count, const struct surroundings *surroundings,
              struct conclusion *out);
const char *sureness_name(enum sureness sure); /* "unsure" "likely" "sure" */
struct json *conclusion_json(const struct conclusion *conclusion);
/* Whether the word is one that a finding may have. */
bool conclude_is_variable(const char *word);
void conclusion_clear(struct conclusion *conclusion);
