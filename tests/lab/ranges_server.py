#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Lists of networks as a CDN publishes them, and what else may come in their place, served on a free port of 127.0.0.1, and what the module
node_published_ranges makes of each: ranges_server.py PATH_OF_THE_MODULE prints a line a case, "late" where it took longer than it may."""
import http.server
import importlib.machinery
import socketserver
import sys
import threading
import time

V4 = '173.245.48.0/20\n103.21.244.0/22\n103.22.200.0/22\n103.31.4.0/22\n104.16.0.0/13\n131.0.72.0/22'
V6 = '2400:cb00::/32\n2606:4700::/32\n2803:f800::/32\n2a06:98c0::/29\n'
BOUND = 1
CASES = {
    'well': V4,
    'well-crlf': V4.replace('\n', '\r\n'),
    'page': '<html><body>Just a moment...</body></html>',
    'empty': '',
    'few': '\n'.join(V4.split('\n')[:3]),
    'all': V4 + '\n0.0.0.0/0',
    'wide': V4 + '\n104.0.0.0/8',
    'narrow': V4 + '\n104.16.0.1/32',
    'private': V4 + '\n10.0.0.0/16',
    'bits': V4 + '\n104.16.0.1/13',
    'other-family': V6,
    'name': V4 + '\nevil.example/20',
    'rule': V4 + '\n1.1.1.0/24, 0.0.0.0/0 } accept #',
    'much': '\n'.join('%d.%d.0.0/11' % (a, b) for a in (20, 21, 23) for b in (0, 32, 64, 96, 128, 160, 192, 224)),
    'many': '\n'.join('104.16.%d.0/24' % i for i in range(250)),
    'binary': b'\x00\xff\xfe' * 100,
    'long': V4 + '\n' * 70000,
}
SPECIAL = ['refused', 'error', 'hang', 'drip', 'drip-head', 'none']


class Lists(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        case = self.path.strip('/')
        if case == 'hang':
            ended.wait()
        elif case == 'error':
            self.send_error(503)
        elif case == 'drip-head':
            self.wfile.write(b'HTTP/1.0 200 OK\r\n')
            while not ended.wait(0.3):
                self.wfile.write(b'X-More: more\r\n')
        else:
            body = V6 if case == 'v6' else CASES.get(case, V4)
            body = body if isinstance(body, bytes) else body.encode()
            self.send_response(200)
            self.end_headers()
            for at in range(0, len(body), 1 if case == 'drip' else len(body) or 1):
                self.wfile.write(body[at:at + 1] if case == 'drip' else body)
                if case == 'drip' and ended.wait(0.3):
                    break

    def log_message(self, *words):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


def main():
    module = importlib.machinery.SourceFileLoader('ranges', sys.argv[1]).load_module()
    server = Server(('127.0.0.1', 0), Lists)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = 'http://127.0.0.1:%d/' % server.server_address[1]
    urls = {case: base + case for case in [*CASES, *SPECIAL]}
    urls.update({'refused': 'http://127.0.0.1:9/', 'none': ''})
    for case, url in urls.items():
        began = time.monotonic()
        seen = module.chosen([url, base + 'v6'], BOUND)
        late = ' late' if time.monotonic() - began > BOUND + 1 else ''
        print('%s: %s %d%s: %s' % (case, 'published' if seen['published'] else 'built in', len(seen['networks']), late,
                                   seen['reason'].replace(url or base, 'URL')))
    ended.set()


ended = threading.Event()
main()
