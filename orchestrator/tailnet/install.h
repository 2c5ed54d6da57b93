/* The programs of Tailscale's package, without which `triphase up` can start no daemon. */
#pragma once

/* The one that is not in PATH; NULL: both are there. */
const char *install_lacks(void);
/* What brings them, as a mend and as the end of a sentence. */
const char *install_advice(void);
