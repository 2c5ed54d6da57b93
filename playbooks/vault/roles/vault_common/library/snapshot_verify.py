#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Restores a snapshot into a scratch server on this host, and says whether it opens with the shares. Nothing of it stays."""
from __future__ import annotations

import json
import subprocess
import uuid

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: snapshot_verify
short_description: Checks a snapshot by a restore into a scratch server
description:
  - The scratch server runs in a transient unit with a network, a /tmp and an end of its own; nobody else reaches it, and systemd takes all of it
    away when the unit ends, however that comes. The server of this host is not touched.
options:
  program:
    description: C(snapshot_verify.py) of the role vault_snapshots on this host.
    type: path
    required: true
  python:
    description: Interpreter that runs it.
    type: path
    default: /usr/bin/python3
  binary:
    description: The server program.
    type: path
    required: true
  user:
    description: User that the scratch server runs as; it reads I(snapshot).
    type: str
    required: true
  snapshot:
    description: The file.
    type: path
    required: true
  shares:
    description: As many key shares as open it.
    type: list
    elements: str
    required: true
  bound:
    description: Seconds after which the unit is ended.
    type: int
    default: 300
author:
  - triphase
"""

EXAMPLES = r"""
- name: Check it
  snapshot_verify:
    program: /usr/local/lib/openbao-snapshots/snapshot_verify.py
    binary: /usr/local/bin/bao
    user: openbao
    snapshot: /var/lib/openbao/snapshots/.verify.snap
    shares: "{{ shares }}"
  no_log: true
"""

RETURN = r"""
found:
  description: Its I(index), I(applied) (the Raft index of the scratch server once it was open), I(sha256) and I(size).
  type: dict
  returned: success
"""

PROPERTIES = ('PrivateNetwork=yes', 'PrivateTmp=yes', 'ProtectSystem=strict', 'ProtectHome=yes', 'NoNewPrivileges=yes', 'UMask=0077',
              'Environment=PYTHONDONTWRITEBYTECODE=1', 'KillMode=control-group', 'LimitCORE=0')


def main():
    module = AnsibleModule(argument_spec={
        'program': {'type': 'path', 'required': True},
        'python': {'type': 'path', 'default': '/usr/bin/python3'},
        'binary': {'type': 'path', 'required': True},
        'user': {'type': 'str', 'required': True},
        'snapshot': {'type': 'path', 'required': True},
        'shares': {'type': 'list', 'elements': 'str', 'required': True, 'no_log': True},
        'bound': {'type': 'int', 'default': 300},
    }, supports_check_mode=True)
    args = module.params
    unit = 'snapshot-verify-%s.service' % uuid.uuid4().hex[:12]
    argv = ['systemd-run', '--quiet', '--collect', '--wait', '--pipe', '--unit=' + unit, '--property=User=' + args['user'],
            '--property=RuntimeMaxSec=%d' % args['bound']] + ['--property=' + one for one in PROPERTIES]
    try:
        done = subprocess.run(argv + [args['python'], args['program'], args['binary'], args['snapshot']],
                              input=json.dumps(args['shares']).encode('ascii'), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=args['bound'] + 30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        module.fail_json(msg='the scratch server did not end: %s' % error)
    finally:
        subprocess.run(['systemctl', 'stop', unit], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    said = done.stderr.decode('utf-8', 'replace').strip().splitlines()
    if done.returncode:
        module.fail_json(msg='the snapshot was not verified: %s' % (said[-1] if said else 'ended with %d' % done.returncode), log=said[-20:])
    found = json.loads(done.stdout)
    module.exit_json(changed=False, found=found, triphase_told={
        'subject': 'vault-snapshot', 'detail': found,
        'text': 'verified: Raft index %d, %d bytes, opens in a scratch server with the shares that are kept' % (found['index'], found['size'])})


if __name__ == '__main__':
    main()
