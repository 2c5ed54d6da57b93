#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Joins a host to a tailnet, switches a login on that was switched off, or changes its settings."""
from __future__ import annotations

import os
import re
import subprocess

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: tailnet_join
short_description: Joins a host to a tailnet
description:
  - Runs C(tailscale up), or C(tailscale set) where there is a login. The key stands in memory alone, and the program reads it from a descriptor.
options:
  program:
    description: The program tailscale.
    type: path
    required: true
  socket:
    description: Socket of the daemon.
    type: path
    required: true
  action:
    description: What to do.
    type: str
    choices: [join, connect, set]
    required: true
  auth_key:
    description: Key to join with.
    type: str
    default: ""
  wanted:
    description: What the login should be; keys login_server, hostname, tags, accept_dns, accept_routes, ssh.
    type: dict
    required: true
  timeout:
    description: Bound in seconds.
    type: int
    default: 60
author:
  - triphase
"""

EXAMPLES = r"""
- name: Join
  tailnet_join:
    program: /usr/bin/tailscale
    socket: /run/tailscale/tailscaled.sock
    action: join
    auth_key: "{{ key }}"
    wanted: {login_server: "", hostname: web, tags: ["tag:web"], accept_dns: false, accept_routes: false, ssh: false}
"""

RETURN = r"""
"""

# What control servers say, and what follows. The first that fits counts.
MEANINGS = (
    (r'tags? .*(invalid or not permitted|not permitted)|tag.*(is not valid|not owned)',
     'The control server does not let a device with this key carry {tags}. Make a key with exactly these tags, by somebody who owns them '
     'in the policy (tagOwners).'),
    (r'already (been )?used|key is used|used .*key',
     'The auth key is spent: it was for one use, and some device has joined with it. Make a new one.'),
    (r'expired', 'The auth key has expired. Make a new one.'),
    (r'not found|invalid key|unable to validate|parse auth-?key|invalid.*auth ?key|auth ?key.*invalid|unauthorized',
     'The control server does not know this auth key. Was it made there, and is it whole?'),
    (r'x509|certificate', "The control server's certificate is not trusted here; is the host's clock right, and is its authority known?"),
    (r'timeout|timed out|deadline',
     'The device did not come up in {timeout} s. Either {server} does not answer this host, or the device waits there for approval.'),
    (r'permission denied|operation not permitted', 'The daemon may not do this; is it root, with CAP_NET_ADMIN?'),
)


def flag(name, value):
    return '--%s=%s' % (name, 'true' if value else 'false')


def settings(wanted):
    argv = [flag('accept-dns', wanted.get('accept_dns')), flag('accept-routes', wanted.get('accept_routes')), flag('ssh', wanted.get('ssh'))]
    return argv + (['--hostname=' + wanted['hostname']] if wanted.get('hostname') else [])


def login(wanted, key):
    argv = ['--login-server=' + wanted['login_server']] if wanted.get('login_server') else []
    # The tags are the key's, and headscale refuses a device that asks for them as well. An OAuth client's secret has none of its own.
    return argv + (['--advertise-tags=' + ','.join(wanted['tags'])] if wanted.get('tags') and key.startswith('tskey-client-') else [])


def arguments_of(action, wanted, key, timeout):
    if action == 'set':
        return ['set', *settings(wanted)]
    # Nobody is there to open a browser, so there is always an end. Nothing is inherited from a login that is no more.
    return ['up', '--reset', '--timeout=%ds' % timeout, *settings(wanted), *login(wanted, key)]


def in_memory(text):
    handle = os.memfd_create('auth-key')
    os.write(handle, text.encode('utf-8'))
    return handle


def run(argv, key, timeout):
    """(code, what it said); code -1 where it had to be ended."""
    handle = in_memory(key) if key else -1
    try:
        if key:
            argv = argv + ['--auth-key=file:/proc/self/fd/%d' % handle]
        ended = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False,
                               pass_fds=(handle,) if key else ())
        return ended.returncode, ended.stdout.decode('utf-8', 'replace')
    except subprocess.TimeoutExpired as expired:
        return -1, (expired.stdout or b'').decode('utf-8', 'replace') + '\ntimeout'
    finally:
        if key:
            os.close(handle)


def meaning(said, wanted, timeout):
    for pattern, text in MEANINGS:
        if re.search(pattern, said, re.IGNORECASE):
            return text.format(tags=' '.join(wanted.get('tags') or ['its tags']), timeout=timeout,
                               server=wanted.get('login_server') or "Tailscale's control server")
    return 'tailscale did not do it.'


def last_line(said):
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else 'nothing'


def main():
    module = AnsibleModule(argument_spec={
        'program': {'type': 'path', 'required': True},
        'socket': {'type': 'path', 'required': True},
        'action': {'type': 'str', 'choices': ['join', 'connect', 'set'], 'required': True},
        'auth_key': {'type': 'str', 'default': '', 'no_log': True},
        'wanted': {'type': 'dict', 'required': True},
        'timeout': {'type': 'int', 'default': 60},
    })
    arguments = module.params
    wanted, timeout, action = arguments['wanted'], arguments['timeout'], arguments['action']
    key = arguments['auth_key'].strip() if action == 'join' else ''
    argv = [arguments['program'], '--socket=' + arguments['socket'], *arguments_of(action, wanted, key, timeout)]
    # The program's own bound comes first; this one is for a daemon that never answers it.
    code, said = run(argv, key, timeout + 10)
    said = said.replace(key, '(the key)') if key else said
    if code:
        module.fail_json(msg='%s (tailscale %s said: %s)' % (meaning(said, wanted, timeout), argv[2], last_line(said)), rc=code)
    module.exit_json(changed=True)


if __name__ == '__main__':
    main()
