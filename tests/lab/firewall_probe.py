#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Connections from outside through a firewall, counted.

serve PORT...    on the host: echoes on these ports, TCP and UDP, IPv4 and IPv6, and answers 200 to a GET; says "serving" once it does
ask FLOW...      one try of each, a line each: the flow and "open", "refused" or "silent"
stream FLOW...   until stdin ends: each flow again and again, then a line of JSON

A flow is WHAT,PROTOCOL,SOURCE,DESTINATION,PORT. WHAT counts for stream alone: of "open" each try has to be answered, and over TCP without
a segment sent twice, since that is how a dropped one looks; of "shut" none may be; "hold" is one TCP connection, kept from before the first
word, and told is whether it is answered in the end.
"""
import json
import selectors
import socket
import struct
import sys
import threading
import time

ANSWER_BOUND, SHUT_BOUND, ASK_BOUND = 5, 0.1, 0.8
PAUSE = 0.002  # the host has to have time for what else it does
TOTAL_RETRANS = 100  # its place in struct tcp_info


def serve(ports):
    ready = selectors.DefaultSelector()
    for family in (socket.AF_INET, socket.AF_INET6):
        for port in ports:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                one = socket.socket(family, kind)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                one.bind(('', port))
                if kind == socket.SOCK_STREAM:
                    one.listen(512)
                one.setblocking(False)
                ready.register(one, selectors.EVENT_READ, 'listens' if kind == socket.SOCK_STREAM else 'udp')
    print('serving', flush=True)
    while True:
        for key, _ in ready.select():
            one = key.fileobj
            try:
                if key.data == 'listens':
                    peer, _ = one.accept()
                    peer.setblocking(False)
                    ready.register(peer, selectors.EVENT_READ, 'tcp')
                elif key.data == 'udp':
                    said, sender = one.recvfrom(2048)
                    one.sendto(said, sender)
                else:
                    said = one.recv(2048)
                    if said:
                        one.send(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok' if said.startswith(b'GET ') else said)
                    else:
                        ready.unregister(one)
                        one.close()
            except OSError:
                if key.data == 'tcp':
                    ready.unregister(one)
                    one.close()


class Flow:
    def __init__(self, text):
        self.text = text
        self.what, self.protocol, self.source, self.destination, port = text.split(',')
        self.port, self.tries, self.good, self.bad, self.alive = int(port), 0, 0, 0, None
        self.held = None
        self.lacks = []  # how it was not answered, from when to when

    def socket(self, bound):
        family = socket.AF_INET6 if ':' in self.source else socket.AF_INET
        one = socket.socket(family, socket.SOCK_STREAM if self.protocol == 'tcp' else socket.SOCK_DGRAM)
        one.settimeout(bound)
        one.bind((self.source, 0))
        one.connect((self.destination, self.port))
        return one

    def answered(self, one):
        one.send(b'ask')
        return one.recv(2048) != b''

    def attempt(self, bound):
        """open, refused, silent, or slow: answered, though a segment had to be sent twice."""
        self.tries += 1
        try:
            with self.socket(bound) as one:
                if not self.answered(one):
                    return 'refused'
                if self.protocol == 'tcp' and struct.unpack_from('I', one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), TOTAL_RETRANS)[0]:
                    return 'slow'
                return 'open'
        except socket.timeout:
            return 'silent'
        except ConnectionError:
            return 'refused'

    def flood(self, ended):
        """Datagrams that wait for nothing: what comes back came through a gap, however short."""
        with self.socket(0) as one:
            until = None
            while until is None or time.monotonic() < until:
                if ended.is_set() and until is None:
                    until = time.monotonic() + 0.3
                try:
                    if until is None:
                        one.send(b'ask')
                        self.tries += 1
                    while one.recv(2048):
                        self.good += 1
                except OSError:
                    time.sleep(PAUSE)

    def run(self, ended):
        if self.what == 'hold':
            ended.wait()
            self.held.settimeout(2)
            try:
                self.alive = self.answered(self.held)
            except OSError:
                self.alive = False
        elif self.what == 'shut' and self.protocol == 'udp':
            self.flood(ended)
        else:
            while not ended.is_set():
                begun = time.time()
                seen = self.attempt(ANSWER_BOUND if self.what == 'open' else SHUT_BOUND)
                self.good += seen == 'open'
                self.bad += seen != 'open'
                if self.what == 'open' and seen != 'open':
                    self.lacks.append([seen, round(begun, 3), round(time.time(), 3)])
                time.sleep(PAUSE)


def ask(flows):
    def one(flow):
        flow.seen = flow.attempt(ASK_BOUND)
    threads = [threading.Thread(target=one, args=(flow,)) for flow in flows]
    for thread in threads:
        thread.start()
    for flow, thread in zip(flows, threads):
        thread.join()
        print(flow.text.split(',', 1)[1], flow.seen)


def stream(flows):
    ended = threading.Event()
    for flow in flows:
        if flow.what == 'hold':
            flow.held = flow.socket(ANSWER_BOUND)
            flow.answered(flow.held)
    threads = [threading.Thread(target=flow.run, args=(ended,)) for flow in flows]
    for thread in threads:
        thread.start()
    print('streaming', flush=True)
    sys.stdin.read()
    ended.set()
    for thread in threads:
        thread.join()
    print(json.dumps([{'flow': flow.text, 'what': flow.what, 'tries': flow.tries, 'good': flow.good, 'bad': flow.bad, 'alive': flow.alive, 'lacks': flow.lacks}
                      for flow in flows]))


if __name__ == '__main__':
    words = sys.argv[2:]
    if sys.argv[1] == 'serve':
        serve([int(word) for word in words])
    else:
        {'ask': ask, 'stream': stream}[sys.argv[1]]([Flow(word) for word in words])
