#include "report/told.h"

#include "base/memory.h"
#include "base/text.h"

struct json *report_told_json(const struct account *account)
{
    struct json *list = json_new_array();
    for (size_t i = 0; i < account->told_count; i++) {
        const struct history_told *told = &account->told[i];
        struct json *object = json_new_object();
        json_set_integer(object, "step", told->step);
        json_set_string(object, "host", told->host);
        json_set_string(object, "role", told->role);
        json_set_string(object, "task", told->task);
        json_set_string(object, "subject", told->subject);
        json_set_string(object, "text", told->text);
        json_set(object, "detail", json_keep(told->detail));
        json_append(list, object);
    }
    return list;
}

void report_told_add(const struct account *account, const struct table_look *look, struct text *out)
{
    for (size_t i = 0; i < account->told_count; i++) {
        const struct history_told *told = &account->told[i];
        AUTO_TEXT line = TEXT_INIT, where = TEXT_INIT;
        const struct history_step *step = account_step(account, told->step);
        text_addf(&line, "told: %s: %s", told->subject, told->text);
        text_addf(&where, "  (%d %s%s%s)", told->step, step ? step->name : "", told->host ? ", " : "",
                  told->host ? told->host : "");
        text_add(out, look->markdown ? "- " : i ? "" : "\n");
        table_printable(out, look, TABLE_PLAIN, text_string(&line));
        table_printable(out, look, TABLE_DIM, text_string(&where));
        text_add(out, "\n");
    }
}
