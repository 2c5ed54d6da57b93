#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Keeps one snapshot in a store of snapshots."""
from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.snapshot_file import DamagedError, StoreError, check_snapshot
from ansible.module_utils.snapshot_store import COHERENT, STORE_OPTIONS, open_store

DOCUMENTATION = r"""
module: snapshot_store
short_description: Keeps a snapshot in a store
description:
  - Checks the file by the sums that it carries, writes it to the slot that does not count and swaps latest.json, so that of two writers one
    wins and what was cut off harms nothing. Does nothing where the snapshot that counts has the same Raft index.
options:
  store:
    description: The store, as M(snapshot_store_info) takes it.
    type: dict
    required: true
  lineage:
    description: Lineage that the snapshot is of.
    type: str
    required: true
  src:
    description: File with the snapshot.
    type: path
    required: true
  sha256:
    description: What its SHA-256 has to be; left out, only the sums that it carries count.
    type: str
  at:
    description: When it was made, as C(2026-11-30T12:00:00Z); left out, now.
    type: str
author:
  - triphase
"""

EXAMPLES = r"""
- name: Keep it
  snapshot_store:
    store:
      kind: directory
      directory: /srv/snapshots
    lineage: "{{ lineage }}"
    src: /run/snapshot
"""

RETURN = r"""
result:
  description: C(kept), C(unchanged), or C(overtaken) by another writer's that is as new.
  type: str
  returned: success
evidence:
  description: The same in a line.
  type: str
  returned: success
latest:
  description: What latest.json says now.
  type: dict
  returned: success
conditional:
  description: Whether the store heeds conditions; null where nothing was written.
  type: bool
  returned: success
"""


def main():
    module = AnsibleModule(argument_spec={
        'store': {'type': 'dict', 'required': True, 'options': STORE_OPTIONS},
        'lineage': {'type': 'str', 'required': True},
        'src': {'type': 'path', 'required': True},
        'sha256': {'type': 'str'},
        'at': {'type': 'str'},
    }, supports_check_mode=True)
    args = module.params
    try:
        os.umask(0o077)
        store = open_store(args['store'])
        fresh = check_snapshot(args['src'])
        if args['sha256'] and fresh['sha256'] != args['sha256']:
            raise DamagedError('%s has the SHA-256 %s, not %s' % (args['src'], fresh['sha256'], args['sha256']))
        if module.check_mode:
            found = store.look(args['lineage'])
            same = found['state'] == COHERENT and found['latest']['index'] == fresh['index']
            module.exit_json(changed=not same, result='unchanged' if same else 'kept', **found, conditional=None)
        kept = store.keep(args['lineage'], args['src'], args['at'])
    except (StoreError, DamagedError, OSError) as error:
        module.fail_json(msg='the snapshot was not kept: %s' % error)
    module.exit_json(changed=kept['result'] == 'kept', **kept)


if __name__ == '__main__':
    main()
