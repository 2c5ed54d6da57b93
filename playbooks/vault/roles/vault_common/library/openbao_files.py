#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Lays down directories and small files in one go, each file whole and on the disk or not at all."""
from __future__ import annotations

import grp
import json
import os
import pwd
import stat

from ansible.module_utils.basic import AnsibleModule

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
        directory, name = os.path.split(path)
        # Always the same name: what was cut off here before is replaced, and does not pile up.
        beside = os.path.join(directory, '.%s.new' % name)
        if look(beside) is not None:
            os.unlink(beside)
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(handle, 'wb') as stream:
                stream.write(after)
                stream.flush()
                os.fchown(handle, *owner_of(entry))
                os.fchmod(handle, int(str(entry['mode']), 8))
                os.fsync(handle)
            os.rename(beside, path)
        except BaseException:
            os.unlink(beside)
            raise
        above = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(above)
        finally:
            os.close(above)
    return True


def content_of(entry):
    content = entry.get('content', '')
    if not isinstance(content, str):
        # Ansible 2.14 takes text that looks like a dictionary for one.
        content = json.dumps(content, indent=4, sort_keys=True) + '\n'
    return content.encode('utf-8')


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
            after = content_of(entry)
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
