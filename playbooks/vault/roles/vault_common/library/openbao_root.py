#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""A root token of OpenBao from key shares."""
from __future__ import annotations

import base64
import http.client
import json
import os
import socket

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: openbao_root
short_description: Makes a root token of key shares
description:
  - An attempt that somebody else began is cancelled. OpenBao allows it only where the listener says so
    (disable_unauthed_generate_root_endpoints = false), which that of I(socket) does.
options:
  socket:
    description: The server's unix socket, which only its user and root can open.
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
    socket: /run/openbao/root.sock
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


class Door(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path):
        super().__init__('localhost', timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def call(path, method, what, body=None):
    """(status, object); status 0 where nobody answers."""
    door = Door(path)
    try:
        door.request(method, what, None if body is None else json.dumps(body))
        reply = door.getresponse()
        status, data = reply.status, reply.read(1 << 20)
    except (OSError, http.client.HTTPException) as error:
        return 0, {'errors': [str(error)]}
    finally:
        door.close()
    try:
        value = json.loads(data)
    except ValueError:
        value = {}
    return status, value if isinstance(value, dict) else {}


def plain(encoded, pad):
    """What the server gives back is the token, byte for byte under the one-time pad that it gave out at the start."""
    covered = base64.b64decode(encoded + '=' * (-len(encoded) % 4))
    return bytes(byte ^ cover for byte, cover in zip(covered, pad.encode('ascii'))).decode('ascii')


def main():
    module = AnsibleModule(argument_spec={
        'socket': {'type': 'path', 'required': True},
        'shares': {'type': 'list', 'elements': 'str', 'required': True, 'no_log': True},
    }, supports_check_mode=True)
    if module.check_mode:
        module.exit_json(changed=True)
    args = module.params
    if not os.path.exists(args['socket']):
        module.fail_json(msg='the server does not listen on %s, where alone a root token can be made of the shares: it was started with '
                             'another configuration. Run the phases install and converge, and this one again.' % args['socket'])

    def ask(method, path, body=None):
        status, reply = call(args['socket'], method, path, body)
        if status not in (200, 204):
            said = '; '.join(str(error).strip() for error in reply.get('errors') or []) or 'no reason given'
            module.fail_json(msg='%s %s on %s: status %d: %s' % (method, path, args['socket'], status, said))
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
