/* The LocalAPI of a tailscaled, over its unix socket. Errors of all calls: ERROR_MISSING where nobody
 * listens, ERROR_DEADLINE where one accepts and does not answer in time, ERROR_SYSTEM where what answers is
 * no tailscaled, or refuses. A call is bounded by LOCAL_API_S and by its deadline. `socket` NULL: the place
 * of the system's own daemon. */
#pragma once
#include "base/deadline.h"
#include "format/json.h"
#include "net/http.h"
#include "tailnet/status.h"

enum { LOCAL_API_S = 2, LOCAL_API_STATUS_MOST = 16 << 20 };

const char *local_api_default_socket(void);
/* `peers` false: without them, which is quicker in a large tailnet. */
int local_api_status(const char *socket, bool peers, struct deadline deadline, struct tailnet_status *out,
                     struct error *err);
/* The control server that the daemon is set to; malloc'ed, "" where it was never told. */
int local_api_control_url(const char *socket, struct deadline deadline, char **out, struct error *err);
/* All of the daemon's settings, as `tailscale debug prefs` has them; json_free. */
int local_api_prefs(const char *socket, struct deadline deadline, struct json **out, struct error *err);
/* One ping, and the daemon's answer as it is ("Err", "LatencySeconds", "Endpoint", "DERPRegionCode",
 * "PeerRelay", …): a peer that does not answer is in "Err", or takes until the deadline. `type`: "disco",
 * "TSMP", "ICMP", "peerapi"; `size` in bytes, 0: the smallest. */
int local_api_ping(const char *socket, const char *address, const char *type, int size,
                   struct deadline deadline, struct json **out, struct error *err);
int local_api_logout(const char *socket, struct deadline deadline, struct error *err);

/* What local_api_ping asks for, for http_begin: the URL (malloc'ed), and the request with it. */
char *local_api_ping_url(const char *address, const char *type, int size);
struct http_request local_api_ping_request(const char *socket, const char *url);
/* local_api_status for http_begin: what it asks for, with peers. The body of a 200 goes to
 * tailnet_status_parse. */
struct http_request local_api_status_request(const char *socket);
/* The same of the daemon's settings ("ControlURL", "AdvertiseTags", …), a JSON object. */
struct http_request local_api_prefs_request(const char *socket);
