#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Says what is to be done with a server, before anything is touched. Runs on the execution host; changes nothing."""
from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.vault_decision import decide, look_at_host, look_at_keys, look_at_store, to_give_up

DOCUMENTATION = r"""
module: vault_classify
short_description: Decides from what the operator keeps, the host and the store of snapshots
description:
  - Looks at the operator's folder, takes what was seen of the host and of the store, and gives the action of the table in C(vault_decision.py).
  - A state that does not fit is an I(action) C(stop) with its reason and what a person can do; the task itself does not fail.
options:
  keep:
    description: The operator's folder on this machine.
    type: path
    required: true
  host:
    description: What C(openbao_info) saw of the host.
    type: dict
    required: true
  state_dir:
    description: The server's directory on the host, for the words.
    type: str
    required: true
  store:
    description: What C(snapshot_store_info) found; a store that was never asked for is empty.
    type: dict
    default: {}
  begin_anew:
    description: Lineage that is to be given up.
    type: str
    default: ""
  told:
    description: What an earlier decision of this run was (its I(told)); the same is not told again.
    type: str
    default: ""
author:
  - triphase
"""

EXAMPLES = r"""
- name: Decide
  vault_classify:
    keep: "{{ vault_common_keep_dir }}"
    host: "{{ vault_converge_look }}"
    state_dir: "{{ vault_common_state_dir }}"
  delegate_to: localhost
  register: decision
"""

RETURN = r"""
action:
  description: fresh-init, finish-init, restore, go-on, initialise-store, repair-store, begin-anew or stop.
  type: str
  returned: success
text:
  description: Why it stops.
  type: str
  returned: success
advice:
  description: What a person can do.
  type: str
  returned: success
told:
  description: Action and figures, as they are told.
  type: str
  returned: success
given_up:
  description: What I(begin_anew) gives up, where the action is begin-anew.
  type: str
  returned: success
"""


def aside(keep):
    """Lineages, or their beginnings, that were moved aside: WHEN-LINEAGE."""
    try:
        return [name.partition('-')[2] for name in os.listdir(os.path.join(keep, 'aside'))]
    except OSError:
        return []


def main():
    module = AnsibleModule(argument_spec={
        'keep': {'type': 'path', 'required': True, 'no_log': False},
        'host': {'type': 'dict', 'required': True},
        'state_dir': {'type': 'str', 'required': True},
        'store': {'type': 'dict', 'default': {}},
        'begin_anew': {'type': 'str', 'default': ''},
        'told': {'type': 'str', 'default': ''},
    }, supports_check_mode=True)
    args = module.params
    keys = look_at_keys(args['keep'])
    host = look_at_host(args['host'], args['state_dir'])
    store = look_at_store(args['store'] or {}, keys, aside(args['keep']))
    decision = decide(keys, host, store, args['keep'], args['begin_anew'])
    figures = 'T%d H%d S%d' % (keys['state'], host['state'], store['state'])
    told = '%s, %s' % (decision['action'], figures)
    said = '%s: T %s; H %s; S %s' % (told, keys['evidence'], host['evidence'], store['evidence'])
    tells = {} if told == args['told'] else {'triphase_told': {
        'subject': 'vault', 'text': said[:500],
        'detail': {'T': keys['state'], 'H': host['state'], 'S': store['state'], 'action': decision['action'], 'reason': decision['reason'],
                   'lineage': keys['lineage'] or host['lineage'] or store['lineage'], 'staged': bool(host['staged']),
                   'evidence': {'T': keys['evidence'][:400], 'H': host['evidence'][:400], 'S': store['evidence'][:400]}}}}
    module.exit_json(changed=False, figures=figures, kept=keys, host=host, store=store, told=told,
                     given_up=to_give_up(keys, store), **tells, **decision)


if __name__ == '__main__':
    main()
