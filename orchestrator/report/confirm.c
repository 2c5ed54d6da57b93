#include "report/confirm.h"

#include "base/id.h"
#include "base/text.h"

#include <string.h>

enum { LINES_MOST = 24 };

static enum table_style style_of(char first)
{
    return first == '-' ? TABLE_BAD : first == '+' ? TABLE_WARN : TABLE_DIM;
}

static void add_difference(const char *text, const char *run, const struct table_look *look, struct text *out)
{
    int lines = 0;
    for (const char *at = text; *at; lines++) {
        size_t length = strcspn(at, "\n");
        AUTO_TEXT line = TEXT_INIT;
        text_add(&line, "     ");
        text_add_printable(&line, at, length);
        if (lines < LINES_MOST) {
            table_styled(out, look, style_of(*at), text_string(&line));
            text_add(out, "\n");
        }
        at += length + (at[length] == '\n');
    }
    if (lines > LINES_MOST)
        text_addf(out, "     and %d lines more: triphase events %s\n", lines - LINES_MOST, id_shown(run));
}

void report_confirm_add(const struct account *account, const struct table_look *look, struct text *out)
{
    for (size_t i = 0; i < json_count(account->confirm); i++) {
        const struct json *one = json_at(account->confirm, i);
        const struct history_step *step = account_step(account, (int)json_get_integer(one, "step", 0));
        const char *message = json_get_string(one, "message", "");
        AUTO_TEXT line = TEXT_INIT;
        if (!step || !text_is(json_get_string(one, "state", NULL), "rolled-back"))
            continue;
        text_addf(&line, "%3d  ", step->seq);
        text_add_printable(&line, step->name, strlen(step->name));
        text_add(&line, "  the host has put back what it had changed");
        if (!text_is(message, step->message)) { /* else it stands among what failed */
            text_add(&line, ": ");
            text_add_printable(&line, message, strlen(message));
        }
        text_add(out, "\n");
        table_styled(out, look, TABLE_PLAIN, text_string(&line));
        text_add(out, "\n");
        add_difference(json_get_string(one, "difference", ""), account->run->id, look, out);
    }
}
