#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A control plane that hears heartbeats: heartbeat_receiver.py ADDRESS PORT LOG

Each connection and each heartbeat is a line of JSON in LOG. Words on stdin, a line each, say what is answered from then on: "200", "500", "302",
"hang" (the connection is taken and never answered), "gone" (nobody listens), "back". Says "ready" after each, and at the begin.
"""
import http.server
import json
import socketserver
import sys
import threading
import time

answer = ['200']
held = threading.Event()


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def setup(self):
        super().setup()
        self.server.tell({'what': 'connection', 'peer': '%s:%d' % self.client_address[:2]})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length', 0))).decode()
        self.server.tell({'what': 'heartbeat', 'answer': answer[0], 'path': self.path, 'authorization': self.headers.get('Authorization'),
                          'type': self.headers.get('Content-Type'), 'body': json.loads(body), 'peer': '%s:%d' % self.client_address[:2]})
        if answer[0] == 'hang':
            held.wait()
            return
        self.send_response(int(answer[0]))
        self.send_header('Content-Length', '0')
        if answer[0] == '302':
            self.send_header('Location', '/elsewhere')
        self.end_headers()

    def log_message(self, *words):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def tell(self, what):
        with lock:
            log.write(json.dumps({'at': time.time(), **what}) + '\n')
            log.flush()

    def handle_error(self, request, client_address):
        pass


lock = threading.Lock()
log = open(sys.argv[3], 'a', encoding='utf-8')
server = None


def listen():
    global server
    server = Server((sys.argv[1], int(sys.argv[2])), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()


listen()
print('ready', flush=True)
for line in sys.stdin:
    word = line.strip()
    if word == 'gone':
        server.shutdown()
        server.server_close()
    elif word == 'back':
        listen()
    else:
        answer[0] = word
    print('ready', flush=True)
held.set()
