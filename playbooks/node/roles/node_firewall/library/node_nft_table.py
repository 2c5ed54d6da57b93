#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Keeps one table of nftables as a file says, in one transaction, and takes it back where nobody is heard afterwards."""
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: node_nft_table
short_description: Keeps one table of nftables
description:
  - Compares the table that is loaded, not only the file, with what the content would load; that is known by loading it into a network
    namespace of its own first, which also finds what nft would refuse.
  - Loads it in one transaction. Other tables are never touched.
  - With C(state=loaded) the new rules are taken back after I(undo) seconds, and the file keeps its place, until C(state=kept).
options:
  table:
    description: Family and name of the table.
    type: str
    required: true
  content:
    description: The whole file; it has to begin with removing the table, so that loading it twice is the same as once.
    type: str
    default: ""
  path:
    description: Where the file is kept.
    type: path
    required: true
  undo:
    description: Seconds after which the rules that were loaded before come back.
    type: int
    default: 60
  state:
    description: What is to be. C(verified) changes nothing and fails where what is loaded is not what the file on the host says.
    type: str
    choices: [loaded, kept, absent, verified]
    default: loaded
author:
  - triphase
"""

EXAMPLES = r"""
- name: Load it
  node_nft_table:
    table: inet example
    content: "{{ lookup('ansible.builtin.template', 'example.nft.j2') }}"
    path: /etc/example.nft
"""

RETURN = r"""
loaded:
  description: The table as it was loaded before, empty where there was none.
  type: str
  returned: always
"""

BOUND = 30
PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'


class Problem(Exception):
    pass


def run(*argv, **more):
    try:
        return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=BOUND, check=False,
                              env={'PATH': PATH, 'LC_ALL': 'C'}, universal_newlines=True, **more)
    except (OSError, subprocess.SubprocessError) as error:
        raise Problem('%s: %s' % (' '.join(argv[:4]), error)) from error


def listed(table):
    """The table as it is loaded, without its counters; '' where there is none."""
    said = run('nft', '-s', 'list', 'table', *table)
    if said.returncode == 0:
        return said.stdout
    if 'No such file or directory' in said.stderr:
        return ''
    raise Problem('nft does not list its tables: ' + said.stderr.strip())


def tried(table, file):
    """What the file would load, by doing it where no packet is."""
    script = 'nft -f "$1" && nft -s list table "$2" "$3"'
    said = run('unshare', '--net', 'sh', '-c', script, 'sh', file, *table)
    if said.returncode != 0:
        raise Problem('nft does not take the rules, and those that are loaded stay: ' + said.stderr.strip())
    return said.stdout


def read(path):
    try:
        with open(path, encoding='utf-8') as file:
            return file.read()
    except FileNotFoundError:
        return ''
    except (OSError, UnicodeDecodeError) as error:
        raise Problem('%s cannot be read: %s' % (path, error)) from error


def write(path, content):
    try:
        with open(path, 'w', encoding='utf-8') as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise Problem('%s cannot be written, and the rules that are loaded stay: %s' % (path, error)) from error


def sync_folder(path):
    fd = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Keeper:
    def __init__(self, table, path):
        self.table, self.path = table.split(), path
        self.unit = '%s-undo' % '-'.join(self.table)
        self.new, self.before = path + '.new', '/run/%s.nft' % self.unit

    def disarm(self):
        run('systemctl', 'stop', self.unit + '.timer', self.unit + '.service')
        run('systemctl', 'reset-failed', self.unit + '.timer', self.unit + '.service')

    def arm(self, loaded, seconds):
        """Whatever becomes of this connection, in so many seconds the rules are again those that are loaded now."""
        self.disarm()
        name = ' '.join(self.table)
        write(self.before, 'table %s\ndelete table %s\n%s' % (name, name, loaded))
        said = run('systemd-run', '--quiet', '--collect', '--unit=' + self.unit, '--on-active=%ds' % seconds,
                   '--timer-property=AccuracySec=100ms', '--description=Takes rules back that nobody confirmed',
                   shutil.which('nft', path=PATH), '-f', self.before)
        if said.returncode != 0:
            raise Problem('no timer could be set that would take the rules back, so none were loaded: ' + said.stderr.strip())

    def load(self, content, wanted, loaded, seconds):
        write(self.new, content)
        if loaded == wanted:
            return
        self.arm(loaded, seconds)
        said = run('nft', '-f', self.new)
        now = listed(self.table) if said.returncode == 0 else ''
        if now == wanted:
            return
        run('nft', '-f', self.before)
        self.disarm()
        os.unlink(self.new)
        raise Problem('the rules were not loaded as wanted, and those from before are back: ' + (said.stderr.strip() or now))

    def keep(self, wanted):
        self.disarm()
        if listed(self.table) != wanted:
            raise Problem('the rules were taken back, since this task was not heard in time: they would have cut this connection. '
                          'What was wanted is in %s' % self.new)
        os.rename(self.new, self.path)
        sync_folder(self.path)
        if os.path.exists(self.before):
            os.unlink(self.before)

    def remove(self, loaded):
        self.disarm()
        for path in (self.path, self.new, self.before):
            if os.path.exists(path):
                os.unlink(path)
        if loaded:
            said = run('nft', 'delete', 'table', *self.table)
            if said.returncode != 0:
                raise Problem('the table could not be removed: ' + said.stderr.strip())


def work(module):
    arguments = module.params
    keeper = Keeper(arguments['table'], arguments['path'])
    state, content = arguments['state'], arguments['content']
    if not shutil.which('nft', path=PATH):
        if state == 'absent':
            there = os.path.exists(keeper.path)
            if not module.check_mode:
                keeper.remove('')
            return {'changed': there, 'loaded': ''}
        if module.check_mode:
            return {'changed': True, 'loaded': ''}
        raise Problem('the program nft is not there')
    loaded, file = listed(keeper.table), read(keeper.path)
    if state == 'absent':
        changed = bool(loaded) or os.path.exists(keeper.path)
        if changed and not module.check_mode:
            keeper.remove(loaded)
        return {'changed': changed, 'loaded': loaded, 'diff': {'before': loaded, 'after': ''}}
    if state == 'verified':
        content = file
        if not file:
            raise Problem('%s is not there' % keeper.path)
    with tempfile.NamedTemporaryFile('w', prefix='nft-', encoding='utf-8') as trial:
        trial.write(content)
        trial.flush()
        wanted = tried(keeper.table, trial.name)
    changed = loaded != wanted or file != content
    if state == 'verified':
        if loaded != wanted:
            raise Problem('what is loaded is not what %s says' % keeper.path)
    elif state == 'kept':
        if not module.check_mode:
            keeper.keep(wanted)
        changed = False
    elif changed and not module.check_mode:
        keeper.load(content, wanted, loaded, arguments['undo'])
    return {'changed': changed, 'loaded': loaded,
            'diff': {'before': loaded, 'after': wanted, 'before_header': 'loaded', 'after_header': 'wanted'}}


def main():
    module = AnsibleModule(argument_spec={
        'table': {'type': 'str', 'required': True},
        'content': {'type': 'str', 'default': ''},
        'path': {'type': 'path', 'required': True},
        'undo': {'type': 'int', 'default': 60},
        'state': {'type': 'str', 'choices': ['loaded', 'kept', 'absent', 'verified'], 'default': 'loaded'},
    }, supports_check_mode=True)
    try:
        module.exit_json(**work(module))
    except Problem as problem:
        module.fail_json(msg='%s: %s.' % (module.params['table'], problem))


if __name__ == '__main__':
    main()
