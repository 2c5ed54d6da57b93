#include "net/resolve.h"

#include "base/memory.h"
#include "base/text.h"
#include "process/program.h"

#include <netdb.h>
#include <string.h>

static bool add_numeric(const char *address, int port, struct resolved *out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *found;
    AUTO_FREE char *service = xasprintf("%d", port);
    if (out->count == RESOLVED_MOST || getaddrinfo(address, service, &hints, &found) != 0)
        return false;
    memcpy(&out->addresses[out->count], found->ai_addr, found->ai_addrlen);
    out->sizes[out->count++] = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

/* Lines "ADDRESS STREAM name", "ADDRESS DGRAM", …, as the system's own rules order them. */
static void add_lines(char *lines, int port, struct resolved *out)
{
    char *state = NULL;
    for (char *line = strtok_r(lines, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        size_t length = strcspn(line, " \t");
        const char *kind = line + length + strspn(line + length, " \t");
        if (!text_starts(kind, "STREAM"))
            continue;
        line[length] = '\0';
        add_numeric(line, port, out);
    }
}

int resolve_host(const char *host, int port, struct deadline deadline, struct resolved *out,
                 struct error *err)
{
    AUTO_ERROR why = ERROR_INIT;
    AUTO_TEXT said = TEXT_INIT;
    struct child_end end = {0};
    struct resolved found = {.count = 0};
    const char *const argv[] = {"getent", "ahosts", "--", host, NULL};
    const struct program program = {.argv = argv, .bound_ns = deadline_left(deadline)};
    if (add_numeric(host, port, &found)) {
        *out = found;
        return 0;
    }
    if (program_run(&program, &said, NULL, &end, &why) < 0) {
        if (why.kind == ERROR_DEADLINE)
            return error_set(err, ERROR_DEADLINE,
                             "could not resolve hostname %s: no name server answered in time", host);
        error_move(err, &why);
        return error_prefix(err, "could not resolve hostname %s", host);
    }
    AUTO_FREE char *lines = text_take(&said);
    add_lines(lines, port, &found);
    if (!found.count)
        return error_set(err, ERROR_UNREACHABLE, "could not resolve hostname %s: there is no such name",
                         host);
    *out = found;
    return 0;
}
