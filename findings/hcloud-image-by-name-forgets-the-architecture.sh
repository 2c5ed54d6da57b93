#!/bin/bash
# hcloud 1.30.3 (Debian 12's hcloud-cli 1.30.3-1+b5), `server create` of an arm server type with an image's name that exists for x86 and for arm: the image is asked for by name alone, the answer's first is
# taken, and its id is sent, which is the x86 one. Nothing is said here; it is the API that has to refuse. The name itself, which the API resolves by the type's architecture, would have been right.
# Guess before: a client that knows arm types (it asks for them, and shows their architecture in `server-type list`) looks the image up for that architecture, or sends the name.
# Seen on 2026-11-30 with a listener that answers as the API does: GET /images?name=debian-12 without architecture, then POST /servers with "image":1, the x86 one.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
apt-get -qq -o APT::Sandbox::User=root download hcloud-cli=1.30.3-1+b5
dpkg -x hcloud-cli_*.deb .
python3 - <<'END' &
import http.server, json, os

IMAGES = [{"id": number, "name": "debian-12", "type": "system", "status": "available", "architecture": architecture, "description": "Debian 12", "os_flavor": "debian", "disk_size": 5,
           "created": "2026-01-01T00:00:00+00:00", "labels": {}} for number, architecture in ((1, "x86"), (2, "arm"))]

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with open("asked", "a", encoding="utf-8") as file:
            file.write(self.path + "\n")
        kind = self.path.split("?")[0].rsplit("/", 1)[1]
        self.answer(200, {kind: IMAGES if kind == "images" else []})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open("posted", "wb") as file:
            file.write(body)
        self.answer(422, {"error": {"code": "invalid_input", "message": "image is for another architecture", "details": None}})

    def log_message(self, *_):
        pass

server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
with open("port.new", "w", encoding="utf-8") as file:
    file.write(str(server.server_address[1]))
os.rename("port.new", "port")
server.serve_forever()
END
server=$!
until [ -e port ]; do sleep 0.1; done
code=0
HCLOUD_ENDPOINT=http://127.0.0.1:$(cat port)/v1 HCLOUD_TOKEN=none usr/bin/hcloud server create --name a --type cax11 --image debian-12 >said 2>&1 || code=$?
grep /images asked
python3 -c 'import json; body = json.load(open("posted")); print(body["server_type"], body["image"]); assert (body["server_type"], body["image"]) == ("cax11", 1)'
[ "$code" = 1 ] && grep -q '/images?name=debian-12$' asked
