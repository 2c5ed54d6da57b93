#include "command/store_access.h"

#include "base/memory.h"
#include "config/config.h"
#include "config/layout.h"
#include "store/history.h"
#include "store/store.h"

char *store_access_state(const struct command_context *context, struct error *err)
{
    AUTO_FREE char *directory = config_find_directory(context->directory, err);
    return directory ? layout_state(directory) : NULL;
}

int store_access_open(const struct command_context *context, char **state, struct sql **out,
                      struct error *err)
{
    AUTO_FREE char *found = store_access_state(context, err);
    if (!found)
        return -1;
    AUTO_FREE char *path = layout_store(found);
    if (history_open(path, out, err) < 0)
        return -1;
    *state = TAKE(found);
    return 0;
}

int store_access_put_machine(const char *store, struct machine *machine, struct error *err)
{
    AUTO_SQL *db = NULL;
    struct store_appender *appender = NULL;
    if (sql_open(store, SQL_WRITE, 10000, &db, err) < 0 || store_appender_new(db, &appender, err) < 0)
        return -1;
    struct event event = {.kind = EVENT_MACHINE, .machine = machine};
    int status = sql_begin(db, err);
    if (status == 0 &&
        (store_appender_begin(appender, err) < 0 || store_appender_put(appender, &event, err) < 0 ||
         store_appender_flush(appender, err) < 0)) {
        sql_rollback(db);
        status = -1;
    }
    if (status == 0)
        status = sql_commit(db, err);
    store_appender_free(appender);
    return status;
}
