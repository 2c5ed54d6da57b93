#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Looks in one go at what a host has for its firewall, and by which interface its caller is reached. Changes nothing."""
from __future__ import annotations

import os
import re
import shutil
import subprocess

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: node_firewall_look
short_description: Looks at what a host has for its firewall
description:
  - Tells whether nftables is there, whom this connection comes from as sshd says it, and by which interface that one is reached.
    Changes nothing.
author:
  - triphase
"""

EXAMPLES = r"""
- name: Look
  node_firewall_look:
  become: false
  register: look
"""

RETURN = r"""
nft:
  description: Path of the program nft, empty where there is none.
  type: str
  returned: always
connection:
  description: What sshd says (SSH_CONNECTION), address and port of the caller, address and port here; empty where nobody says it.
  type: list
  elements: str
  returned: always
source:
  description: The caller's address as a rule has it, empty where nobody says it.
  type: str
  returned: always
interface:
  description: The interface by which packets leave to the source; empty where the host knows no way.
  type: str
  returned: always
tun:
  description: Whether that interface is a TUN device.
  type: bool
  returned: always
"""

PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'


def address(connection):
    """An IPv4 address that came in by an IPv6 socket is written as what it is; the zone of a link-local one belongs to no rule."""
    return re.sub(r'%.*$', '', re.sub(r'^::ffff:(?=[0-9.]+$)', '', connection[0])) if connection else ''


def interface(source):
    try:
        said = subprocess.run([shutil.which('ip', path=PATH) or 'ip', '-o', 'route', 'get', source], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return ''
    found = re.search(r'\bdev (\S+)', said.decode('utf-8', 'replace'))
    return found.group(1) if found else ''


def main():
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    connection = os.environ.get('SSH_CONNECTION', '').split()
    source = address(connection)
    name = interface(source) if source else ''
    module.exit_json(changed=False, nft=shutil.which('nft', path=PATH) or '', connection=connection, source=source, interface=name,
                     tun=bool(name) and os.path.exists('/sys/class/net/%s/tun_flags' % name))


if __name__ == '__main__':
    main()
