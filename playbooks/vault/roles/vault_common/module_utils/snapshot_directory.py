# SPDX-License-Identifier: MIT
"""The store of snapshots in a directory. Part of snapshot_store.py, which says what a store is asked. Python 3.9 and newer."""
from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
import time

try:
    from ansible.module_utils.snapshot_file import READ_MOST, StoreError
except ImportError:
    from snapshot_file import READ_MOST, StoreError


class Directory:
    """Objects are files, 0600; a tag is what a rename changes."""
    kind = 'directory'

    def __init__(self, path):
        self.path, self.held = path, False

    def where(self, key=''):
        return os.path.join(self.path, key) if key else self.path

    @contextlib.contextmanager
    def asking(self, what, key):
        try:
            yield
        except OSError as error:
            raise StoreError('cannot %s %s: %s; see who owns it and whether its disk is there' % (
                what, self.where(key), error.strerror or error)) from error

    @staticmethod
    def tag_of(status):
        return '%d-%d-%d' % (status.st_ino, status.st_mtime_ns, status.st_size)

    def names(self, prefix):
        """Folders below a prefix."""
        with self.asking('list', prefix):
            try:
                return sorted(entry.name for entry in os.scandir(self.where(prefix)) if entry.is_dir())
            except FileNotFoundError:
                return []

    def listing(self, folder):
        """{name: (tag, size)} of the objects in a folder; {} where there is none."""
        with self.asking('list', folder):
            try:
                names = [name for name in os.listdir(self.where(folder)) if not name.startswith('.')]
            except FileNotFoundError:
                return {}
            found = {}
            for name in names:
                status = os.lstat(self.where(folder + name))
                if stat.S_ISREG(status.st_mode):
                    found[name] = (self.tag_of(status), status.st_size)
            return found

    def read(self, key):
        """(bytes, tag), (None, None) where it is not there."""
        with self.asking('read', key):
            try:
                handle = os.open(self.where(key), os.O_RDONLY | os.O_NOFOLLOW)
            except FileNotFoundError:
                return None, None
            with os.fdopen(handle, 'rb') as stream:
                return stream.read(READ_MOST), self.tag_of(os.fstat(stream.fileno()))

    def fetch(self, key, path):
        """Whether it was there; it is in the file `path` then."""
        with self.asking('read', key):
            try:
                handle = os.open(self.where(key), os.O_RDONLY | os.O_NOFOLLOW)
            except FileNotFoundError:
                return False
            with os.fdopen(handle, 'rb') as stream, open(path, 'wb') as out:
                shutil.copyfileobj(stream, out, 1 << 20)
            return True

    def make_folders(self, key):
        folder = self.path
        for part in [''] + os.path.dirname(key).split('/'):
            folder = os.path.join(folder, part) if part else folder
            try:
                os.mkdir(folder, 0o700)
            except FileExistsError:
                pass

    @contextlib.contextmanager
    def alone(self):
        """No other writer, from the first look to the last."""
        with self.asking('write', ''):
            self.make_folders('')
            with self.locked():
                self.held = True
                try:
                    yield
                finally:
                    self.held = False

    @contextlib.contextmanager
    def locked(self):
        if self.held:
            yield
            return
        handle = os.open(self.where('.lock'), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            until = time.monotonic() + 60
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if time.monotonic() > until:
                        raise OSError(errno.EBUSY, 'another writer holds %s for more than a minute' % self.where('.lock')) from error
                    time.sleep(0.02)
            yield
        finally:
            os.close(handle)

    def write_if(self, key, source, tag):
        """The new tag; None where the object is not as the tag says (None: must not be there)."""
        with self.asking('write', key):
            self.make_folders(key)
            with self.locked():
                path = self.where(key)
                try:
                    status = os.lstat(path)
                    here = self.tag_of(status)
                except FileNotFoundError:
                    here = None
                if here != tag:
                    return None
                folder, name = os.path.split(path)
                beside = os.path.join(folder, '.%s.new' % name)
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(beside)
                try:
                    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
                    with os.fdopen(handle, 'wb') as out, open(source, 'rb') as stream:
                        shutil.copyfileobj(stream, out, 1 << 20)
                        out.flush()
                        os.fsync(out.fileno())
                        status = os.fstat(out.fileno())
                    os.rename(beside, path)
                except BaseException:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(beside)
                    raise
                above = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    os.fsync(above)
                finally:
                    os.close(above)
                return self.tag_of(status)

    def probe(self, _prefix):
        return True
