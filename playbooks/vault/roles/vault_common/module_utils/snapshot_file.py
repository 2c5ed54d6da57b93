# SPDX-License-Identifier: MIT
"""What a Raft snapshot is: its own sums, its Raft index; and what the store of snapshots says where it fails.

Part of snapshot_store.py. Python 3.9 and newer.
"""
from __future__ import annotations

import datetime
import gzip
import hashlib
import json
import tarfile
import zlib

# Bytes that a store reads of an object that is no snapshot.
READ_MOST = 1 << 16


class StoreError(Exception):
    """The store could not be asked, or did not do what it was asked."""


class DamagedError(Exception):
    """A file that is no snapshot, or no longer the one that was made."""


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')


def age(at):
    """Seconds since a moment as now() writes it; -1 where it is none."""
    try:
        then = datetime.datetime.strptime(str(at), '%Y-%m-%dT%H:%M:%SZ').replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return -1
    return max(0, int((datetime.datetime.now(datetime.timezone.utc) - then).total_seconds()))


def digest(path):
    """(SHA-256, size) of a file."""
    sha, size = hashlib.sha256(), 0
    with open(path, 'rb') as stream:
        for block in iter(lambda: stream.read(1 << 20), b''):
            sha.update(block)
            size += len(block)
    return sha.hexdigest(), size


def check_snapshot(path):
    """What a snapshot says of itself, once all in it has the sums that it carries: {'index', 'term', 'sha256', 'size'}."""
    sums, found, meta = {}, {}, {}
    try:
        with gzip.open(path) as whole, tarfile.open(fileobj=whole, mode='r|') as archive:
            for member in archive:
                stream = archive.extractfile(member)
                if stream is None:
                    continue
                if member.name == 'SHA256SUMS':
                    for line in stream.read(1 << 16).decode('ascii').splitlines():
                        value, _space, name = line.partition('  ')
                        sums[name.strip()] = value
                    continue
                sha, head = hashlib.sha256(), b''
                for block in iter(lambda: stream.read(1 << 20), b''):
                    sha.update(block)
                    head = head or block
                found[member.name] = sha.hexdigest()
                if member.name == 'meta.json':
                    meta = json.loads(head)
            # To its end, where its own checksum stands.
            while whole.read(1 << 20):
                pass
        wanted = {'meta.json', 'state.bin'}
        if not wanted <= set(sums):
            raise DamagedError('%s is no snapshot: it carries no sums of %s' % (path, ' and '.join(sorted(wanted - set(sums)))))
        for name, value in sums.items():
            if found.get(name) != value:
                raise DamagedError('%s does not match the checksums that it carries (%s)' % (path, name))
        sha256, size = digest(path)
        return {'index': int(meta['Index']), 'term': int(meta['Term']), 'sha256': sha256, 'size': size}
    except (tarfile.TarError, zlib.error, EOFError, ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise DamagedError('%s is no whole snapshot: %s' % (path, error)) from error
    except OSError as error:
        # gzip says so of a bad header.
        if error.errno is None:
            raise DamagedError('%s is no whole snapshot: %s' % (path, error)) from error
        raise StoreError('cannot read the snapshot %s: %s' % (path, error)) from error
