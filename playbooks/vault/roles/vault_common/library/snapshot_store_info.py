#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Looks at a store of snapshots, and brings the one that counts. Changes nothing in the store."""
from __future__ import annotations

import json
import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.snapshot_file import StoreError, age, digest
from ansible.module_utils.snapshot_store import COHERENT, EMPTY, LINEAGE, STORE_OPTIONS, open_store

DOCUMENTATION = r"""
module: snapshot_store_info
short_description: Looks at a store of snapshots
description:
  - Tells whether a lineage has nothing (0), a snapshot whose bytes, checksums and lineage fit (1), or anything else (2) in the store.
  - A store that cannot be asked is a failure of the task, and never taken for an empty one.
options:
  store:
    description:
      - The store, as a dictionary with I(kind) (C(directory) or C(s3)), I(prefix), and I(directory), or I(url), I(bucket), I(region), I(style)
        (C(path) or C(virtual)), I(access_key), I(secret_key), I(ca).
    type: dict
    required: true
  lineage:
    description: Lineage to look for; left out, all lineages are looked at.
    type: str
    default: ""
  lineage_of:
    description: JSON file on this machine that names the lineage; where it is absent or cannot be read, all lineages are looked at.
    type: path
  dest:
    description: File that the snapshot is written to, 0600, where it is coherent; it needs a lineage.
    type: path
  tell:
    description: What the snapshot is looked for; the run's report says then which one it was, and how old.
    type: str
author:
  - triphase
"""

EXAMPLES = r"""
- name: Look at the store
  snapshot_store_info:
    store:
      kind: directory
      directory: /srv/snapshots
  register: found
"""

RETURN = r"""
state:
  description: 0 empty, 1 coherent, 2 incoherent; the greatest one where all lineages are looked at.
  type: int
  returned: success
evidence:
  description: What that was seen by, one line.
  type: str
  returned: success
latest:
  description: What latest.json says, with I(age) in seconds.
  type: dict
  returned: success
lineages:
  description: For each lineage that is there, or the one that was asked for, its I(state), I(evidence) and I(latest).
  type: dict
  returned: success
"""


def span(seconds):
    for name, length in (('d', 86400), ('h', 3600), ('min', 60)):
        if seconds >= 2 * length:
            return '%d %s' % (seconds // length, name)
    return '%d s' % seconds


def named_in(path):
    try:
        with open(path, 'rb') as stream:
            lineage = str(json.loads(stream.read(1 << 20))['lineage'])
    except (OSError, ValueError, KeyError, TypeError):
        return ''
    return lineage if LINEAGE.match(lineage) else ''


def place(found, dest, check):
    """Whether `dest` had to be written: the bytes lie in `found`, beside it."""
    try:
        same = digest(dest) == digest(found)
    except FileNotFoundError:
        same = False
    if same or check:
        os.unlink(found)
        return not same
    os.chmod(found, 0o600)
    os.rename(found, dest)
    return True


def main():
    module = AnsibleModule(argument_spec={
        'store': {'type': 'dict', 'required': True, 'options': STORE_OPTIONS},
        'lineage': {'type': 'str', 'default': ''},
        'lineage_of': {'type': 'path'},
        'dest': {'type': 'path'},
        'tell': {'type': 'str'},
    }, supports_check_mode=True)
    args = module.params
    changed, lineages = False, {}
    if args['dest'] and not args['lineage']:
        module.fail_json(msg='dest needs a lineage')
    beside = os.path.join(os.path.dirname(args['dest']), '.%s.new' % os.path.basename(args['dest'])) if args['dest'] else None
    try:
        os.umask(0o077)
        store = open_store(args['store'])
        asked = args['lineage'] or (named_in(args['lineage_of']) if args['lineage_of'] else '')
        for lineage in [asked] if asked else store.lineages():
            lineages[lineage] = store.look(lineage, beside)
            if lineages[lineage]['latest']:
                lineages[lineage]['latest']['age'] = age(lineages[lineage]['latest']['at'])
        if beside and lineages[args['lineage']]['state'] == COHERENT:
            changed = place(beside, args['dest'], module.check_mode)
    except (StoreError, OSError) as error:
        module.fail_json(msg='the snapshot store could not be asked: %s' % error)
    worst = max(lineages.values(), key=lambda found: found['state'], default=None)
    told = {}
    if args['tell'] and worst:
        latest = worst['latest']
        text = '%s: %s%s' % (args['tell'], worst['evidence'], ', %s old' % span(latest['age']) if latest else '')
        told = {'triphase_told': {'subject': 'vault-snapshot', 'text': text[:500], 'detail': {'state': worst['state'], 'latest': latest}}}
    module.exit_json(
        changed=changed, lineages=lineages, **told,
        state=worst['state'] if worst else EMPTY,
        evidence=worst['evidence'] if worst else 'no lineage has anything in %s' % store.back_end.where(store.prefix),
        latest=worst['latest'] if worst else {})


if __name__ == '__main__':
    main()
