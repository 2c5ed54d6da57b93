#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Looks at one OpenBao host in one go: files, certificate, service, API, snapshots. Changes nothing."""
from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import pwd
import re
import shutil
import socket
import ssl
import subprocess
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.openbao_api import Api

DOCUMENTATION = r"""
module: openbao_info
short_description: Looks at an OpenBao host in one go
description:
  - Tells what is there, what the running service was started with, and what its API says. Changes nothing.
options:
  programs:
    description: Programs that must be in the path of root.
    type: list
    elements: str
    default: []
  binary:
    description: Path of the server program; its stamp is I(stamp).
    type: path
  stamp:
    description: JSON file that tells which binary was installed.
    type: path
  files:
    description: Files whose SHA-256 is wanted.
    type: list
    elements: path
    default: []
  directories:
    description: Directories that must exist with owner, group and mode, as dictionaries.
    type: list
    elements: dict
    default: []
  ca:
    description: PEM certificate of who signs for the server; the API is asked over no other.
    type: path
  certificate:
    description: PEM certificate of the server, to be looked at.
    type: path
  key:
    description: PEM key of the certificate.
    type: path
  names:
    description: DNS names and addresses that the certificate must cover beside the host's own name.
    type: list
    elements: str
    default: []
  units:
    description: Units whose state is wanted; the first is the server.
    type: list
    elements: str
    default: []
  started:
    description: File with the checksums (as sha256sum prints them) of what the running server was started with.
    type: path
  state_dir:
    description:
      - Directory with data, receipt, staging file and snapshots.
    type: path
  snapshots:
    description: Whether the newest snapshot below I(state_dir) is looked at too, which reads it whole.
    type: bool
    default: false
  jobs:
    description: Beginning of the names of units of long tasks; those that run, maybe without the run that began them, are waited for first.
    type: str
    default: ""
  url:
    description: Root of the API; left out, the API is not asked.
    type: str
  wait_for:
    description: What to wait for, at most I(wait) seconds.
    type: str
    choices: [nothing, answer, active]
    default: nothing
  wait:
    description: Bound in seconds.
    type: int
    default: 60
author:
  - triphase
"""

EXAMPLES = r"""
- name: Look
  openbao_info:
    state_dir: /var/lib/openbao
    url: https://127.0.0.1:8200
    ca: /etc/openbao/tls/ca.crt
  register: look
"""

RETURN = r"""
hostname:
  description: The host's own name.
  type: str
  returned: always
api:
  description: Whether the API answers, and whether it is initialized, sealed, active.
  type: dict
  returned: always
"""


# Longer than any job of tasks/job.yml may take.
JOBS = 600


def wait_for_jobs(prefix, seconds):
    """Until no unit of that beginning is on its way: to start one that starts already is to wait for it. The one that was not ready in time."""
    if not prefix:
        return ''
    text = output('systemctl', 'list-units', '--plain', '--no-legend', '--state=activating', prefix + '*')
    end = time.monotonic() + seconds
    for unit in [line.split()[0] for line in text.splitlines() if line.strip()]:
        try:
            subprocess.run(['systemctl', 'start', unit], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           timeout=max(1, end - time.monotonic()), check=False)
        except subprocess.TimeoutExpired:
            return unit
    return ''


def read(path, limit=1 << 20):
    try:
        with open(path, 'rb') as stream:
            return stream.read(limit)
    except (OSError, TypeError):
        return None


def read_json(path):
    """The object in a file; {} where there is no file, {'broken': True} where it is no object."""
    data = read(path)
    if data is None:
        return {}
    try:
        value = json.loads(data)
    except ValueError:
        return {'broken': True}
    return value if isinstance(value, dict) else {'broken': True}


def digest(path):
    try:
        with open(path, 'rb') as stream:
            sha = hashlib.sha256()
            for block in iter(lambda: stream.read(1 << 20), b''):
                sha.update(block)
            return sha.hexdigest()
    except (OSError, TypeError):
        return ''


def output(*argv):
    # Not run_command: it waits a second for a program that ends at the wrong moment.
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ''
    return done.stdout.decode('utf-8', 'replace')


def plain_name(text):
    """A DNS name or an address in the one spelling that openssl takes: (kind, name)."""
    text = text.strip().strip('[]')
    try:
        return 'IP', str(ipaddress.ip_address(text))
    except ValueError:
        return 'DNS', text.lower()


def fits(certificate, key, ca):
    """Whether that authority signed it, and that key is its own."""
    if not all(path and os.path.exists(path) for path in (certificate, key, ca)):
        return False
    own = output('openssl', 'pkey', '-pubout', '-in', key)
    return bool(own) and own == output('openssl', 'x509', '-noout', '-pubkey', '-in', certificate) and \
        output('openssl', 'verify', '-CAfile', ca, certificate).endswith(': OK\n')


def look_certificate(path, hostname, names):
    wanted = [plain_name(name) for name in [hostname] + names if name]
    found, same_host, days = [], False, -1.0
    text = output('openssl', 'x509', '-noout', '-subject', '-nameopt', 'multiline', '-enddate', '-ext',
                  'subjectAltName', '-in', path) if path and os.path.exists(path) else ''
    if text:
        subject = re.search(r'commonName\s*=\s*(.+)', text)
        same_host = bool(subject) and subject.group(1).strip() == hostname
        ends = re.search(r'notAfter=(.+)', text)
        if ends:
            days = (ssl.cert_time_to_seconds(ends.group(1).strip()) - time.time()) / 86400
        for kind, name in re.findall(r'(DNS|IP Address):([^,\s]+)', text):
            found.append(plain_name(name) if kind != 'DNS' else ('DNS', name.lower()))
    covered = same_host and all(name in found for name in wanted)
    # Names that the same host had before stay: a transport that comes and goes does not make a new certificate.
    names = list(dict.fromkeys(wanted + (found if same_host else [])))
    return {'covers': covered, 'days_left': round(days, 2), 'san': ','.join('%s:%s' % name for name in names)}


def look_units(units):
    states = {}
    for unit in units:
        states[unit] = {'active': False, 'enabled': False, 'loaded': False, 'needs_reload': False}
    if not units:
        return states
    text = output('systemctl', 'show', '--property=Id,ActiveState,UnitFileState,NeedDaemonReload,LoadState', *units)
    for part in text.split('\n\n'):
        values = dict(line.split('=', 1) for line in part.splitlines() if '=' in line)
        if values.get('Id') in states:
            states[values['Id']] = {
                'active': values.get('ActiveState') == 'active',
                'enabled': values.get('UnitFileState') == 'enabled',
                'loaded': values.get('LoadState') == 'loaded',
                'needs_reload': values.get('NeedDaemonReload') == 'yes',
            }
    return states


def look_started(path):
    """Whether each file that the server was started with is still the same."""
    text = read(path)
    if not text:
        return False
    for line in text.decode('utf-8', 'replace').splitlines():
        value, _space, name = line.partition('  ')
        if not value or digest(name) != value:
            return False
    return True


def look_directories(wanted):
    wrong = []
    for entry in wanted:
        try:
            status = os.lstat(entry['path'])
            owner = pwd.getpwnam(entry['owner']).pw_uid
            group = pwd.getpwnam(entry['group']).pw_gid if entry['group'] != 'root' else 0
        except (OSError, KeyError):
            wrong.append(entry['path'])
            continue
        if (status.st_mode != 0o040000 | int(str(entry['mode']), 8)
                or status.st_uid != owner or status.st_gid != group):
            wrong.append(entry['path'])
    return wrong


def look_data(path):
    """Whether the storage was ever initialised: its files are there from the first start on, its keyring is not."""
    try:
        with open(path, 'rb') as stream:
            if os.fstat(stream.fileno()).st_size > 64 << 20:
                return True
            return b'core/keyring' in stream.read()
    except OSError:
        return False


def look_staged(path):
    """Shares that are staged: of which initialisation, never they themselves."""
    if not os.path.exists(path):
        return {'staged': '', 'staged_lineage': ''}
    shares = read_json(path).get('keys_base64')
    if not isinstance(shares, list) or not all(isinstance(share, str) for share in shares):
        return {'staged': 'broken', 'staged_lineage': ''}
    return {'staged': 'whole', 'staged_lineage': hashlib.sha256(','.join(shares).encode('utf-8')).hexdigest()}


def look_snapshots(state_dir):
    latest = read_json(os.path.join(state_dir, 'snapshots', 'latest.json'))
    name = os.path.basename(str(latest.get('file', '')))
    path = os.path.join(state_dir, 'snapshots', name)
    verified = bool(name) and digest(path) == latest.get('sha256')
    return {'file': name, 'verified': verified, 'latest': latest, 'age': int(time.time() - os.stat(path).st_mtime) if verified else -1}


def main():
    module = AnsibleModule(argument_spec={
        'programs': {'type': 'list', 'elements': 'str', 'default': []},
        'binary': {'type': 'path'},
        'stamp': {'type': 'path'},
        'files': {'type': 'list', 'elements': 'path', 'default': []},
        'directories': {'type': 'list', 'elements': 'dict', 'default': []},
        'ca': {'type': 'path'},
        'certificate': {'type': 'path'},
        'key': {'type': 'path', 'no_log': False},
        'names': {'type': 'list', 'elements': 'str', 'default': []},
        'units': {'type': 'list', 'elements': 'str', 'default': []},
        'started': {'type': 'path'},
        'state_dir': {'type': 'path'},
        'snapshots': {'type': 'bool', 'default': False},
        'jobs': {'type': 'str', 'default': ''},
        'url': {'type': 'str'},
        'wait_for': {'type': 'str', 'choices': ['nothing', 'answer', 'active'], 'default': 'nothing'},
        'wait': {'type': 'int', 'default': 60},
    }, supports_check_mode=True)
    args = module.params
    path = os.environ.get('PATH', '') + ':/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
    hostname = socket.gethostname()
    bootstrap = os.path.join(args['state_dir'] or '', 'bootstrap')
    late = wait_for_jobs(args['jobs'], JOBS)
    if late:
        module.fail_json(msg='%s is at work for more than %d s. See it: systemctl status %s' % (late, JOBS, late))
    result = {
        'changed': False,
        'hostname': hostname,
        'systemd': os.path.isdir('/run/systemd/system'),
        'missing': [program for program in args['programs'] if not shutil.which(program, path=path)],
        'files': {name: digest(name) for name in args['files']},
        'wrong_directories': look_directories(args['directories']),
        'certificate': dict(look_certificate(args['certificate'], hostname, args['names']),
                            fits=fits(args['certificate'], args['key'], args['ca'])),
        'units': look_units(args['units']),
        'as_started': look_started(args['started']),
    }
    if args['binary']:
        stamp = read_json(args['stamp'])
        try:
            status = os.stat(args['binary'])
            whole = '%d %d' % (status.st_size, status.st_mtime) == stamp.get('installed')
        except OSError:
            whole = False
        result['binary'] = {'whole': whole, 'source': str(stamp.get('source', '')), 'sha256': str(stamp.get('sha256', '')),
                            'version': str(stamp.get('version', ''))}
    if args['state_dir']:
        receipt = read_json(os.path.join(args['state_dir'], 'receipt.json'))
        staged = os.path.join(bootstrap, 'init.json')
        result.update(
            receipt=receipt,
            data=look_data(os.path.join(args['state_dir'], 'data', 'vault.db')),
            **look_staged(staged),
            restoring=os.path.exists(os.path.join(bootstrap, 'restoring')),
        )
        if args['snapshots']:
            result['snapshot'] = look_snapshots(args['state_dir'])
    result['api'] = {'answers': False, 'active': False, 'initialized': False, 'sealed': True, 'version': '', 'error': ''}
    if args['url']:
        result['api'] = Api(args['url'], args['ca']).wait(args['wait_for'], args['wait'])
    module.exit_json(**result)


if __name__ == '__main__':
    main()
