# SPDX-License-Identifier: MIT
"""OpenBao's API for the modules of these roles: the standard library alone, so that any Python 3 of a host will do."""
from __future__ import annotations

import http.client
import json
import shutil
import ssl
import time
import urllib.error
import urllib.request


class Api:
    """The server's API over its own certificate and no other."""

    def __init__(self, url, certificate):
        self.url = url.rstrip('/')
        self.context = None
        self.error = ''
        try:
            self.context = ssl.create_default_context(cafile=certificate)
        except (OSError, ssl.SSLError) as error:
            self.error = str(error)

    def call(self, method, path, token='', body=None, timeout=30, to=None, length=None):
        """(status, object); status 0 where nobody answers. A body that is a file of `length` bytes is sent as it is; a reply that is no
        refusal goes into the file `to`, where one is given."""
        if self.context is None:
            return 0, {'error': self.error}
        data = body if length is not None else None if body is None else json.dumps(body).encode('utf-8')
        request = urllib.request.Request(self.url + path, data=data, method=method)
        if token:
            request.add_header('X-Vault-Token', token)
        if length is not None:
            request.add_header('Content-Length', str(length))
            request.add_header('Content-Type', 'application/octet-stream')
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self.context))
        try:
            with opener.open(request, timeout=timeout) as reply:
                if to is not None:
                    shutil.copyfileobj(reply, to, 1 << 20)
                status, body = reply.status, reply.read(1 << 20)
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read(1 << 20)
        except (OSError, ValueError, http.client.HTTPException) as error:
            return 0, {'error': str(error)}
        try:
            value = json.loads(body)
        except ValueError:
            value = {}
        return status, value if isinstance(value, dict) else {}

    def refusal(self, method, path, status, body):
        """Why a call that was not answered as expected failed, as a message."""
        said = body.get('error') or '; '.join(str(error).strip() for error in body.get('errors') or []) or 'no reason given'
        return '%s %s%s: status %d: %s' % (method, self.url, path, status, said)

    def health(self):
        status, body = self.call('GET', '/v1/sys/health', timeout=10)
        return {
            'answers': status in (200, 429, 472, 473, 501, 503),
            'active': status == 200,
            'initialized': bool(body.get('initialized')),
            'sealed': bool(body.get('sealed', True)),
            'version': str(body.get('version', '')),
            'error': str(body.get('error', '')) or ('' if status else 'no answer'),
        }

    def wait(self, what, seconds):
        end = time.monotonic() + seconds
        while True:
            state = self.health()
            if what == 'nothing' or state['active'] or (what == 'answer' and state['answers']):
                return state
            if time.monotonic() >= end:
                return state
            time.sleep(0.1)
