# SPDX-License-Identifier: MIT
"""What Ansible makes of a module, its payload, is made once for all phases and runs, instead of once in each ansible-playbook.

A payload is the module's source and that of every module_utils which it imports, in an archive. Ansible keeps it in a folder that goes with
the process, under the module's name alone. Here it is also put into a folder of triphase's, under a digest of all that it is made of: the
module's source and place, Ansible's own module_utils and what builds it, the way it is packed, the module_utils of roles and of the user
that the module may see, and the boot (what a power cut leaves half written is not looked at again). Before Ansible would make one, that
which fits is put into its folder by a link; it decides everything else as always.

What is made stays out where it is not certain what it is made of: modules of collections (they may import from any other), modules that
see a module_utils in the place of one of Ansible's, payloads with a debugger. Whatever fails here costs the time that it would have saved.
"""
import base64
import hashlib
import inspect
import io
import os
import shutil
import stat
import tempfile
import time
import zipfile

UNUSED_MOST = 30 * 86400  # seconds after which nobody asks for a payload any more
UTILS = 'ansible/module_utils/'
WANTED = ('b_module_data', 'module_path', 'module_compression')


def state_of(folder):
    """Each file below it, by what changes when it does."""
    found = []
    for at, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if not name.endswith('.pyc'):
                path = os.path.join(at, name)
                seen = os.stat(path)
                found.append((path, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino))
    return found


def tops(folder):
    """The names that a module_utils folder brings."""
    return {name.split('.')[0] for name in os.listdir(folder)} - {'__init__', '__pycache__'}


def is_ours(folder):
    """Payloads run here and on hosts: they are taken from the folder of nobody who could not change this very file."""
    found = os.stat(folder)
    return found.st_uid in (0, os.geteuid(), os.stat(__file__).st_uid) and stat.S_IMODE(found.st_mode) & 0o022 == 0


def give(path, owner):
    """Behind sudo what is made in a user's folder is the user's."""
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid)


class Payloads:
    """The folder, and what all of its payloads in this process have in common."""

    def __init__(self, folder, module_common, constants, loader):
        self.folder, self.module_common, self.constants, self.loader = folder, module_common, constants, loader
        self.home = os.path.realpath(os.path.join(os.path.dirname(module_common.__file__), '..'))
        self.utils = os.path.join(self.home, 'module_utils')
        self.names = tops(self.utils)
        with open('/proc/sys/kernel/random/boot_id', encoding='ascii') as boot:
            parts = [boot.read(), module_common.__version__]
        for below in ('module_utils', 'executor', '_internal', 'config'):
            parts += state_of(os.path.join(self.home, below))
        self.common = repr(parts)

    def cache(self):
        return os.path.join(self.constants.DEFAULT_LOCAL_TMP, 'ansiballz_cache')

    def seen_by(self, path):
        """The folders of module_utils that are not Ansible's, None where the payload is not to be shared."""
        if '/ansible_collections/' in path:
            return None
        others = [folder for folder in self.loader._get_paths(subdirs=False)
                  if os.path.isdir(folder) and os.path.realpath(folder) != self.utils]
        return None if any(tops(folder) & self.names for folder in others) else others

    def place(self, source, path, packing):
        path = os.path.realpath(path)
        others = self.seen_by(path)
        if others is None:
            return None
        parts = [self.common, path, packing, hashlib.sha256(source).hexdigest()]
        if not path.startswith(os.path.join(self.home, 'modules', '')):
            parts += [state_of(folder) for folder in others]  # Ansible's own see none of them
        return Place(self, hashlib.sha256(repr(parts).encode('utf-8', 'surrogateescape')).hexdigest(), source, others)


class Place:
    """Of one payload. `others`: as seen_by has them."""

    def __init__(self, payloads, digest, source, others):
        self.payloads, self.source, self.others = payloads, source, others
        self.path = os.path.join(payloads.folder, digest)
        self.before = set()

    def fetch(self):
        """Whether there is one; Ansible finds it then."""
        cache = self.payloads.cache()
        os.makedirs(cache, exist_ok=True)
        try:
            names = os.listdir(self.path)
        except FileNotFoundError:
            self.before = set(os.listdir(cache))
            return False
        for name in names:
            if not os.path.lexists(os.path.join(cache, name)):
                os.symlink(os.path.join(self.path, name), os.path.join(cache, name))
                os.utime(self.path)
        return True

    def holds(self, path):
        """Whether it is the payload of this source, and of the module_utils that it sees now: another module of the name may have been before it."""
        load = getattr(self.payloads.module_common, '_CachedModule', None)
        if load:
            data = load.load(path).zip_data
        else:
            with open(path, 'rb') as payload:
                data = payload.read()
        found = False
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(data))) as archive:
            for name in archive.namelist():
                content = archive.read(name)
                found = found or content == self.source
                if name.startswith('ansible_collections/'):
                    return False
                if name.startswith(UTILS) and name != UTILS + '__init__.py' and not self.is_seen(name[len(UTILS):], content):
                    return False  # that __init__.py is Ansible's word, not a file's
        return found

    def is_seen(self, below, content):
        for folder in self.others + [self.payloads.utils]:
            path = os.path.join(folder, below)
            if os.path.isfile(path):
                with open(path, 'rb') as there:
                    return there.read() == content
        return not content  # a package that has none

    def publish(self):
        cache = self.payloads.cache()
        plain = '-none' if hasattr(self.payloads.module_common, '_CachedModule') else ''
        for name in set(os.listdir(cache)) - self.before:
            path = os.path.join(cache, name)
            if name.endswith(('.lock', '-part')) or not name.endswith(plain) or os.path.islink(path) or not self.holds(path):
                continue
            made = tempfile.mkdtemp(dir=self.payloads.folder)
            try:
                shutil.copyfile(path, os.path.join(made, name))
                owner = os.stat(self.payloads.folder)
                give(os.path.join(made, name), owner)
                give(made, owner)
                os.rename(made, self.path)
            except OSError:  # no room, or another was first
                shutil.rmtree(made, ignore_errors=True)
            tidy(self.payloads.folder)
            return


def tidy(folder):
    oldest = time.time() - UNUSED_MOST
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if os.stat(path).st_mtime < oldest:
            shutil.rmtree(path, ignore_errors=True)


def share(folder):
    """From here on Ansible in this process finds and leaves payloads there. Raises where its insides are others."""
    from ansible import constants
    from ansible.executor import module_common
    from ansible.plugins.loader import module_utils_loader
    build = module_common._find_module_utils
    signature = inspect.signature(build)
    if not set(WANTED) <= set(signature.parameters) or not is_ours(folder):
        return
    payloads = Payloads(os.path.realpath(folder), module_common, constants, module_utils_loader)

    def shared(*args, **kwargs):
        place = None
        try:
            given = signature.bind(*args, **kwargs).arguments
            place = payloads.place(*(given[name] for name in WANTED))
            if place and place.fetch():
                place = None
        except Exception:
            place = None
        built = build(*args, **kwargs)
        if place:
            try:
                place.publish()
            except Exception:
                pass
        return built

    module_common._find_module_utils = shared
