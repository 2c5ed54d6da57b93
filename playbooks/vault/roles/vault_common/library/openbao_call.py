#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Calls OpenBao's API: key shares, or a list of requests, in one task."""
from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.openbao_api import Api

DOCUMENTATION = r"""
module: openbao_call
short_description: Calls the API of OpenBao
description:
  - Gives key shares until the server is unsealed, revokes tokens, then sends requests one after the other. Stops at the first one that
    is not answered with an expected status.
options:
  url:
    description: Root of the API.
    type: str
    required: true
  ca:
    description: PEM certificate of who signs for the server; no other is trusted.
    type: path
    required: true
  token:
    description: Token for the requests.
    type: str
    default: ""
  shares:
    description: Key shares.
    type: list
    elements: str
    default: []
  revoke:
    description: Accessors of tokens that are to end; one that is gone already is no failure.
    type: list
    elements: str
    default: []
  calls:
    description: Requests, as dictionaries with I(method), I(path), I(body), I(expect).
    type: list
    elements: dict
    default: []
author:
  - triphase
"""

EXAMPLES = r"""
- name: Write a policy
  openbao_call:
    url: https://127.0.0.1:8200
    ca: /etc/openbao/tls/ca.crt
    token: "{{ token }}"
    calls:
      - method: PUT
        path: /v1/sys/policies/acl/reader
        body:
          policy: path "secret/*" { capabilities = ["read"] }
"""

RETURN = r"""
replies:
  description: The replies' objects, in the order of the requests.
  type: list
  returned: success
"""


def main():
    module = AnsibleModule(argument_spec={
        'url': {'type': 'str', 'required': True},
        'ca': {'type': 'path', 'required': True},
        'token': {'type': 'str', 'default': '', 'no_log': True},
        'shares': {'type': 'list', 'elements': 'str', 'default': [], 'no_log': True},
        'revoke': {'type': 'list', 'elements': 'str', 'default': []},
        'calls': {'type': 'list', 'elements': 'dict', 'default': []},
    }, supports_check_mode=True)
    args = module.params
    changes = bool(args['shares'] or args['revoke']) or any(call.get('method', 'GET') != 'GET' for call in args['calls'])
    if changes and module.check_mode:
        module.exit_json(changed=True, replies=[])
    api = Api(args['url'], args['ca'])
    calls = [{'method': 'PUT', 'path': '/v1/sys/unseal', 'body': {'key': share}} for share in args['shares']]
    # 400, 403, 404: there is no such token; what the caller may not do shows when it looks.
    calls += [{'method': 'PUT', 'path': '/v1/auth/token/revoke-accessor', 'body': {'accessor': accessor}, 'token': args['token'],
               'expect': (200, 204, 400, 403, 404)} for accessor in args['revoke']]
    replies = []
    for call in calls + [dict(call, token=args['token']) for call in args['calls']]:
        method, path = call.get('method', 'GET'), call['path']
        status, body = api.call(method, path, call.get('token', ''), call.get('body'))
        if status not in call.get('expect', (200, 204)):
            module.fail_json(msg=api.refusal(method, path, status, body))
        replies.append(body)
    module.exit_json(changed=changes, replies=replies[len(calls):])


if __name__ == '__main__':
    main()
