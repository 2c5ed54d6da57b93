#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Brings a snapshot into a server that is empty: snapshot_restore.py SETTINGS SNAPSHOT SHA256. Python 3.9 and newer.

The server is initialised with a share that nobody ever sees, for as long as it takes to hand it the snapshot. What it is then is the
server that the snapshot was made of, sealed with the shares of that one.
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import openbao_api
import snapshot_file

BOUND = 120


class RestoreError(Exception):
    """The snapshot was not brought in."""


def until(what, holds, bound=BOUND):
    """Waits until it holds, and gives what it said."""
    end = time.monotonic() + bound
    while True:
        said = holds()
        if said:
            return said
        if time.monotonic() > end:
            raise RestoreError('the server did not %s within %d s' % (what, bound))
        time.sleep(0.05)


def ask(api, method, path, body=None, **more):
    status, reply = api.call(method, path, body=body, **more)
    if status not in (200, 204):
        raise RestoreError(api.refusal(method, path, status, reply))
    return reply


def status_of(api):
    return api.call('GET', '/v1/sys/health', timeout=10)[0]


def restore(api, snapshot, restart):
    """Into a server that was never initialised; it is sealed afterwards, and is the one that the snapshot is of. `restart` starts it anew."""
    until('answer', lambda: status_of(api) == 501)
    made = ask(api, 'PUT', '/v1/sys/init', {'secret_shares': 1, 'secret_threshold': 1})
    ask(api, 'PUT', '/v1/sys/unseal', {'key': made['keys_base64'][0]})
    until('become active', lambda: status_of(api) == 200)
    with open(snapshot, 'rb') as body:
        ask(api, 'POST', '/v1/sys/storage/raft/snapshot-force', body, token=made['root_token'], timeout=600,
            length=os.fstat(body.fileno()).st_size)
    # The reply comes first, and for a while the server goes on as the one that it was; then it is in between (500), and only what
    # comes behind that is the one that it is to be. Its shares are others, so it is sealed.
    until('begin to take the snapshot over', lambda: status_of(api) != 200)
    until('take the snapshot over', lambda: status_of(api) == 503)
    # Until it is started anew it goes on asking for as many shares as the throw-away server had (OpenBao 2.7.2).
    restart()
    until('answer as the restored one', lambda: status_of(api) == 503)


def clear(settings):
    """What an earlier restore left that was cut off. Only where its note says so, and never beside a receipt."""
    note, receipt = settings['restoring'], os.path.join(settings['state_dir'], 'receipt.json')
    if os.path.exists(receipt):
        raise RestoreError('%s is there: this host was initialised, and nothing is restored over that' % receipt)
    if os.path.exists(note):
        subprocess.run(['systemctl', 'stop', settings['unit']], check=True)
        data = os.path.join(settings['state_dir'], 'data')
        for folder, folders, files in os.walk(data, topdown=False):
            for name in files:
                os.unlink(os.path.join(folder, name))
            for name in folders:
                os.rmdir(os.path.join(folder, name))
        subprocess.run(['systemctl', 'start', settings['unit']], check=True)
        return
    with open(note + '.new', 'w', encoding='ascii') as out:
        out.write('A restore is under way. What lies in data is worth nothing until receipt.json is there.\n')
        out.flush()
        os.fsync(out.fileno())
    os.rename(note + '.new', note)
    above = os.open(os.path.dirname(note), os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(above)
    os.close(above)


def main():
    os.umask(0o077)
    with open(sys.argv[1], encoding='utf-8') as stream:
        settings = json.load(stream)
    snapshot, sha256 = sys.argv[2:4]
    try:
        found = snapshot_file.check_snapshot(snapshot)
        if found['sha256'] != sha256:
            raise RestoreError('%s has the SHA-256 %s, not %s' % (snapshot, found['sha256'], sha256))
        clear(settings)
        restore(openbao_api.Api(settings['url'], settings['ca']), snapshot,
                lambda: subprocess.run(['systemctl', 'restart', settings['unit']], check=True))
    except (RestoreError, snapshot_file.StoreError, snapshot_file.DamagedError, OSError, subprocess.CalledProcessError) as error:
        print('the snapshot was not restored: %s' % error, file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
