/* What is wrong over one transport, how sure that is, and why. */
#pragma once
#include "base/words.h"
#include "diagnose/levels.h"

enum sureness { SURE_NOT, SURE_LIKELY, SURE };

struct finding {
    /* "transport" "client" "duration" "volume" "burstiness" "mtu" "idle" "loss" "rate" "channels" "dns"
     * "daemon" "policy" "master" "none" "unknown"; static */
    const char *variable;
    char *transport; /* over which; NULL: over each that was looked at */
    enum sureness sure;
    char *words;             /* what it is, a sentence */
    char *why;               /* how sure, and why */
    size_t good, bad;        /* cells over it; of those alike one is counted */
    struct words confounded; /* what the same cells would show too: "duration (…)" */
    struct words excluded;   /* what good cells speak for: "volume (good up to 8.0 MB from the host)" */
    /* Between which the threshold lies, in the variable's own unit; -1: none. `level` is that of levels.h. */
    int level;
    double good_most, bad_least;
};
