# SPDX-License-Identifier: MIT
"""What the modules of this role ask a host's tailscaled, over its own socket: the standard library alone, so that any Python 3 of a host will do."""
from __future__ import annotations

import http.client
import json
import socket
import time

TAILSCALES_OWN = 'https://controlplane.tailscale.com'


class Connection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__('local-tailscaled.sock', timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(path, what, timeout=5):
    """The object that the daemon answers with; OSError or ValueError where it gives none."""
    connection = Connection(path, timeout)
    try:
        connection.request('GET', '/localapi/v0/' + what)
        reply = connection.getresponse()
        body = reply.read(16 << 20)
        if reply.status != 200:
            raise ValueError('status %d: %s' % (reply.status, body[:200].decode('utf-8', 'replace').strip()))
        value = json.loads(body)
    except http.client.HTTPException as error:
        raise ValueError(str(error) or type(error).__name__) from error
    finally:
        connection.close()
    if not isinstance(value, dict):
        raise ValueError('an answer that is no object')
    return value


def server(url):
    """One spelling for each control server."""
    url = (url or '').strip().rstrip('/').lower()
    return TAILSCALES_OWN if url in ('', 'https://login.tailscale.com') else url


def look(path):
    """State, login and settings of the daemon; only `answers` and `error` count where nobody answers."""
    try:
        status, prefs = ask(path, 'status?peers=false'), ask(path, 'prefs')
    except (OSError, ValueError) as error:
        return {'answers': False, 'error': str(error) or type(error).__name__, 'state': '', 'joined': False, 'tags': [],
                'addresses': [], 'name': '', 'login_server': '', 'health': [], 'prefs': {}}
    itself = status.get('Self') or {}
    login = prefs.get('Config') or {}
    return {
        'answers': True,
        'error': '',
        'state': str(status.get('BackendState', '')),
        # A login is there though it may be switched off, expired or not approved yet.
        'joined': bool(login.get('NodeID')) and not prefs.get('LoggedOut'),
        'tags': sorted(itself.get('Tags') or []),
        'addresses': [str(address) for address in status.get('TailscaleIPs') or []],
        'name': str(itself.get('DNSName', '')).rstrip('.') or str(itself.get('HostName', '')),
        'login_server': server(prefs.get('ControlURL')),
        'health': [str(line) for line in status.get('Health') or []],
        'prefs': {'accept_dns': bool(prefs.get('CorpDNS')), 'accept_routes': bool(prefs.get('RouteAll')),
                  'ssh': bool(prefs.get('RunSSH')), 'hostname': str(prefs.get('Hostname', ''))},
    }


def wait(path, seconds, settled=False):
    """The same as soon as the daemon answers, and is neither starting nor without a state where `settled`."""
    end = time.monotonic() + seconds
    while True:
        found = look(path)
        if found['answers'] and not (settled and found['state'] in ('NoState', 'Starting')):
            return found
        if time.monotonic() >= end:
            return found
        time.sleep(0.1)
