# SPDX-License-Identifier: MIT
"""The store of Raft snapshots: a directory, or a bucket of an S3-compatible service. Standard library and curl alone.

Of each lineage there are two slots and latest.json, which says what is in the one that counts. A writer fills the other slot and
then swaps latest.json, both only if they are still as it read them; so of two writers one wins, and what was cut off harms nothing.
In a bucket, where no lock keeps others out between its looks and its writes, it first puts a claim into latest.json.
What is absent and what could not be asked are never the same here: the latter is a StoreError.

The same file serves the modules of these roles and, laid down on the host, the job of the timer. Python 3.9 and newer.
"""
from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import gzip
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import tarfile
import tempfile
import time
import urllib.parse
import uuid
import xml.etree.ElementTree
import zlib

SLOTS = ('slot-a', 'slot-b')
POINTER = 'latest.json'
LINEAGE = re.compile(r'^[0-9a-f]{64}$')
NOTHING = hashlib.sha256(b'').hexdigest()
EMPTY, COHERENT, INCOHERENT = 0, 1, 2
TRIES = 8
POINTER_MOST = 1 << 16
NOT_YET = 'the first snapshot was begun and is not there yet'

# What a store is told by, as an option of a module.
STORE_OPTIONS = {
    'kind': {'type': 'str', 'required': True, 'choices': ['directory', 's3']},
    'prefix': {'type': 'str', 'default': ''},
    'directory': {'type': 'path'},
    'url': {'type': 'str'},
    'bucket': {'type': 'str'},
    'region': {'type': 'str', 'default': 'us-east-1'},
    'style': {'type': 'str', 'choices': ['path', 'virtual'], 'default': 'path'},
    'access_key': {'type': 'str', 'no_log': True},
    'secret_key': {'type': 'str', 'no_log': True},
    'ca': {'type': 'path'},
    'timeout': {'type': 'int', 'default': 600},
}


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
                return stream.read(POINTER_MOST), self.tag_of(os.fstat(stream.fileno()))

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


class Bucket:
    """A bucket of an S3-compatible service, over curl's own signing. Credentials reach curl on its stdin alone."""
    kind = 's3'

    def __init__(self, url, bucket, region, style, access_key, secret_key, ca='', timeout=600, curl='curl'):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ('http', 'https') or not parts.hostname or parts.path.strip('/') or parts.query:
            raise StoreError('%s is no root of an S3 service: give https://HOST[:PORT]' % url)
        if not re.match(r'^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$', bucket):
            raise StoreError('%s is no name of a bucket' % bucket)
        if not access_key or not secret_key:
            raise StoreError('no credentials for %s: give access key and secret key' % url)
        self.root = '%s://%s' % (parts.scheme, parts.netloc) + '/' + bucket if style == 'path' else \
            '%s://%s.%s' % (parts.scheme, bucket, parts.netloc)
        self.bucket, self.region, self.ca, self.timeout, self.curl = bucket, region, ca, timeout, curl
        self.credentials = '%s:%s' % (access_key, secret_key)

    def where(self, key=''):
        return '%s/%s' % (self.root, key)

    @staticmethod
    def quoted(value):
        if '\n' in value or '\r' in value or '\0' in value:
            raise StoreError('a setting of the S3 store holds a line break')
        return '"%s"' % value.replace('\\', '\\\\').replace('"', '\\"')

    def once(self, folder, method, url, source, headers):
        """(status, {header: value}, path of the body) of one request; status 0 and what curl says where nobody answers."""
        body, head = os.path.join(folder, 'body'), os.path.join(folder, 'head')
        for path in (body, head):
            with open(path, 'wb'):
                pass
        lines = ['silent', 'show-error', 'path-as-is', 'proto = "=http,https"', 'connect-timeout = 10', 'speed-limit = 1', 'speed-time = 60',
                 'max-time = %d' % self.timeout, 'aws-sigv4 = ' + self.quoted('aws:amz:%s:s3' % self.region),
                 'user = ' + self.quoted(self.credentials), 'url = ' + self.quoted(url), 'output = ' + self.quoted(body),
                 'dump-header = ' + self.quoted(head), 'write-out = "%{http_code}"', 'header = "Expect:"']
        if self.ca:
            lines.append('cacert = ' + self.quoted(self.ca))
        if source:
            lines.append('upload-file = ' + self.quoted(source))
            # Without a type of its own some stores keep an empty object.
            headers = dict({'Content-Type': 'application/octet-stream'}, **headers)
        if method != ('PUT' if source else 'GET'):
            lines.append('request = ' + self.quoted(method))
        # Debian 12's curl sends no sum of the body by itself; one that is given is signed too.
        headers = dict(headers, **{'x-amz-content-sha256': digest(source)[0] if source else NOTHING})
        lines += ['header = ' + self.quoted('%s: %s' % header) for header in sorted(headers.items())]
        try:
            done = subprocess.run([self.curl, '--disable', '--config', '-'], input='\n'.join(lines).encode('utf-8') + b'\n',
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=self.timeout + 30, check=False)
        except subprocess.TimeoutExpired:
            return 0, {}, 'no end within %d s' % (self.timeout + 30)
        except OSError as error:
            raise StoreError('cannot start curl: %s; the S3 store needs it' % error) from error
        said = done.stderr.decode('utf-8', 'replace').strip()
        if done.returncode == 2:
            raise StoreError('this curl does not know how to sign (%s): the S3 store needs curl 7.75 or newer, Debian 12 has it' % said)
        if done.returncode:
            return 0, {}, said or 'curl ended with %d' % done.returncode
        found = {}
        with open(head, 'rb') as stream:
            for line in stream.read(1 << 16).decode('latin-1').splitlines():
                name, colon, value = line.partition(':')
                if colon:
                    found[name.strip().lower()] = value.strip()
        return int(done.stdout or b'0'), found, body

    @contextlib.contextmanager
    def request(self, method, key, source=None, headers=None, query=None):
        """(status, headers, path of the body): 404 says that the object is absent, and never anything else. Asks again where that is safe."""
        url = self.where(key)
        if query:
            # The signature is over the sorted query, and Debian 12's curl does not sort.
            url += '?' + '&'.join('%s=%s' % (urllib.parse.quote(name, safe=''), urllib.parse.quote(value, safe=''))
                                  for name, value in sorted(query.items()))
        with tempfile.TemporaryDirectory(prefix='snapshot-store-') as folder:
            for attempt in range(4):
                status, found, body = self.once(folder, method, url, source, headers or {})
                if status and status not in (429, 500, 502, 503, 504):
                    break
                time.sleep(0.2 * 2 ** attempt if attempt < 3 else 0)
            if not status:
                raise StoreError('%s %s: no answer: %s' % (method, url, body))
            if status >= 300:
                with open(body, 'rb') as stream:
                    code, said = self.refusal(stream.read(1 << 16))
                if not self.understood(status, code):
                    raise StoreError('%s %s: %d %s %s%s' % (method, url, status, code, said, self.advice(status, code)))
            if found.get('etag'):
                found['etag'] = self.tag_of(found['etag'])
            yield status, found, body

    @staticmethod
    def tag_of(etag):
        """Some leave the quotes away in listings."""
        return '"%s"' % etag.strip('"')

    @staticmethod
    def refusal(body):
        """(code, message) of an error document."""
        try:
            root = xml.etree.ElementTree.fromstring(body.decode('utf-8', 'replace'))
        except xml.etree.ElementTree.ParseError:
            return '', ''
        texts = {element.tag.rpartition('}')[2]: (element.text or '').strip() for element in root}
        return texts.get('Code', ''), texts.get('Message', '')

    @staticmethod
    def understood(status, code):
        return (status == 404 and code == 'NoSuchKey') or status in (409, 412)

    @staticmethod
    def advice(status, code):
        if code == 'NoSuchBucket':
            return '; make the bucket, or set vault_snapshots_s3_bucket'
        if status == 403:
            return '; the key must be allowed to list, get, put and delete there, and the clock must be right'
        if status in (301, 307, 400):
            return '; see vault_snapshots_s3_region and vault_snapshots_s3_style'
        return ''

    def pages(self, query):
        """Each page of a listing, as an element."""
        query = dict(query, **{'list-type': '2'})
        while True:
            with self.request('GET', '', query=query) as (status, _found, body):
                if status != 200:
                    raise StoreError('GET %s: a listing was answered with %d; see vault_snapshots_s3_bucket' % (self.where(), status))
                try:
                    root = xml.etree.ElementTree.parse(body).getroot()
                except xml.etree.ElementTree.ParseError as error:
                    raise StoreError('GET %s: what came is no listing: %s' % (self.where(), error)) from error
            for element in root.iter():
                element.tag = element.tag.rpartition('}')[2]
            yield root
            token = root.findtext('NextContinuationToken')
            if root.findtext('IsTruncated') != 'true' or not token:
                return
            query['continuation-token'] = token

    def names(self, prefix):
        found = set()
        for page in self.pages({'prefix': prefix, 'delimiter': '/'}):
            for common in page.iter('CommonPrefixes'):
                found.add((common.findtext('Prefix') or '')[len(prefix):].strip('/'))
        return sorted(found)

    def listing(self, folder):
        found = {}
        for page in self.pages({'prefix': folder}):
            for entry in page.iter('Contents'):
                found[(entry.findtext('Key') or '')[len(folder):]] = (self.tag_of(entry.findtext('ETag') or ''), int(entry.findtext('Size') or 0))
        return found

    def read(self, key):
        with self.request('GET', key) as (status, found, body):
            if status != 200:
                return None, None
            with open(body, 'rb') as stream:
                return stream.read(POINTER_MOST), found.get('etag')

    def fetch(self, key, path):
        with self.request('GET', key) as (status, _found, body):
            if status == 200:
                shutil.copyfile(body, path)
            return status == 200

    def write_if(self, key, source, tag):
        headers = {'If-Match': tag} if tag is not None else {'If-None-Match': '*'}
        for attempt in range(TRIES):
            with self.request('PUT', key, source=source, headers=headers) as (status, found, _body):
                if status in (200, 201, 204):
                    return found.get('etag') or self.tag(key)
                if status != 409:
                    # 404 and 412: it is another one, or gone.
                    return None
            time.sleep(0.1 * 2 ** attempt)
        raise StoreError('PUT %s: the service says for too long that others write there' % self.where(key))

    def tag(self, key):
        folder, _slash, name = key.rpartition('/')
        return self.listing(folder + '/' if folder else '').get(name, (None, 0))[0]

    @staticmethod
    def alone():
        """A service has no lock: its conditions have to do."""
        return contextlib.nullcontext()

    def probe(self, prefix):
        """Whether the service heeds conditions: a second If-None-Match, and an If-Match of a wrong tag, have to be refused."""
        key = '%sprobe/%s' % (prefix, uuid.uuid4().hex)
        with tempfile.NamedTemporaryFile(prefix='snapshot-store-') as source:
            source.write(b'probe\n')
            source.flush()
            if self.write_if(key, source.name, None) is None:
                return False
            try:
                return self.write_if(key, source.name, None) is None and self.write_if(key, source.name, '"0"') is None
            finally:
                with self.request('DELETE', key):
                    pass


class Snapshots:
    """What the slots and the pointer of each lineage hold."""

    def __init__(self, back_end, prefix=''):
        prefix = prefix.strip('/')
        if prefix and not re.match(r'^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$', prefix) or '..' in prefix:
            raise StoreError('%s is no prefix: letters, digits, . _ - and / alone' % prefix)
        self.back_end, self.prefix = back_end, prefix + '/' if prefix else ''
        # Seconds for which another one's claim is waited for; and who this one is in its own.
        self.claim_lasts, self.name = 60, '%s %s' % (socket.gethostname(), uuid.uuid4().hex)

    def folder(self, lineage):
        if not LINEAGE.match(lineage):
            raise StoreError('%s is no lineage: 64 digits and letters a to f' % (lineage or '(nothing)'))
        return '%s%s/' % (self.prefix, lineage)

    def pointer(self, lineage):
        """(what latest.json says, its tag, what is wrong with it, who claims the next snapshot)."""
        data, tag = self.back_end.read(self.folder(lineage) + POINTER)
        if data is None:
            return None, None, '', ''
        claimed = ''
        try:
            latest = json.loads(data)
            claimed = self.claimed_by(latest)
            if claimed and set(latest) == {'claim'}:
                return None, tag, NOT_YET, claimed
            latest = {'lineage': str(latest['lineage']), 'sequence': int(latest['sequence']), 'slot': str(latest['slot']),
                      'sha256': str(latest['sha256']), 'size': int(latest['size']), 'index': int(latest['index']), 'at': str(latest['at'])}
        except (ValueError, KeyError, TypeError) as error:
            return None, tag, '%s cannot be read (%s)' % (POINTER, error), claimed
        if latest['slot'] not in SLOTS:
            return None, tag, '%s names the slot %s' % (POINTER, latest['slot']), claimed
        if latest['lineage'] != lineage:
            return latest, tag, '%s is of the lineage %.16s' % (POINTER, latest['lineage']), claimed
        return latest, tag, '', claimed

    @staticmethod
    def claimed_by(latest):
        claim = latest.get('claim') if isinstance(latest, dict) else None
        return str(claim.get('by') or '') if isinstance(claim, dict) else ''

    def trouble_of(self, lineage, latest, entries, path):
        """What keeps the slot that counts from being the snapshot that was kept; it is in the file `path` if nothing."""
        entry = entries.get(latest['slot'])
        if entry is None:
            return '%s is not there' % latest['slot']
        if entry[1] != latest['size']:
            return '%s has %d bytes, not %d' % (latest['slot'], entry[1], latest['size'])
        if not self.back_end.fetch(self.folder(lineage) + latest['slot'], path):
            return '%s is not there' % latest['slot']
        sha256, _size = digest(path)
        if sha256 != latest['sha256']:
            return 'the bytes of %s have another SHA-256 than %s says' % (latest['slot'], POINTER)
        try:
            check_snapshot(path)
        except DamagedError as error:
            return str(error).replace(path, latest['slot'])
        return ''

    def look(self, lineage, path=None):
        """{'state', 'evidence', 'latest'}; the snapshot is in the file `path`, where one is named and all is coherent."""
        for _attempt in range(TRIES):
            tag, found = self.look_once(lineage, path)
            # What does not fit may be of before and behind another one's write.
            if found['state'] != INCOHERENT or self.back_end.read(self.folder(lineage) + POINTER)[1] == tag:
                break
        return found

    def look_once(self, lineage, path):
        """(the pointer's tag, what look() gives)."""
        where = self.back_end.where(self.folder(lineage))
        latest, tag, trouble, _claimed = self.pointer(lineage)
        entries = self.back_end.listing(self.folder(lineage))
        if not entries:
            return tag, {'state': EMPTY, 'evidence': 'nothing is kept in %s' % where, 'latest': {}}
        if trouble == NOT_YET and set(entries) == {POINTER}:
            return tag, {'state': EMPTY, 'evidence': 'nothing is kept in %s: %s' % (where, trouble), 'latest': {}}
        if not trouble and tag is None:
            trouble = '%s is there, but no %s' % (', '.join(sorted(entries)), POINTER)
        if not trouble:
            with tempfile.TemporaryDirectory(prefix='snapshot-store-') as folder:
                whole = os.path.join(folder, 'snapshot')
                trouble = self.trouble_of(lineage, latest, entries, whole)
                if not trouble and path:
                    shutil.copyfile(whole, path)
        if trouble:
            return tag, {'state': INCOHERENT, 'evidence': '%s: %s' % (where, trouble), 'latest': latest or {}}
        return tag, {'state': COHERENT, 'latest': latest, 'evidence': 'snapshot %d in %s, of %s, %d bytes, Raft index %d' % (
            latest['sequence'], where, latest['at'], latest['size'], latest['index'])}

    def lineages(self):
        return [name for name in self.back_end.names(self.prefix) if LINEAGE.match(name)]

    def keep(self, lineage, path, at=None, before=None):
        """Keeps a snapshot: {'result', 'evidence', 'latest', 'conditional'}; result is kept, unchanged or overtaken.

        unchanged: what counts has its Raft index, or `before`, the one that the server had before the job wrote anything itself; overtaken: another writer kept one that is as new meanwhile."""
        fresh = check_snapshot(path)
        with self.back_end.alone():
            return self.keep_fresh(lineage, path, fresh, at, before)

    def outlives(self, folder, tag):
        """Whether latest.json, with another one's claim in it, stays as it is for as long as a claim is waited for."""
        until = time.monotonic() + self.claim_lasts
        while time.monotonic() < until:
            time.sleep(0.2)
            if self.back_end.read(folder + POINTER)[1] != tag:
                return False
        return True

    def claim(self, folder, latest, mine, tag):
        """The tag of latest.json with the claim in it; None where another writer came first. Readers do not heed it."""
        claim = {'by': self.name, 'slot': mine['slot'], 'sequence': mine['sequence'], 'at': now()}
        return self.write_pointer(folder, dict(latest or {}, claim=claim), tag)

    def keep_fresh(self, lineage, path, fresh, at, before):
        folder = self.folder(lineage)
        conditional, mine = None, None
        for attempt in range(TRIES):
            # The slots are listed after the pointer: with a claim that replaces just that pointer, no slot in the list can count by then.
            latest, tag, trouble, claimed = self.pointer(lineage)
            entries = self.back_end.listing(folder)
            if trouble and latest:
                raise StoreError('%s: %s; nothing was written. Move that folder away if it is not wanted' % (
                    self.back_end.where(folder), trouble))
            sound = latest is not None and self.is_sound(lineage, latest, entries, whole=attempt > 0)
            if sound and latest == mine:
                return self.kept('kept', latest, conditional)
            if sound and (latest['index'] >= fresh['index'] if attempt else latest['index'] in (fresh['index'], before)):
                return self.kept('overtaken' if attempt else 'unchanged', latest, conditional)
            if conditional is None:
                conditional = self.back_end.probe(self.prefix)
                if self.back_end.kind == 's3':
                    # It took a while: what was looked at before may be another's by now.
                    continue
            # The directory's lock, and a store that does not heed conditions, make a claim needless and worthless.
            claims = self.back_end.kind == 's3' and conditional
            if claims and claimed not in ('', self.name):
                if not self.outlives(folder, tag):
                    continue
                entries = self.back_end.listing(folder)
            # The slot that is not the last whole one.
            slot = SLOTS[1] if latest and (latest['slot'] == SLOTS[0]) == sound else SLOTS[0]
            mine = {'lineage': lineage, 'sequence': latest['sequence'] + 1 if latest else 1, 'slot': slot, 'sha256': fresh['sha256'],
                    'size': fresh['size'], 'index': fresh['index'], 'at': at or now()}
            if claims:
                tag = self.claim(folder, latest, mine, tag)
                if tag is None:
                    continue
            was = entries.get(slot, (None, 0))[0]
            slot_tag = self.back_end.write_if(folder + slot, path, was)
            if claims and slot_tag is not None and slot_tag == was:
                # The same bytes, the same tag: who stalled behind a claim of old could still write there once they count.
                raise StoreError('%s: %s had these very bytes from a writer whose claim was taken over; take a new snapshot' % (
                    self.back_end.where(folder), slot))
            pointer_tag = self.write_pointer(folder, mine, tag) if slot_tag is not None else None
            if pointer_tag is not None and self.is_mine(lineage, mine, slot_tag, conditional):
                return self.kept('kept', mine, conditional)
            time.sleep(0.05 * 2 ** attempt)
        raise StoreError('%s: other writers came first %d times; see who else writes there' % (self.back_end.where(folder), TRIES))

    def is_sound(self, lineage, latest, entries, whole):
        if not whole:
            return entries.get(latest['slot'], (None, -1))[1] == latest['size']
        with tempfile.TemporaryDirectory(prefix='snapshot-store-') as folder:
            return not self.trouble_of(lineage, latest, entries, os.path.join(folder, 'snapshot'))

    def write_pointer(self, folder, latest, tag):
        with tempfile.NamedTemporaryFile(prefix='snapshot-store-') as source:
            source.write(json.dumps(latest, sort_keys=True).encode('ascii') + b'\n')
            source.flush()
            return self.back_end.write_if(folder + POINTER, source.name, tag)

    def is_mine(self, lineage, mine, slot_tag, conditional):
        """Read back: pointer and slot are what was written; byte by byte where the store does not heed conditions."""
        latest, _tag, _trouble, _claimed = self.pointer(lineage)
        if latest != mine:
            return False
        entries = self.back_end.listing(self.folder(lineage))
        return entries.get(mine['slot'], (None, 0))[0] == slot_tag if conditional else self.is_sound(lineage, mine, entries, True)

    def kept(self, result, latest, conditional):
        words = {'kept': 'kept as snapshot %d in %s', 'unchanged': 'nothing new since snapshot %d in %s',
                 'overtaken': 'another writer kept snapshot %d in %s, which is as new'}
        evidence = words[result] % (latest['sequence'], self.back_end.where(self.folder(latest['lineage'])))
        if conditional is False:
            evidence += '; this store does not heed conditions: lineage, sequence and bytes were read back and compared'
        return {'result': result, 'evidence': evidence, 'latest': latest, 'conditional': conditional}


def open_store(settings):
    """Of settings as the roles write them: kind, prefix, and directory, or url, bucket, region, style, access_key, secret_key, ca."""
    kind = settings.get('kind')
    if kind == 'directory':
        if not os.path.isabs(settings.get('directory') or ''):
            raise StoreError('%s is no absolute path of a directory' % (settings.get('directory') or '(nothing)'))
        back_end = Directory(settings['directory'])
    elif kind == 's3':
        back_end = Bucket(*(str(settings.get(name) or '') for name in ('url', 'bucket', 'region', 'style', 'access_key', 'secret_key', 'ca')),
                          timeout=int(settings.get('timeout') or 600))
    else:
        raise StoreError('%s is no kind of store: directory or s3' % (kind or '(nothing)'))
    return Snapshots(back_end, str(settings.get('prefix') or ''))
