# SPDX-License-Identifier: MIT
"""A host for an operator without a TUN: a sandbox shares the devices of whoever makes it, so somebody with a TUN makes it and joins it by the role of playbooks/tailnet, and for the other
one it is a static host that is reached over the tailnet alone."""
import glob
import os
import subprocess

from tailnet_lab import LOGIN_SERVER, programs

PROJECT = '''project: far
targets:
  far:
    recipe: join
    secrets: {tailnet_auth_key: {file: key}}
    vars:
      tailnet_login_server: %s
      tailnet_hostname: far
      tailnet_tags: ['tag:vault']
      tailnet_programs: %s
      tailnet_environment: {TS_DEBUG_USE_DERP_HTTP: '1', TS_NO_LOGS_NO_SUPPORT: '1'}
'''
RECIPE = 'phases:\n  - {name: join, playbook: playbooks/tailnet/bootstrap.yml, silence: 10m}\n'
TARGET = '''    provider: static
    address: %s
    user: root
    key: %s
    host_keys: %s
'''


class Far:
    def __init__(self, headscale, maker, triphase, folder, environment):
        """`maker`: an operator with a TUN; `folder` must not be there yet."""
        self.headscale, self.maker, self.program, self.folder, self.environment = headscale, maker, triphase, folder, environment
        os.mkdir(folder, 0o700)
        self.triphase('init')
        self.write('triphase.yml', PROJECT % (LOGIN_SERVER, programs()))
        self.write('phases/join.yml', RECIPE)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), 'w', encoding='utf-8', opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            out.write(text)

    def triphase(self, *words, check=True):
        done = subprocess.run([*self.maker.prefix, self.program, '-C', self.folder, *words], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=900, check=False)
        if check and done.returncode:
            raise SystemExit('making a host: triphase %s: %s' % (' '.join(words), done.stdout.decode('utf-8', 'replace')[-3000:]))

    def make(self):
        """The lines of a target that is this host."""
        self.write('key', self.headscale.key('tag:vault', '--ephemeral'))
        self.triphase('create', 'far')
        address, = [node['ip_addresses'][0] for node in self.headscale.nodes() if node['given_name'] == 'far']
        # The newest: those of hosts that are gone may still have a folder.
        known = max(glob.glob(os.path.join(self.folder, '.triphase', 'machines', '*', 'known_hosts')), key=os.path.getmtime)
        with open(known, encoding='ascii') as lines:
            keys = [line.split(' ', 1)[1].strip() for line in lines if line.strip()]
        return TARGET % (address, os.path.join(os.path.dirname(known), 'key'), keys)

    def remove(self):
        """Out of the tailnet, and gone."""
        self.write('phases/join.yml', 'phases:\n  - {name: leave, playbook: playbooks/tailnet/leave.yml}\n')
        self.triphase('run', 'far', check=False)
        self.triphase('destroy', '--all', '--yes', '--no-teardown', check=False)
        self.write('phases/join.yml', RECIPE)
