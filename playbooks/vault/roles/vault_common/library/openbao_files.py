#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Lays down directories and small files in one go, each file whole and on the disk or not at all."""
from __future__ import annotations

import grp
import os
import pwd
import stat

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.whole_file import bytes_of, write

DOCUMENTATION = r"""
module: openbao_files
short_description: Lays down directories and files in one go
description:
  - For the programs of the snapshots, eight files of no use one without the other. A loop over copy asks the host four times for each
    item that is new; this is one call for all. Single files are for C(ansible.builtin.copy) and C(ansible.builtin.template).
  - A file is written beside, with its owner and mode, synced and renamed, so that it is never seen half, and is there after a crash of the host.
options:
  directories:
    description: Directories, as dictionaries with I(path), I(owner), I(group), I(mode); the outer ones first.
    type: list
    elements: dict
    default: []
  files:
    description:
      - Files, as dictionaries with I(path), I(content), I(mode), and I(owner) and I(group) where they are not this user's.
      - Content that is no text is written as JSON.
    type: list
    elements: dict
    default: []
author:
  - triphase
"""

EXAMPLES = r"""
- name: Write the configuration
  openbao_files:
    files:
      - path: /etc/openbao/openbao.hcl
        content: "{{ lookup('ansible.builtin.template', 'openbao.hcl.j2') }}"
        mode: "0644"
"""

RETURN = r"""
written:
  description: What was made or changed.
  type: list
  returned: success
"""


def owner_of(entry):
    user, group = entry.get('owner'), entry.get('group')
    return pwd.getpwnam(user).pw_uid if user else -1, grp.getgrnam(group).gr_gid if group else -1


def is_so(status, kind, entry):
    user, group = owner_of(entry)
    return (status is not None and status.st_mode == kind | int(str(entry['mode']), 8)
            and user in (-1, status.st_uid) and group in (-1, status.st_gid))


def look(path):
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def lay_directory(entry, check):
    path = entry['path']
    status = look(path)
    if is_so(status, stat.S_IFDIR, entry):
        return False
    if not check:
        if status is None:
            os.mkdir(path, 0o700)
        elif not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError('%s is there and no directory; move it away' % path)
        os.chown(path, *owner_of(entry))
        os.chmod(path, int(str(entry['mode']), 8))
    return True


def lay_file(entry, before, after, check):
    path = entry['path']
    if before == after and is_so(look(path), stat.S_IFREG, entry):
        return False
    if not check:
        write(path, after, int(str(entry['mode']), 8), *owner_of(entry))
    return True


def main():
    module = AnsibleModule(argument_spec={
        'directories': {'type': 'list', 'elements': 'dict', 'default': []},
        'files': {'type': 'list', 'elements': 'dict', 'default': []},
    }, supports_check_mode=True)
    written, diff = [], []
    entry = {}
    try:
        for entry in module.params['directories']:
            if lay_directory(entry, module.check_mode):
                written.append(entry['path'])
        for entry in module.params['files']:
            after = bytes_of(entry.get('content', ''))
            status = look(entry['path'])
            before = b''
            if status is not None and stat.S_ISREG(status.st_mode):
                with open(entry['path'], 'rb') as stream:
                    before = stream.read(1 << 20)
            if lay_file(entry, before, after, module.check_mode):
                written.append(entry['path'])
                diff.append({'before_header': entry['path'], 'after_header': entry['path'],
                             'before': before.decode('utf-8', 'replace'), 'after': after.decode('utf-8', 'replace')})
    except (OSError, KeyError, ValueError) as error:
        module.fail_json(msg='cannot lay down %s: %s' % (entry.get('path', '(an entry without path)'), error), written=written)
    module.exit_json(changed=bool(written), written=written, diff=diff)


if __name__ == '__main__':
    main()
