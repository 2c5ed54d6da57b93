"""web.py ADDRESS PORT [CERTIFICATE KEY]: answers every GET with the status in /run/code, else 200. Keeps in
/run/seen how many connections and requests there were, and of the last its path and its Host."""
import http.server
import os
import socketserver
import ssl
import sys

SEEN = {"connections": 0, "requests": 0}


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def get_request(self):
        SEEN["connections"] += 1
        return super().get_request()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        SEEN["requests"] += 1
        status = 200
        if os.path.exists("/run/code"):
            with open("/run/code", encoding="ascii") as file:
                status = int(file.read() or "200")
        with open("/run/seen", "w", encoding="ascii") as file:
            file.write(f"{SEEN['connections']} {SEEN['requests']} {self.path} {self.headers['Host']}\n")
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = Server((sys.argv[1], int(sys.argv[2])), Handler)
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
