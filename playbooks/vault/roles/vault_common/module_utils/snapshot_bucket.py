# SPDX-License-Identifier: MIT
"""The store of snapshots in a bucket of an S3-compatible service, over curl. Part of snapshot_store.py, which says what a store is asked. Python 3.9 and newer."""
from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.parse
import uuid
import xml.etree.ElementTree

try:
    from ansible.module_utils.snapshot_file import READ_MOST, StoreError, digest
except ImportError:
    from snapshot_file import READ_MOST, StoreError, digest

NOTHING = hashlib.sha256(b'').hexdigest()
CONFLICTS_MOST = 6


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
                return stream.read(READ_MOST), found.get('etag')

    def fetch(self, key, path):
        with self.request('GET', key) as (status, _found, body):
            if status == 200:
                shutil.copyfile(body, path)
            return status == 200

    def write_if(self, key, source, tag):
        headers = {'If-Match': tag} if tag is not None else {'If-None-Match': '*'}
        for attempt in range(CONFLICTS_MOST):
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
