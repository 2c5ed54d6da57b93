#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Looks at the tokens that the vault roles make: who is valid, for how long, and who lives again. Changes nothing."""
from __future__ import annotations

import hashlib
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.openbao_api import Api

DOCUMENTATION = r"""
module: openbao_tokens
short_description: Looks at the tokens of an OpenBao server
description:
  - Tells whether the admin token, the root token and the token for snapshots are valid, and which of the accessors that were revoked
    live (a restore revives them). Changes nothing.
options:
  url:
    description: Root of the API.
    type: str
    required: true
  ca:
    description: PEM certificate of who signs for the server; no other is trusted.
    type: path
    required: true
  admin:
    description: The admin token.
    type: str
    default: ""
  root:
    description: The root token, where one is kept.
    type: str
    default: ""
  token_file:
    description: File on this host with the token for snapshots.
    type: path
  revoked:
    description: Accessors of tokens that must not live.
    type: list
    elements: str
    default: []
  policies:
    description: Policies whose text is read.
    type: list
    elements: str
    default: []
  receipt:
    description: File whose checksum tells one life of the host from the next.
    type: path
  mark:
    description:
      - Lineage in the metadata of the tokens that these roles make. Where it is given, all tokens are gone through for ones that bear it
        and are neither the admin token nor the one for snapshots; a run that was cut off between making and keeping leaves such.
    type: str
    default: ""
  roots_since:
    description: Root tokens made at this time (seconds since 1970, by the server's clock) or later count as such too; 0, none does.
    type: int
    default: 0
  tell:
    description: What the run's report shall say, one line.
    type: str
    default: ""
author:
  - triphase
"""

EXAMPLES = r"""
- name: Look at the tokens
  openbao_tokens:
    url: https://127.0.0.1:8200
    ca: /etc/openbao/tls/ca.crt
    admin: "{{ admin }}"
    token_file: /etc/openbao/snapshot.token
    revoked: ["L0MFCjwep22Gd3WNbdZWCdJp"]
  register: look
"""

RETURN = r"""
api:
  description: Whether the API answers, and whether it is initialized, sealed, active.
  type: dict
  returned: always
admin:
  description: Of the admin token whether it is I(valid), its I(accessor), I(policies), I(ttl) and I(period) in seconds, and whether it is I(orphan).
  type: dict
  returned: always
root:
  description: The same of the root token.
  type: dict
  returned: always
snapshot:
  description: The same of the token for snapshots.
  type: dict
  returned: always
looked:
  description: Whether anybody had the right to look after the accessors and policies.
  type: bool
  returned: always
alive:
  description: Accessors of I(revoked) that live.
  type: list
  returned: always
strays:
  description: Accessors of tokens that bear the mark and are nobody's.
  type: list
  returned: always
policies:
  description: Texts of the policies.
  type: dict
  returned: always
receipt:
  description: SHA-256 of the file, empty without one.
  type: str
  returned: always
now:
  description: Seconds since 1970 by the server's clock.
  type: int
  returned: always
"""

# More tokens than this are not gone through for strays, each is a call: those end with their period.
MOST_GONE_THROUGH = 2000


def worth(api, token):
    """What a token is worth, asked by itself."""
    status, body = api.call('GET', '/v1/auth/token/lookup-self', token) if token else (0, {})
    data = body.get('data') or {}
    return {'valid': status == 200, 'accessor': str(data.get('accessor') or ''), 'ttl': int(data.get('ttl') or 0),
            'period': int(data.get('period') or 0), 'policies': sorted(data.get('policies') or []),
            'orphan': bool(data.get('orphan'))}


def lookup(api, token, accessor):
    """The token's data, {} where there is none; LookupError where that cannot be told."""
    status, body = api.call('POST', '/v1/auth/token/lookup-accessor', token, {'accessor': accessor})
    if status == 200:
        return body.get('data') or {}
    # OpenBao answers 400, Vault 403 or 404 by its version; a 403 of another reason says nothing of the token.
    if status in (400, 403, 404) and 'invalid accessor' in ' '.join(str(error) for error in body.get('errors') or []):
        return {}
    raise LookupError(api.refusal('POST', '/v1/auth/token/lookup-accessor', status, body))


def go_through(api, token, mark, roots_since, own):
    """Accessors of tokens that bear the mark and are not among `own`."""
    status, body = api.call('LIST', '/v1/auth/token/accessors', token)
    accessors = (body.get('data') or {}).get('keys') or []
    if status != 200 or len(accessors) > MOST_GONE_THROUGH:
        return []
    strays = []
    for accessor in accessors:
        if accessor in own:
            continue
        data = lookup(api, token, accessor)
        late = roots_since and data.get('policies') == ['root'] and int(data.get('creation_time') or 0) >= roots_since
        if late or (data.get('meta') or {}).get('lineage') == mark:
            strays.append(accessor)
    return strays


def read(path):
    try:
        with open(path, 'rb') as stream:
            return stream.read(1 << 20)
    except (OSError, TypeError):
        return b''


def main():
    module = AnsibleModule(argument_spec={
        'url': {'type': 'str', 'required': True},
        'ca': {'type': 'path', 'required': True},
        'admin': {'type': 'str', 'default': '', 'no_log': True},
        'root': {'type': 'str', 'default': '', 'no_log': True},
        'token_file': {'type': 'path', 'no_log': False},
        'revoked': {'type': 'list', 'elements': 'str', 'default': []},
        'policies': {'type': 'list', 'elements': 'str', 'default': []},
        'receipt': {'type': 'path'},
        'mark': {'type': 'str', 'default': ''},
        'roots_since': {'type': 'int', 'default': 0},
        'tell': {'type': 'str', 'default': ''},
    }, supports_check_mode=True)
    args = module.params
    api = Api(args['url'], args['ca'])
    kept = read(args['token_file']).decode('utf-8', 'replace').strip()
    module.no_log_values.update({kept} if kept else set())
    receipt = read(args['receipt'])
    result = {'changed': False, 'api': api.health(), 'looked': False, 'alive': [], 'strays': [], 'policies': {},
              'receipt': hashlib.sha256(receipt).hexdigest() if receipt else '', 'now': int(time.time())}
    asked = result['api']['active']
    for name, token in (('admin', args['admin']), ('root', args['root']), ('snapshot', kept)):
        result[name] = worth(api, token if asked else '')
    token = args['admin'] if result['admin']['valid'] else args['root'] if result['root']['valid'] else ''
    if token:
        try:
            result['alive'] = [accessor for accessor in args['revoked'] if lookup(api, token, accessor)]
            if args['mark']:
                own = [result[name]['accessor'] for name in ('admin', 'root', 'snapshot')]
                result['strays'] = go_through(api, token, args['mark'], args['roots_since'], own)
            result['looked'] = True
        except LookupError as error:
            module.fail_json(msg='cannot tell which tokens live: %s' % error)
        for name in args['policies']:
            _status, body = api.call('GET', '/v1/sys/policies/acl/' + name, token)
            result['policies'][name] = str((body.get('data') or {}).get('policy', '')).rstrip()
    if args['tell']:
        result['triphase_told'] = {'subject': 'tokens', 'text': args['tell'][:500], 'detail': {
            'admin': result['admin']['accessor'], 'snapshot': result['snapshot']['accessor'], 'alive': result['alive']}}
    module.exit_json(**result)


if __name__ == '__main__':
    main()
