#include "view/run_view.h"

#include "base/id.h"
#include "base/memory.h"
#include "view/help.h"

#include <stdio.h>

void run_view_begun(const char *target, const char *run)
{
    const char *tail = id_shown(run);
    printf("%s %s\n", target, run);
    fflush(stdout);
    help_note("%s: run %s goes on by itself; 'triphase attach %s' follows it, 'triphase cancel %s' ends it",
              target, tail, tail, tail);
}

int run_view_json(const struct json *document)
{
    AUTO_FREE char *text = json_pretty(document);
    puts(text);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : -1;
}
