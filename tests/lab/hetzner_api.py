#!/usr/bin/python3
"""A fake of the Hetzner Cloud API as it is in autumn 2026, on loopback, for clients that take another endpoint. Real
clients are held against it by tests/system/hetzner_gate.c.

  tests/lab/hetzner_api.py [--port N] [--token T] ...          --help has all

By hand:
  tests/lab/hetzner_api.py --port 8080 --token secret &
  HCLOUD_ENDPOINT=http://127.0.0.1:8080/v1 HCLOUD_TOKEN=secret hcloud server create --name a --type cx23 --image debian-12

Its first line on stdout is `listening http://127.0.0.1:PORT/v1`. It knows one project: servers, ssh_keys, firewalls,
networks, placement_groups, with labels, selectors, pages, protection, actions that take --delay seconds each; and what
is offered: locations, server_types, images. A server that is asked for without a key gets the root password that
tests/lab/hetzner/catalogue.py names. Addresses lead nowhere, unless --ipv4 gives one for all, or, as root,
  --guests build/lab/hetzner_guests --tree "$(setup/cloud-tree.sh)"
boots a sandbox of that tree behind each server: Debian's own cloud-init finds the server's user_data and keys in a NoCloud
seed, so that its root can be logged in to at the server's address. It goes with the server, and all of them with the fake.
A server runs when its sandbox was started; that it answers comes later, as at the cloud. Firewalls, poweroff and reboot
change what the API says, not the host.

Control, without a token, on the same port:
  GET    /control/state              all that is there, with each server's user_data and, of a guest, the path of its
                                     console; actions; faults, how often played
  GET    /control/requests           each request below /v1: number, at, method, path, status, fault, body. Never a token
  DELETE /control/requests           forgets them
  PUT    /control/faults             a list of faults instead of those that are there; POST adds, DELETE forgets. What
                                     they are: tests/lab/hetzner/faults.py; --faults gives them at the start
  PUT    /control/settings           {"delay": seconds of an action, "unavailable": [["cx23", "fsn1"], …],
                                     "most_servers": N, "ipv4": ADDRESS, "ahead": seconds of its clock before ours}
  POST   /control/preload            {"servers": 200, "labels": {…}, "name": …}: servers that run already
  DELETE /control/servers/NAME       gone, behind one's back
"""

import argparse
import json
import os
import signal
import sys
import threading

sys.dont_write_bytecode = True
from hetzner import cloud, guests, servers, wire  # noqa: E402 # after that line


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="a free one where none is given")
    parser.add_argument("--address", default="127.0.0.1", help="where it listens")
    parser.add_argument("--token", action="append", help="one that may do all ('fake-token'); may be repeated")
    parser.add_argument("--token-file", help="one more, from a file: where no argument may show it")
    parser.add_argument("--readonly-token", action="append", default=[], help="one that may only look")
    parser.add_argument("--delay", type=float, default=0.05, help="seconds that an action takes")
    parser.add_argument("--ipv4", help="the address of every server")
    parser.add_argument("--guests", metavar="PROGRAM", help="build/lab/hetzner_guests: a real host behind each server")
    parser.add_argument("--tree", help="the root tree of each")
    parser.add_argument("--limit", type=int, default=3600, help="requests an hour")
    parser.add_argument("--most-servers", type=int, default=1000)
    parser.add_argument("--preload", type=int, default=0, metavar="N", help="so many servers that run already")
    parser.add_argument("--preload-label", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--faults", default="[]", metavar="JSON", help="a list of faults")
    parser.add_argument("--with-stdin", action="store_true", help="ends when stdin does")
    options = parser.parse_args()

    settings = {"delay": options.delay, "unavailable": [], "most_servers": options.most_servers, "ipv4": options.ipv4, "ahead": 0}
    hosts = guests.Guests(options.guests, options.tree) if options.guests else None
    project = cloud.Cloud(settings, hosts)
    servers.preload(project, options.preload, dict(label.split("=", 1) for label in options.preload_label))
    tokens = set(options.token or ["fake-token"])
    if options.token_file:
        with open(options.token_file, encoding="utf-8") as file:
            tokens.add(file.read().strip())
    fake = wire.Fake(project, tokens, set(options.readonly_token), options.limit)
    fake.faults.add(json.loads(options.faults))
    server = wire.listen(fake, options.address, options.port)

    def end(*_):
        fake.ending.set()
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    if options.with_stdin:

        def until_closed():
            while os.read(0, 4096):
                pass
            end()

        threading.Thread(target=until_closed, daemon=True).start()
    endpoint = f"http://{options.address}:{server.server_address[1]}/v1"
    print(f"listening {endpoint}", flush=True)
    server.serve_forever(0.05)
    if hosts:
        hosts.stop()


main()
