/* ip_forward, which the guests' way out needs: on for as long as any sandbox is there. Who else relies on it
 * cannot be asked, so it goes off only where nothing at all speaks for it. All under the sandboxes' lock. */
#pragma once
#include "base/error.h"

/* Remembers what it was, and what this machine had, before the first sandbox since boot; turns it on. */
int forward_on(struct error *err);
/* Once the last sandbox's own folder is gone: puts it back where it was off before and nobody came meanwhile
 * who may forward (an interface, a rule, a setting that turns it on). */
int forward_off(struct error *err);
