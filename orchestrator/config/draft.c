#include "config/draft.h"

#include "base/text.h"
#include "format/yaml.h"

bool draft_is_of(const struct config_draft *draft, const char *path)
{
    return draft && text_is(draft->path, path);
}

int draft_read(const struct config_draft *draft, const char *path, const char *name, struct node **out,
               struct words *faults)
{
    return draft_is_of(draft, path) ? yaml_read(draft->bytes, draft->length, name, out, faults)
                                    : yaml_read_file(path, name, out, faults);
}
