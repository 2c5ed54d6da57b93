#include "view/doctor_view.h"

#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"
#include "view/table.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int doctor_view_print(const struct facts *facts, bool sandbox)
{
    struct table_look look = table_look_of(STDOUT_FILENO);
    AUTO_TEXT out = TEXT_INIT;
    AUTO_FREE char *install = facts_install_line(facts);
    for (size_t i = 0; i < facts->count; i++) {
        const struct fact *fact = &facts->items[i];
        enum table_style style = fact->state == FACT_OK        ? TABLE_GOOD
                                 : fact->state == FACT_WARNING ? TABLE_WARN
                                                               : TABLE_BAD;
        AUTO_FREE char *state = xasprintf("%-8s", fact_state_name(fact->state));
        table_styled(&out, &look, style, state);
        text_addf(&out, " %-16s ", fact->name);
        text_add_printable(&out, fact->what, strlen(fact->what));
        text_add_char(&out, '\n');
        if (fact->mend && !(fact->package && install)) {
            text_addf(&out, "%*s mend: ", 25, "");
            text_add_printable(&out, fact->mend, strlen(fact->mend));
            text_add_char(&out, '\n');
        }
    }
    if (install)
        text_addf(&out, "\nto install what is missing: %s\n", install);
    text_add(&out, sandbox ? "\nthis machine can make sandboxes\n"
                           : "\nthis machine cannot make sandboxes: see what is missing above\n");
    return table_print(&out);
}

int doctor_view_print_json(const struct facts *facts, bool sandbox)
{
    AUTO_JSON *document = json_new_object();
    struct json *list = json_new_array();
    json_set_integer(document, "version", 1);
    json_set_bool(document, "sandbox", sandbox);
    for (size_t i = 0; i < facts->count; i++) {
        const struct fact *fact = &facts->items[i];
        struct json *entry = json_new_object();
        json_set_string(entry, "name", fact->name);
        json_set_string(entry, "state", fact_state_name(fact->state));
        json_set_string(entry, "what", fact->what);
        json_set_string(entry, "mend", fact->mend);
        json_append(list, entry);
    }
    AUTO_FREE char *install = facts_install_line(facts);
    json_set_string(document, "install", install);
    json_set(document, "facts", list);
    AUTO_FREE char *bytes = json_pretty(document);
    AUTO_TEXT out = TEXT_INIT;
    text_addf(&out, "%s\n", bytes);
    return table_print(&out);
}
