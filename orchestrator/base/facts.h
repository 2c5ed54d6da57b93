/* What this machine has and lacks, as a list for people and programs: each with the exact command or
 * container flag that mends it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum fact_state { FACT_OK, FACT_WARNING, FACT_MISSING };

/* "ok", "warning", "missing". */
const char *fact_state_name(enum fact_state state);

struct fact {
    char *name;
    enum fact_state state;
    char *what;    /* one line: what was found, or what does not work without it */
    char *mend;    /* NULL where nothing is to be mended */
    char *package; /* Debian package that brings it; NULL: none does */
};

struct facts {
    struct fact *items;
    size_t count;
};

#define AUTO_FACTS __attribute__((cleanup(facts_clear))) struct facts
/* Takes over the malloc'ed `what`; `mend` and `package` are copied and may be NULL. */
void facts_add(struct facts *facts, const char *name, enum fact_state state, char *what, const char *mend,
               const char *package);
void facts_clear(struct facts *facts);
bool facts_have_missing(const struct facts *facts);
/* malloc'ed "apt-get install -y A B" for all missing facts that name a package; NULL when none does. */
char *facts_install_line(const struct facts *facts);
