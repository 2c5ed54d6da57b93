#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Writes one small file that must be on the disk, whole, before the next step begins."""
from __future__ import annotations

import grp
import os
import pwd
import stat

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.whole_file import bytes_of, write

DOCUMENTATION = r"""
module: vault_keep
short_description: Writes a small file whose loss would be the loss of the server
description:
  - Key shares, receipts and tokens only. The file is written beside, synced, renamed, and its directory synced, so that it is never seen half,
    and that neither a crash of the machine during the task nor after it takes away both the old and the new one. C(ansible.builtin.copy) does
    not sync.
options:
  path:
    description: The file. Its directory is there.
    type: path
    required: true
  content:
    description: What it holds; what is no text is written as JSON.
    type: raw
    required: true
  mode:
    description: Its mode.
    type: str
    default: "0600"
  owner:
    description: Its owner; this user where it is left out.
    type: str
  group:
    description: Its group; this user's where it is left out.
    type: str
author:
  - triphase
"""

EXAMPLES = r"""
- name: Keep the shares
  vault_keep:
    path: "{{ vault_common_kept_shares }}"
    content: "{{ shares }}"
  no_log: true
"""

RETURN = r"""
path:
  description: The file.
  type: str
  returned: success
"""


def as_it_is(path):
    """(bytes, mode, uid, gid) of a plain file; None where there is none."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise OSError('it is there and no plain file; move it away')
    with open(path, 'rb') as stream:
        return stream.read(), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid


def main():
    module = AnsibleModule(argument_spec={
        'path': {'type': 'path', 'required': True},
        'content': {'type': 'raw', 'required': True, 'no_log': True},
        'mode': {'type': 'str', 'default': '0600'},
        'owner': {'type': 'str'},
        'group': {'type': 'str'},
    }, supports_check_mode=True)
    args = module.params
    try:
        data = bytes_of(args['content'])
        mode = int(args['mode'], 8)
        uid = pwd.getpwnam(args['owner']).pw_uid if args['owner'] else os.geteuid()
        gid = grp.getgrnam(args['group']).gr_gid if args['group'] else os.getegid()
        changed = as_it_is(args['path']) != (data, mode, uid, gid)
        if changed and not module.check_mode:
            write(args['path'], data, mode, uid, gid)
    except (OSError, KeyError, ValueError) as error:
        module.fail_json(msg='cannot write %s: %s' % (args['path'], error))
    module.exit_json(changed=changed, path=args['path'])


if __name__ == '__main__':
    main()
