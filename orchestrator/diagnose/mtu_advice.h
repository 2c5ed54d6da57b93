/* What to do about large packets that are lost on the way, in the words of the transport that loses them. */
#pragma once

/* Part of a sentence, static. `transport` NULL, or none of a tailnet: an interface leads to the host. */
const char *mtu_advice(const char *transport);
