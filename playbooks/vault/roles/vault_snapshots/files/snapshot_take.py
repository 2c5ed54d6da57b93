#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Takes one snapshot of the server, checks it, keeps it here and in the store: snapshot_take.py SETTINGS, started by its unit.

What came of it stands in the unit's status, in status.json and, for a person, in status. Python 3.9 and newer.
"""
from __future__ import annotations

import contextlib
import glob
import json
import os
import socket
import sys
import tempfile

import openbao_api
import snapshot_file
import snapshot_store


class TakeError(Exception):
    """No snapshot was taken."""


def credential(name):
    """What the unit was handed; '' where it is not."""
    try:
        with open(os.path.join(os.environ['CREDENTIALS_DIRECTORY'], name), encoding='utf-8') as stream:
            return stream.read()
    except (KeyError, FileNotFoundError):
        return ''


def read_json(path):
    try:
        with open(path, encoding='utf-8') as stream:
            value = json.load(stream)
        return value if isinstance(value, dict) else {}
    except (OSError, ValueError):
        return {}


def write(path, text):
    with open(path + '.new', 'w', encoding='utf-8') as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    os.rename(path + '.new', path)


def tell_manager(text):
    """The line in `systemctl status`."""
    where = os.environ.get('NOTIFY_SOCKET')
    if where:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.connect('\0' + where[1:] if where[0] == '@' else where)
            way.send(('STATUS=' + text).encode('utf-8'))


def raft_index(api):
    """What the server has applied: asked before anything else, since whatever this job writes itself raises it."""
    status, body = api.call('GET', '/v1/sys/leader')
    if status != 200:
        raise TakeError(api.refusal('GET', '/v1/sys/leader', status, body))
    if not body.get('is_self'):
        raise TakeError('%s is not the active server' % api.url)
    return int(body.get('raft_applied_index') or -1)


def renew(api, token):
    """A renewal is a write: only below half of the period."""
    status, body = api.call('GET', '/v1/auth/token/lookup-self', token)
    if status != 200:
        raise TakeError('the token for snapshots is not taken: ' + api.refusal('GET', '/v1/auth/token/lookup-self', status, body)
                        + '; run the phase finalize, it makes a new one')
    data = body.get('data') or {}
    if int(data.get('ttl') or 0) < int(data.get('period') or 0) / 2:
        status, body = api.call('PUT', '/v1/auth/token/renew-self', token)
        if status not in (200, 204):
            raise TakeError(api.refusal('PUT', '/v1/auth/token/renew-self', status, body))
        return True
    return False


def keep_here(settings, lineage, fresh, part, before, at):
    """The newest ones stay on the host. (file, whether it is a new one)."""
    pointer = os.path.join(settings['directory'], 'latest.json')
    latest = read_json(pointer)
    old = os.path.join(settings['directory'], os.path.basename(str(latest.get('file', ''))))
    if latest.get('lineage') == lineage and latest.get('index') in (before, fresh['index']) and latest.get('file'):
        with contextlib.suppress(OSError):
            if snapshot_file.digest(old) == (latest.get('sha256'), latest.get('size')):
                return old, False
    name = 'openbao-%s.snap' % at.replace('-', '').replace(':', '')
    path = os.path.join(settings['directory'], name)
    with open(part, 'rb') as stream:
        os.fsync(stream.fileno())
    os.rename(part, path)
    write(pointer, json.dumps(dict(fresh, file=name, lineage=lineage, at=at), sort_keys=True) + '\n')
    # Names sort by time.
    for old in sorted(glob.glob(os.path.join(settings['directory'], 'openbao-*.snap')))[:-max(1, int(settings['keep']))]:
        os.unlink(old)
    return path, True


def take(settings):
    """(line for a person, facts)."""
    token, receipt = credential('token').strip(), json.loads(credential('receipt') or '{}')
    lineage = str(receipt.get('lineage', ''))
    if not token or not snapshot_store.LINEAGE.match(lineage):
        raise TakeError('there is no token, or no receipt with a lineage: this is started by its unit, after the phase finalize')
    api = openbao_api.Api(settings['url'], settings['ca'])
    before = raft_index(api)
    renewed = renew(api, token)
    with tempfile.TemporaryDirectory(prefix='.part.', dir=settings['directory']) as folder:
        part = os.path.join(folder, 'snapshot')
        with open(part, 'wb') as out:
            status, body = api.call('GET', '/v1/sys/storage/raft/snapshot', token, timeout=600, to=out)
        if status != 200:
            raise TakeError(api.refusal('GET', '/v1/sys/storage/raft/snapshot', status, body))
        fresh, at = snapshot_file.check_snapshot(part), snapshot_file.now()
        path, new = keep_here(settings, lineage, fresh, part, before, at)
    facts = {'lineage': lineage, 'index': fresh['index'], 'size': fresh['size'], 'file': os.path.basename(path), 'new': new, 'renewed': renewed,
             'store': settings['store']['kind']}
    line = 'lineage %.16s, Raft index %d, %s %s' % (lineage, fresh['index'], 'kept as' if new else 'nothing new since', os.path.basename(path))
    if settings['store']['kind'] == 'directory':
        return line + '; the next run of the phase finalize brings it to the execution host', facts
    store = snapshot_store.open_store(dict(settings['store'], **json.loads(credential('store') or '{}')))
    kept = store.keep(lineage, path, at, before)
    facts.update(result=kept['result'], sequence=kept['latest']['sequence'], slot=kept['latest']['slot'], conditional=kept['conditional'])
    return '%s; %s' % (line, kept['evidence']), facts


def main():
    os.umask(0o077)
    with open(sys.argv[1], encoding='utf-8') as stream:
        settings = json.load(stream)
    path = os.path.join(settings['directory'], 'status.json')
    last = read_json(path)
    try:
        line, facts = take(settings)
        status = dict(facts, at=snapshot_file.now(), ok=True, text=line, last_ok=snapshot_file.now(), last_error=last.get('last_error', ''))
        words = '%s ok: %s' % (status['at'], line)
    except (TakeError, snapshot_file.StoreError, snapshot_file.DamagedError, OSError, ValueError) as error:
        status = dict(last, at=snapshot_file.now(), ok=False, text=str(error), last_error='%s %s' % (snapshot_file.now(), error))
        words = '%s FAILED: %s; the last good one: %s' % (status['at'], error, last.get('last_ok') or 'none yet')
    tell_manager(words)
    print(words, file=sys.stdout if status['ok'] else sys.stderr)
    write(path, json.dumps(status, sort_keys=True, indent=1) + '\n')
    write(os.path.join(settings['directory'], 'status'), words + '\n')
    return 0 if status['ok'] else 1


if __name__ == '__main__':
    sys.exit(main())
