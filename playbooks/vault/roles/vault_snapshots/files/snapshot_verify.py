#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Restores a snapshot into a scratch server and says whether it opens: snapshot_verify.py BINARY SNAPSHOT, key shares on stdin as JSON.

Its unit gives it a network, a /tmp and an end of its own, so that nobody else reaches the scratch server and nothing of it stays.
Python 3.9 and newer.
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

import openbao_api
import snapshot_file
import snapshot_restore

CONFIGURATION = '''
ui = false
disable_mlock = true
storage "raft" {
  path = "%(folder)s/data"
  node_id = "scratch"
  performance_multiplier = 1
}
listener "tcp" {
  address = "127.0.0.1:8200"
  cluster_address = "127.0.0.1:8201"
  tls_disable = true
}
api_addr = "http://127.0.0.1:8200"
cluster_addr = "http://127.0.0.1:8201"
'''


class Scratch:
    """The server, for as long as the block lasts."""

    def __init__(self, binary, folder):
        self.argv = [binary, 'server', '-config=' + os.path.join(folder, 'scratch.hcl')]
        self.server = None
        os.mkdir(os.path.join(folder, 'data'), 0o700)
        with open(os.path.join(folder, 'scratch.hcl'), 'w', encoding='ascii') as out:
            out.write(CONFIGURATION % {'folder': folder})

    def __enter__(self):
        self.server = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=sys.stderr)
        return self

    def __exit__(self, *_why):
        self.server.terminate()
        try:
            self.server.wait(20)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()

    def restart(self):
        self.__exit__()
        self.__enter__()


def look(binary, snapshot, shares, folder):
    """The Raft index of the restored server, once it opened with the shares."""
    with Scratch(binary, folder) as scratch:
        api = openbao_api.Api('http://127.0.0.1:8200', None)
        snapshot_restore.restore(api, snapshot, scratch.restart)
        for share in shares:
            snapshot_restore.ask(api, 'PUT', '/v1/sys/unseal', {'key': share})
        snapshot_restore.until('open with the shares', lambda: snapshot_restore.status_of(api) == 200)
        return int(snapshot_restore.ask(api, 'GET', '/v1/sys/leader').get('raft_applied_index') or 0)


def main():
    os.umask(0o077)
    binary, snapshot = sys.argv[1:3]
    try:
        found = snapshot_file.check_snapshot(snapshot)
        with tempfile.TemporaryDirectory(prefix='scratch-') as folder:
            applied = look(binary, snapshot, json.load(sys.stdin), folder)
        print(json.dumps({'index': found['index'], 'applied': applied, 'sha256': found['sha256'], 'size': found['size']}))
    except (snapshot_restore.RestoreError, snapshot_file.StoreError, snapshot_file.DamagedError, OSError, ValueError) as error:
        print('%s does not open: %s' % (snapshot, error), file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
