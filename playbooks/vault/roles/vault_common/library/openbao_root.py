#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""A root token of OpenBao from key shares."""
from __future__ import annotations

import base64

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.openbao_api import Api

DOCUMENTATION = r"""
module: openbao_root
short_description: Makes a root token of key shares
description:
  - An attempt that somebody else began is cancelled. The server's listener has to allow it (disable_unauthed_generate_root_endpoints = false).
options:
  url:
    description: Root of the API.
    type: str
    required: true
  ca:
    description: PEM certificate of who signs for the server; no other is trusted.
    type: path
    required: true
  shares:
    description: As many key shares as the threshold asks for, in base64.
    type: list
    elements: str
    required: true
author:
  - triphase
"""

EXAMPLES = r"""
- name: Make a root token
  openbao_root:
    url: https://127.0.0.1:8200
    ca: /etc/openbao/tls/ca.crt
    shares: "{{ shares }}"
  no_log: true
"""

RETURN = r"""
root_token:
  description: The new token.
  type: str
  returned: success, not in check mode
"""

ATTEMPT = '/v1/sys/generate-root/attempt'


def plain(encoded, pad):
    """What the server gives back is the token, byte for byte under the one-time pad that it gave out at the start."""
    covered = base64.b64decode(encoded + '=' * (-len(encoded) % 4))
    return bytes(byte ^ cover for byte, cover in zip(covered, pad.encode('ascii'))).decode('ascii')


def main():
    module = AnsibleModule(argument_spec={
        'url': {'type': 'str', 'required': True},
        'ca': {'type': 'path', 'required': True},
        'shares': {'type': 'list', 'elements': 'str', 'required': True, 'no_log': True},
    }, supports_check_mode=True)
    if module.check_mode:
        module.exit_json(changed=True)
    args = module.params
    api = Api(args['url'], args['ca'])

    def ask(method, path, body=None):
        status, reply = api.call(method, path, body=body)
        if status not in (200, 204):
            module.fail_json(msg=api.refusal(method, path, status, reply))
        return reply

    ask('DELETE', ATTEMPT)
    begun = ask('PUT', ATTEMPT, {})
    reply = {}
    for share in args['shares']:
        reply = ask('PUT', '/v1/sys/generate-root/update', {'key': share, 'nonce': begun.get('nonce')})
    if not reply.get('complete'):
        ask('DELETE', ATTEMPT)
        module.fail_json(msg='%d shares are not enough: the server wants %s' % (len(args['shares']), reply.get('required')))
    module.exit_json(changed=True, root_token=plain(reply['encoded_token'], begun['otp']))


if __name__ == '__main__':
    main()
