/* What is found wrong in a YAML text: lines "file:line:column: message" for people. All are counted, the
 * first 100 are kept. */
#pragma once
#include "base/words.h"
#include "format/node.h"

enum { YAML_FAULTS_MOST = 100 };

struct yaml_faults {
    const char *name;    /* of the file, as messages call it; borrowed */
    struct words *lines; /* where they go; borrowed */
    size_t count;
};

void yaml_faults_add(struct yaml_faults *faults, struct node_place at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Nothing more comes: says how many were left out, if any were. */
void yaml_faults_end(struct yaml_faults *faults);
/* Line and column, counted in characters, of a byte of the text. */
struct node_place yaml_faults_place(const char *bytes, size_t length, size_t offset);
