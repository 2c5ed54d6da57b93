/* The report of one run in every form there is, as files. */
#pragma once
#include "figures/account.h"

struct report_file {
    const char *name;
    /* `state`: the folder .triphase. */
    void (*add)(const struct account *account, const char *state, struct text *out);
};

enum { REPORT_FILES = 4 };
extern const struct report_file report_files[REPORT_FILES];
