#include "config/health_rules.h"

#include "base/number.h"
#include "config/health_settings.h"
#include "config/text_rules.h"

#include <string.h>

enum { NAME_MOST = 253 };

char *health_rules_url_problem(const char *text)
{
    return health_url_read(text, NULL);
}

char *health_rules_code_problem(const char *text)
{
    int code;
    return number_parse_int(text, HEALTH_CODE_LEAST, HEALTH_CODE_MOST, &code, NULL) == 0
               ? NULL
               : value_about(text, "is no status of HTTP: a number from 100 to 599");
}

char *health_rules_server_name_problem(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    size_t length = strlen(text);
    bool good = length && length <= NAME_MOST && !text[strspn(text, allowed)] && *text != '-' && *text != '.';
    return good ? NULL
                : value_about(text, "is no name that a certificate has: letters, digits, dashes, dots");
}
