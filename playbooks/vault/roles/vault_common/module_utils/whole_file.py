# SPDX-License-Identifier: MIT
"""A small file that is seen whole or not at all, and is on the disk once it is written. The standard library alone, so that any Python 3 of a host will do."""
from __future__ import annotations

import json
import os


def bytes_of(content):
    """What a module was given as the content of a file."""
    if not isinstance(content, str):
        # Ansible 2.14 takes text that looks like a dictionary for one.
        content = json.dumps(content, indent=4, sort_keys=True) + '\n'
    return content.encode('utf-8')


def write(path, data, mode, uid, gid):
    """Beside, synced, renamed, and its directory synced. An owner or a group of -1 is this process's."""
    directory, name = os.path.split(path)
    # Always the same name: what was cut off here before is replaced, and does not pile up.
    beside = os.path.join(directory, '.%s.new' % name)
    try:
        os.unlink(beside)
    except FileNotFoundError:
        pass
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, 'wb') as stream:
            stream.write(data)
            stream.flush()
            os.fchown(handle, uid, gid)
            os.fchmod(handle, mode)
            os.fsync(handle)
        os.rename(beside, path)
    except BaseException:
        os.unlink(beside)
        raise
    above = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(above)
    finally:
        os.close(above)
