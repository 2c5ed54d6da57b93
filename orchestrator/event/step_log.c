#include "event/step_log.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

void step_log_say(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    AUTO_FREE char *words = xvasprintf(format, values);
    va_end(values);
    AUTO_TEXT line = TEXT_INIT;
    text_add_printable(&line, words, strlen(words));
    text_add_char(&line, '\n');
    (void)file_write_all(STDERR_FILENO, line.bytes, line.length);
}
