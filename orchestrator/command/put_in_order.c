#include "command/put_in_order.h"

#include "command/exit_code.h"
#include "control/reconcile.h"
#include "control/settle.h"
#include "view/help.h"

int put_in_order_project(const char *project_directory, struct error *err)
{
    AUTO_WORDS said = WORDS_INIT;
    int status = settle_project(project_directory, &said, err);
    help_notes(&said);
    return status;
}

int put_in_order_locked(const char *state, const char *target, struct error *err)
{
    AUTO_WORDS said = WORDS_INIT;
    int status = reconcile_target(state, target, EXIT_INTERNAL, &said, err);
    help_notes(&said);
    return status;
}

int put_in_order(const char *state, const char *target, struct error *err)
{
    AUTO_WORDS said = WORDS_INIT;
    int status = settle(state, target, EXIT_INTERNAL, &said, err);
    help_notes(&said);
    return status;
}
