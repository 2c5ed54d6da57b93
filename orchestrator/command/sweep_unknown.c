#include "command/sweep_unknown.h"

#include "base/memory.h"
#include "base/moment.h"
#include "view/help.h"

/* Where no target's deadline says more. */
#define REMOVE_BOUND (120 * NS_PER_S)

static bool is_one(const struct estate_item *item)
{
    return item->due == DUE_GOES && !item->machine;
}

static int remove_one(const struct project *project, struct estate_item *item, struct error *err)
{
    const struct place *place = item->place->of;
    int64_t bound = place->target ? place->target->destroy_ns : REMOVE_BOUND;
    if (place->calls->remove_listed(project, place->target, item->listed, bound, err) < 0) {
        item->became = "failed";
        item->trouble = xstrdup(error_text(err));
        help_problem("%s: %s", item->listed->reference, error_text(err));
        return -1;
    }
    item->became = "removed";
    help_note("%s: removed (%s)", item->listed->reference, item->why);
    return 0;
}

int sweep_unknown(const struct project *project, struct estate *estate, struct error *err)
{
    int status = 0;
    for (size_t i = 0; i < estate->count; i++) {
        AUTO_ERROR why = ERROR_INIT;
        if (!is_one(&estate->items[i]) || remove_one(project, &estate->items[i], &why) == 0)
            continue;
        if (status == 0)
            error_move(err, &why);
        status = -1;
    }
    return status;
}
