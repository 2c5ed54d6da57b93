#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A control plane that asks a node how it is, as clients with a pool of connections do: kept_connection.py SOURCE DESTINATION PORT KEPT

It asks several times a second over one connection, goes on asking over it where no answer comes, as one does that carries many requests at once,
and gives it up for a new one where it was silent for KEPT seconds, or broke. Says "answers N" with each answer; at the end of stdin a line of
JSON: answers, connections, the longest time without an answer and each time of more than a second without one, in seconds since the begin.
"""
import json
import select
import socket
import sys
import time

PAUSE = 0.2
source, destination, port, kept = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
begin = last = time.monotonic()
heard = begin  # of this connection
answers = connections = 0
longest, windows, way = 0.0, [], None


def connect():
    one = socket.socket()
    one.bind((source, 0))
    one.settimeout(1)
    try:
        one.connect((destination, port))
    except OSError:
        one.close()
        return None
    return one


while True:
    if way is None:
        way = connect()
        heard = time.monotonic()
        connections += way is not None
    lost = way is None
    if way is not None:
        try:
            way.send(b'how are you', socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass
        except OSError:
            lost = True
    until = time.monotonic() + PAUSE
    while not lost and time.monotonic() < until:
        ready = select.select([way, sys.stdin], [], [], max(until - time.monotonic(), 0))[0]
        if sys.stdin in ready:
            break
        if way in ready:
            try:
                lost = not way.recv(4096)
            except OSError:
                lost = True
            if not lost:
                now = time.monotonic()
                if now - last > 1 and answers:
                    windows.append([round(last - begin, 2), round(now - begin, 2)])
                longest = max(longest, now - last if answers else 0)
                last = heard = now
                answers += 1
                print('answers %d' % answers, flush=True)
    if way is not None and (lost or time.monotonic() - heard > kept):
        way.close()
        way = None
    if select.select([sys.stdin], [], [], PAUSE if lost else 0)[0]:
        break
now = time.monotonic()
if now - last > 1:
    windows.append([round(last - begin, 2), round(now - begin, 2)])
print(json.dumps({'answers': answers, 'connections': connections, 'longest': round(max(longest, now - last), 2), 'windows': windows}))
