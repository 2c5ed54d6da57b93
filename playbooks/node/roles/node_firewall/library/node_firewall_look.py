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
  - Tells whether nftables is there, and by which interface an address is reached. Changes nothing.
options:
  source:
    description: The address; none given, none is looked for.
    type: str
    default: ""
author:
  - triphase
"""

EXAMPLES = r"""
- name: Look
  node_firewall_look:
    source: 100.64.0.1
  register: look
"""

RETURN = r"""
nft:
  description: Path of the program nft, empty where there is none.
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


def interface(source):
    try:
        said = subprocess.run([shutil.which('ip', path=PATH) or 'ip', '-o', 'route', 'get', source], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return ''
    found = re.search(r'\bdev (\S+)', said.decode('utf-8', 'replace'))
    return found.group(1) if found else ''


def main():
    module = AnsibleModule(argument_spec={'source': {'type': 'str', 'default': ''}}, supports_check_mode=True)
    name = interface(module.params['source']) if module.params['source'] else ''
    module.exit_json(changed=False, nft=shutil.which('nft', path=PATH) or '', interface=name,
                     tun=bool(name) and os.path.exists('/sys/class/net/%s/tun_flags' % name))


if __name__ == '__main__':
    main()
