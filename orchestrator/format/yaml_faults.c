#include "format/yaml_faults.h"

#include "base/memory.h"
#include "base/text.h"

#include <stdarg.h>
#include <string.h>

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
