#include "transport/route.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/number.h"
#include "base/text.h"
#include "process/program.h"

#include <stdint.h>
#include <string.h>

/* a Match exec of the user's ssh configuration may run in it */
static const int64_t resolve_bound = 10 * NS_PER_S;

/* "name value" lines of `ssh -G`: the value, malloc'ed; NULL when absent, empty or none. */
static char *value_of(const char *lines, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = lines; *line;) {
        size_t end = strcspn(line, "\n");
        if (end > length && !strncmp(line, name, length) && line[length] == ' ') {
            AUTO_FREE char *value = xstrndup(line + length + 1, end - length - 1);
            return *value && !text_is(value, "none") ? TAKE(value) : NULL;
        }
        line += end + (line[end] == '\n');
    }
    return NULL;
}

int transport_resolve(const struct ssh_arguments *ssh, struct transport_route *out, struct error *err)
{
    AUTO_WORDS argv = WORDS_INIT;
    words_add_all(&argv, "ssh", "-G", NULL);
    words_add_list(&argv, words_argv(&ssh->options));
    words_add_all(&argv, "--", ssh->host, NULL);
    AUTO_TEXT answer = TEXT_INIT, said = TEXT_INIT;
    struct child_end end = {0};
    struct program program = {.argv = words_argv(&argv), .bound_ns = resolve_bound};
    if (program_run(&program, &answer, &said, &end, err) < 0)
        return error_prefix(err, "asking ssh how it would reach %s", ssh->host);
    if (end.code != 0) {
        AUTO_TEXT shown = TEXT_INIT;
        text_add_printable_lines(&shown, text_string(&said), "; ");
        return error_set(err, ERROR_PROJECT, "ssh does not accept how %s is to be reached: %s", ssh->host,
                         text_string(&shown));
    }
    AUTO_FREE char *port = value_of(text_string(&answer), "port");
    AUTO_FREE char *jump = value_of(text_string(&answer), "proxyjump");
    *out = (struct transport_route){
        .hostname = value_of(text_string(&answer), "hostname"),
        .user = value_of(text_string(&answer), "user"),
        .control_path = value_of(text_string(&answer), "controlpath"),
        .host_key_alias = value_of(text_string(&answer), "hostkeyalias"),
        .proxy = jump ? TAKE(jump) : value_of(text_string(&answer), "proxycommand"),
        .port = 22,
    };
    (void)number_parse_int(port, 1, UINT16_MAX, &out->port, NULL);
    return 0;
}

void transport_route_clear(struct transport_route *route)
{
    free(route->hostname);
    free(route->user);
    free(route->control_path);
    free(route->host_key_alias);
    free(route->proxy);
    *route = (struct transport_route){0};
}
