/* Certificates that are not trusted or out of their time, by a real server over TLS: whether the certificate
 * or a clock is to blame. */
#include "net/http_ask.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "lab/lab.h"
#include "lab/sandbox.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(http_tls, .timeout = 120);

static const char server[] =
    "import http.server, os, ssl, sys\\n"
    "class H(http.server.BaseHTTPRequestHandler):\\n"
    "    def do_GET(self):\\n"
    "        self.send_response(200); self.send_header(\"Content-Length\", \"0\"); self.end_headers()\\n"
    "    do_HEAD = do_GET\\n"
    "s = http.server.HTTPServer((\"127.0.0.1\", int(sys.argv[1])), H)\\n"
    "c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain(sys.argv[2], sys.argv[3])\\n"
    "s.socket = c.wrap_socket(s.socket, server_side=True)\\n"
    "open(sys.argv[4], \"w\").write(str(os.getpid()) + \" \")\\n"
    "s.serve_forever()\\n";

/* An authority that this process (in a mount namespace of its own) trusts, and a server for each case. */
static const struct {
    const char *made;         /* when its certificate was made, valid for a year; NULL: now */
    const char *clock;        /* the server's; NULL: the true one */
    bool own;                 /* signed by itself */
    const char *host;         /* that it is for; NULL: the server's */
    const char *words, *more; /* NULL: it answers */
} cases[] = {
    {NULL, NULL, false, NULL, NULL, NULL},
    {NULL, NULL, true, NULL, "its certificate is not trusted here", ""},
    {NULL, NULL, false, "127.0.0.2", "its certificate is not trusted here", "127.0.0.1"},
    {"2020-01-01 00:00:00", NULL, false, NULL, "its certificate has expired",
     "agrees with this machine's: renew"},
    {"2020-01-01 00:00:00", "2020-06-01 00:00:00", false, NULL, "its certificate has expired",
     " ahead: set it"},
    {"2040-01-01 00:00:00", "2040-06-01 00:00:00", false, NULL, "its certificate is not valid yet",
     " behind: set it"},
};

static void make_authority(const char *folder)
{
    rig_shell("cd %s && faketime '2015-01-01 00:00:00' openssl req -x509 -newkey ec -pkeyopt "
              "ec_paramgen_curve:P-256 -nodes -days 20000 -subj "
              "/CN=authority -keyout ca.key -out ca.pem 2>&1 && printf '%s' >server.py &&"
              " mount --bind ca.pem /etc/ssl/certs/ca-certificates.crt",
              folder, server);
}

static void start_server(const char *folder, size_t i)
{
    const char *made = cases[i].made ? cases[i].made : "", *clock = cases[i].clock ? cases[i].clock : "";
    AUTO_FREE char *sign =
        cases[i].own ? xasprintf("-signkey %zu.key", i) : xstrdup("-CA ca.pem -CAkey ca.key -CAcreateserial");
    rig_shell("cd %s && printf 'subjectAltName=IP:%s' >ext &&"
              " openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=127.0.0.1 -keyout "
              "%zu.key -out %zu.csr 2>&1 &&"
              " %s%s%s openssl x509 -req -in %zu.csr -days 365 -extfile ext %s -out %zu.pem 2>&1",
              folder, cases[i].host ? cases[i].host : "127.0.0.1", i, i, *made ? "faketime '" : "", made,
              *made ? "'" : "", i, sign, i);
    rig_shell("cd %s && { %s%s%s python3 server.py %zu %zu.pem %zu.key %zu.up >%zu.log 2>&1 & } &&"
              " for n in $(seq 200); do [ -s %zu.up ] && exit 0; sleep 0.1; done; cat %zu.log; exit 1",
              folder, *clock ? "faketime '" : "", clock, *clock ? "'" : "", 8440 + i, i, i, i, i, i, i);
}

Test(http_tls, a_certificate_out_of_its_time_is_told_with_whose_clock_is_wrong)
{
    rig_needed();
    rig_go_private();
    AUTO_FREE char *folder = xstrdup(lab_folder(lab_new()));
    make_authority(folder);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_HTTP_ANSWER answer = {0};
        AUTO_ERROR err = ERROR_INIT;
        AUTO_FREE char *url = xasprintf("https://127.0.0.1:%zu/", 8440 + i);
        struct http_request request = {.method = "GET", .url = url};
        start_server(folder, i);

        int got = http_ask(&request, deadline_in(20 * NS_PER_S), &answer, &err);

        cr_expect_eq(got == 0, !cases[i].words, "%zu: %s", i, error_text(&err));
        if (cases[i].words) {
            cr_expect(strstr(error_text(&err), cases[i].words), "%zu: %s", i, error_text(&err));
            cr_expect(strstr(error_text(&err), cases[i].more), "%zu: %s", i, error_text(&err));
        }
    }
    rig_shell("for p in $(cat %s/*.up); do kill $p; while [ -e /proc/$p ]; do sleep 0.05; done; done",
              folder);
}
