#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Looks in one go at what a host has of a tailnet: system, TUN, programs, unit, files, daemon. Changes nothing."""
from __future__ import annotations

import hashlib
import os
import shutil
import subprocess

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.tailnet_daemon import server, wait

DOCUMENTATION = r"""
module: tailnet_look
short_description: Looks at what a host has of a tailnet in one go
description:
  - Tells what there is of system, TUN device, programs, unit, files and daemon, and what that differs in from what is wanted. Changes nothing.
options:
  socket:
    description: Socket of the daemon.
    type: path
    required: true
  unit:
    description: Unit of the daemon.
    type: str
    required: true
  files:
    description: Files whose SHA-256 is wanted.
    type: list
    elements: path
    default: []
  wanted:
    description: What the login should be; keys login_server, hostname, tags, accept_dns, accept_routes, ssh.
    type: dict
    required: true
  wait:
    description: How many seconds the daemon has to answer and to leave its start behind.
    type: int
    default: 0
author:
  - triphase
"""

EXAMPLES = r"""
- name: Look
  tailnet_look:
    socket: /run/tailscale/tailscaled.sock
    unit: tailscaled.service
    wanted: {login_server: "", hostname: web, tags: ["tag:web"], accept_dns: false, accept_routes: false, ssh: false}
  register: look
"""

RETURN = r"""
daemon:
  description: What the daemon says of itself.
  type: dict
  returned: always
differs:
  description: Settings of the daemon that are not as wanted, with the value they should have.
  type: dict
  returned: always
"""


def read(path):
    try:
        with open(path, 'rb') as file:
            return file.read()
    except OSError:
        return b''


def digest(path):
    try:
        with open(path, 'rb') as file:
            whole = hashlib.sha256()
            for part in iter(lambda: file.read(1 << 20), b''):
                whole.update(part)
            return whole.hexdigest()
    except OSError:
        return ''


def tun():
    """'' where a TUN device can be opened, else why not."""
    try:
        os.close(os.open('/dev/net/tun', os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return '/dev/net/tun: ' + (error.strerror or str(error))
    return ''


def release():
    lines = (line.partition('=') for line in read('/etc/os-release').decode('utf-8', 'replace').splitlines())
    return {name: value.strip('"') for name, _, value in lines}


def unit(name):
    try:
        said = subprocess.run(['systemctl', 'show', '-p', 'LoadState,ActiveState,UnitFileState,NeedDaemonReload', name],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30, check=False)
        lines = said.stdout.decode('utf-8', 'replace').splitlines()
    except (OSError, subprocess.SubprocessError):
        lines = []
    value = dict(line.split('=', 1) for line in lines if '=' in line)
    return {'known': value.get('LoadState') == 'loaded', 'active': value.get('ActiveState') == 'active',
            'enabled': value.get('UnitFileState') == 'enabled', 'needs_reload': value.get('NeedDaemonReload') == 'yes'}


def differences(daemon, wanted):
    """Settings of a login that `tailscale set` changes. No name wanted: any will do."""
    return {name: wanted.get(name) for name in ('accept_dns', 'accept_routes', 'ssh', 'hostname')
            if (name != 'hostname' or wanted.get(name)) and daemon['prefs'].get(name) != wanted.get(name)}


def main():
    module = AnsibleModule(argument_spec={
        'socket': {'type': 'path', 'required': True},
        'unit': {'type': 'str', 'required': True},
        'files': {'type': 'list', 'elements': 'path', 'default': []},
        'wanted': {'type': 'dict', 'required': True},
        'wait': {'type': 'int', 'default': 0},
    }, supports_check_mode=True)
    arguments = module.params
    wanted = arguments['wanted']
    system = release()
    daemon = wait(arguments['socket'], arguments['wait'], settled=True)
    tags = sorted(set(wanted.get('tags') or []))
    path = os.pathsep.join([os.environ.get('PATH', ''), '/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin'])
    module.exit_json(
        changed=False,
        systemd=os.path.isdir('/run/systemd/system'),
        debian='debian' in (system.get('ID', ''), *system.get('ID_LIKE', '').split()),
        system=system.get('PRETTY_NAME', 'an unknown system'),
        codename=system.get('VERSION_CODENAME', ''),
        tun=tun(),
        program=shutil.which('tailscale', path=path) or '',
        daemon_program=shutil.which('tailscaled', path=path) or '',
        unit=unit(arguments['unit']),
        files={file: digest(file) for file in arguments['files']},
        daemon=daemon,
        at_home=daemon['login_server'] == server(wanted.get('login_server')),
        # Those of a daemon that is not connected are not to be had.
        tagged=not tags or daemon['tags'] == tags,
        differs=differences(daemon, wanted) if daemon['joined'] else {},
    )


if __name__ == '__main__':
    main()
