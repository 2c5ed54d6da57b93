#!/bin/bash
# curl and libcurl 7.88.1: a POST over a connection that was used before, which the server reads whole, acts upon, and then closes without a byte of reply, is sent again by itself over a new connection.
# Only a connection of its own (CURLOPT_FRESH_CONNECT) keeps it from that.
# Guess before: only what is safe to repeat (RFC 9110, 9.2.2) is repeated, and a POST fails with "Empty reply from server"; on a new connection it does.
# Seen on 2026-11-30: three POSTs for two transfers, exit 0; so whoever makes things over HTTP has to expect "exists already" as the answer to what it believes is its first request.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
python3 - "$folder" <<'END' &
import http.server, os, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        seen.append(self.path)
        with open(sys.argv[1] + "/seen", "a", encoding="utf-8") as file:
            file.write(self.path + "\n")
        if self.path == "/make" and seen.count("/make") == 1 or self.path == "/alone":
            self.close_connection = True  # made, and no word of it
            return
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

seen = []
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[1] + "/port.new", "w", encoding="utf-8") as file:
    file.write(str(server.server_address[1]))
os.rename(sys.argv[1] + "/port.new", sys.argv[1] + "/port")
server.serve_forever()
END
server=$!
until [ -e "$folder/port" ]; do sleep 0.1; done
base=http://127.0.0.1:$(cat "$folder/port")
code=0
curl -sS --noproxy '*' -d x "$base/first" --next -sS --noproxy '*' -d x "$base/make" || code=$?
alone=0
curl -sS --noproxy '*' -d x "$base/alone" 2>"$folder/said" || alone=$?
made=$(grep -c /make "$folder/seen")
echo "after another request: exit $code, made $made times; on a new connection: exit $alone, $(cat "$folder/said")"
[ "$code" = 0 ] && [ "$made" = 2 ] && [ "$alone" = 52 ]
