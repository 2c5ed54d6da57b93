#include "sandbox/mirror.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "process/program.h"

#include <string.h>

enum { SOURCES_LIMIT = 1 << 20 };

void mirror_clear(struct mirror *mirror)
{
    free(mirror->archive);
    free(mirror->security);
    *mirror = (struct mirror){NULL, NULL};
}

/* A word that is a URI of Debian's archive or its security updates. */
static void take(struct mirror *mirror, const char *word)
{
    if (!strstr(word, ":/"))
        return;
    AUTO_FREE char *uri = xstrdup(word);
    for (size_t length = strlen(uri); length && uri[length - 1] == '/'; length--)
        uri[length - 1] = '\0';
    if (text_ends(uri, "/debian") && !mirror->archive)
        mirror->archive = TAKE(uri);
    else if (text_ends(uri, "/debian-security") && !mirror->security)
        mirror->security = TAKE(uri);
}

static void take_words(struct mirror *mirror, char *line)
{
    char *state = NULL;
    for (const char *word = strtok_r(line, " \t", &state); word; word = strtok_r(NULL, " \t", &state))
        take(mirror, word);
}

static void read_list(struct mirror *mirror, char *content)
{
    char *state = NULL;
    for (char *line = strtok_r(content, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        line += strspn(line, " \t");
        if (text_starts(line, "deb ") || text_starts(line, "deb\t"))
            take_words(mirror, line);
    }
}

/* deb822: stanzas of "Field: value", values go on in indented lines. */
static void read_sources(struct mirror *mirror, char *content)
{
    bool uris = false;
    char *state = NULL;
    for (char *line = strtok_r(content, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        if (*line == '#')
            continue;
        if (*line != ' ' && *line != '\t') {
            uris = strncasecmp(line, "URIs:", strlen("URIs:")) == 0;
            if (uris)
                line += strlen("URIs:");
        }
        if (uris)
            take_words(mirror, line);
    }
}

void mirror_find(const char *folder, struct mirror *out)
{
    AUTO_FREE char *parts = file_join(folder, "sources.list.d");
    AUTO_FREE char *main_list = file_join(folder, "sources.list");
    AUTO_WORDS names = WORDS_INIT;
    AUTO_WORDS paths = WORDS_INIT;
    words_add(&paths, main_list);
    file_list(parts, &names, NULL);
    for (size_t i = 0; i < names.count; i++)
        words_own(&paths, file_join(parts, names.items[i]));
    for (size_t i = 0; i < paths.count; i++) {
        AUTO_TEXT content = TEXT_INIT;
        if (file_read(paths.items[i], SOURCES_LIMIT, &content, NULL) < 0 || !content.length)
            continue;
        if (text_ends(paths.items[i], ".list"))
            read_list(out, content.bytes);
        else if (text_ends(paths.items[i], ".sources"))
            read_sources(out, content.bytes);
    }
}

void mirror_proxies(struct words *out)
{
    AUTO_TEXT settings = TEXT_INIT;
    if (program_do(10 * NS_PER_S, &settings, NULL, "apt-config", "dump", NULL) < 0 || !settings.length)
        return;
    char *state = NULL;
    for (char *line = strtok_r(settings.bytes, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
        if ((text_starts(line, "Acquire::http::Proxy") || text_starts(line, "Acquire::https::Proxy")) &&
            !strchr(line, '@') && !strstr(line, "\"\""))
            words_add(out, line);
}
