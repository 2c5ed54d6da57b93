#include "config/fault.h"

#include "base/memory.h"
#include "base/text.h"

#include <string.h>

enum { LISTED_LIMIT = 12 };

void fault_add(struct words *faults, const char *place, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *message = xvasprintf(format, args);
    va_end(args);
    words_addf(faults, "%s: %s", place, message);
}

void fault_at(struct words *faults, const struct provenance *from, struct node_place at, const char *format,
              ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *message = xvasprintf(format, args);
    va_end(args);
    AUTO_FREE char *place = fault_place(from, at.line, at.column);
    fault_add(faults, place, "%s", message);
}

char *fault_place(const struct provenance *from, int line, int column)
{
    return from->has_lines ? xasprintf("%s:%d:%d", from->name, line, column) : xstrdup(from->name);
}

char *fault_instead(const char *name, const char *const *known)
{
    const char *nearest = text_nearest(name, known);
    if (nearest)
        return xasprintf("; did you mean '%s'?", nearest);
    AUTO_TEXT out = TEXT_INIT;
    size_t count = 0;
    for (; known[count]; count++)
        text_addf(&out, "%s%s", count ? ", " : "; known here: ", known[count]);
    return count > LISTED_LIMIT ? xstrdup("") : text_take(&out);
}
