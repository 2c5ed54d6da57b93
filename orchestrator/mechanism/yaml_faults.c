#include "mechanism/yaml_faults.h"

#include "base/memory.h"
#include "base/text.h"

#include <stdarg.h>
#include <string.h>

enum { SHOWN_MOST = 60 };

void yaml_faults_add(struct yaml_faults *faults, struct node_place at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *message = xvasprintf(format, args);
    va_end(args);
    if (faults->count++ < YAML_FAULTS_MOST)
        words_addf(faults->lines, "%s:%d:%d: %s", faults->name, at.line, at.column, message);
}

void yaml_faults_end(struct yaml_faults *faults)
{
    if (faults->count > YAML_FAULTS_MOST)
        words_addf(faults->lines, "%s: and %zu more", faults->name, faults->count - YAML_FAULTS_MOST);
}

char *yaml_faults_shown(const char *text)
{
    AUTO_TEXT out = TEXT_INIT;
    size_t length = strlen(text), kept = length > SHOWN_MOST ? SHOWN_MOST : length;
    while (kept < length && kept && ((unsigned char)text[kept] & 0xc0) == 0x80)
        kept--;
    text_add_printable(&out, text, kept);
    if (kept < length)
        text_add(&out, "...");
    return text_take(&out);
}

struct node_place yaml_faults_place(const char *bytes, size_t length, size_t offset)
{
    struct node_place at = {1, 1};
    for (size_t i = 0; i < offset && i < length; i++) {
        if (bytes[i] == '\n')
            at = (struct node_place){at.line + 1, 1};
        else if (((unsigned char)bytes[i] & 0xc0) != 0x80)
            at.column++;
    }
    return at;
}
