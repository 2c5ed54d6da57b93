/* How far a cell went in each thing that the matrix varies: the scale on which good cells speak for it,
 * and bad ones against it. Pure. */
#pragma once
#include "diagnose/cell.h"

/* Ways to and from the host are apart, since a fault may have a direction. The order is that in which one is
 * believed where several fit equally well: what is narrower comes first. */
enum level {
    LEVEL_SEGMENT_DOWN,
    LEVEL_SEGMENT_UP,
    LEVEL_IDLE,
    LEVEL_CHANNELS,
    LEVEL_VOLUME_DOWN,
    LEVEL_VOLUME_UP,
    LEVEL_DURATION,
    LEVEL_RATE,
    LEVEL_BURSTS,
    LEVEL_COUNT
};

struct levels {
    double of[LEVEL_COUNT];
};

/* For a cell that ended well how far it went; for another one how far it had come when its last byte
 * passed. */
void levels_of(const struct cell *cell, struct levels *out);
const char *level_variable(enum level level);  /* "mtu", "volume"… */
const char *level_direction(enum level level); /* " from the host", " to the host" or "" */
/* "8.0 MB", "75 s", "6 channels"; malloc'ed. */
char *level_text(enum level level, double value);
/* Bytes a second of a cell that did nothing but move bytes; -1 for another one, or for too few bytes. */
double level_speed(const struct cell *cell);
