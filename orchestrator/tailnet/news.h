/* A tailscaled's word that something of it has changed (its state, its settings, its peers): a reason to
 * ask it again, and no more. Of what it says on its bus nothing is read, so that this is one socket and no
 * HTTP. */
#pragma once
#include "base/deadline.h"

/* Opened before the question whose answer is to change, so that nothing falls between. -1 where nobody
 * listens, or whoever does tells nothing: news_await takes that too. `socket` NULL: that of the system's
 * own. */
int news_open(const char *socket, struct deadline deadline);
/* Until it tells of a change, the deadline, or a second has passed, for what no daemon tells. Without a
 * daemon that tells, a tenth of one. */
void news_await(int *news, struct deadline deadline);
