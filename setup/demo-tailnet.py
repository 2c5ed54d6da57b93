#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What `make demo-tailnet` shows, once everything is built: see setup/demo-tailnet.sh."""
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, 'tests', 'lab'))
from tailnet_far import Far  # noqa: E402
from tailnet_lab import LOGIN_SERVER, Headscale, Operator, go_private, programs  # noqa: E402

PROJECT = '''project: demo
operator:                      # how this machine joins
  login_server: {server}
  tags: [tag:operator]
  hostname: {name}
  auth_key: {{file: operator.key}}
targets:
  vault:
    recipe: vault
'''
MADE = '''    tailnet:                   # how the host joins: its recipe's bootstrap brings it in
      login_server: {server}
      tags: [tag:vault]
      auth_key: {{file: vault.key}}
    vars:                      # of the demo alone: programs that were built here, a server without TLS
      tailnet_programs: {programs}
      tailnet_environment: {{TS_DEBUG_USE_DERP_HTTP: '1', TS_NO_LOGS_NO_SUPPORT: '1'}}
'''
# For the one without a TUN the host is there already, and has nothing on it.
FOUND = '    transport: [tailnet, tailnet-userspace]\n'
TRIPHASE = os.environ.get('TRIPHASE', os.path.join(TOP, 'build', 'triphase'))
# As in the article: what is short gets through, and a connection that has carried this much goes silent.
CARRIED = 300000
RULES = '''table inet demo {
  chain out { type filter hook output priority 0; oifname "tailscale0" tcp sport 22 ct bytes > %d drop; }
  chain in { type filter hook input priority 0; iifname "tailscale0" tcp dport 22 ct bytes > %d drop; }
}''' % (CARRIED, CARRIED)


class Show:
    """One operator with a project folder of its own; what it runs is printed as it is typed."""

    def __init__(self, headscale, folder, tun):
        self.operator = Operator(headscale, tun)
        self.folder = os.path.join(folder, 'tun' if tun else 'userspace')
        os.mkdir(self.folder, 0o700)
        self.environment = {**os.environ, 'HOME': self.folder, 'PATH': os.path.join(TOP, '.venv', 'bin') + os.pathsep + os.environ['PATH']}
        self.quietly('init')
        self.target(MADE.format(server=LOGIN_SERVER, programs=programs()))
        self.write('operator.key', headscale.key('tag:operator', '--ephemeral'))
        self.write('vault.key', headscale.key('tag:vault', '--ephemeral'))

    def write(self, name, text):
        with open(os.path.join(self.folder, name), 'w', encoding='utf-8', opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            out.write(text)

    def target(self, lines):
        name = 'with-tun' if self.operator.tun else 'without-tun'
        self.write('triphase.yml', PROJECT.format(server=LOGIN_SERVER, name=name) + lines)

    def words(self, *words):
        return [*self.operator.prefix, TRIPHASE, '-C', self.folder, *words]

    def quietly(self, *words, bound=300):
        return subprocess.run(self.words(*words), env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=bound, check=False)

    def show(self, *words, expect=(0,), bound=1800):
        """What it prints, without what Ansible tells of its tasks; all of it where it does not end as expected."""
        print('\n$ triphase ' + ' '.join(words), flush=True)
        said = []
        child = subprocess.Popen(self.words(*words), env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        timer = threading.Timer(bound, child.kill)
        timer.start()
        try:
            for line in child.stdout:
                said.append(line)
                # What Ansible says of its tasks, and its recap, stand in the run's folder.
                if words[0] != 'create' or (line.startswith(('vault ', 'vault:', '--- ', 'warning')) and ' : ok=' not in line):
                    print(line, end='', flush=True)
        finally:
            timer.cancel()
        if child.wait() not in expect:
            raise SystemExit('demo-tailnet: triphase %s ended with %d; all that it said:\n%s' % (words[0], child.returncode, ''.join(said)))

    def attempt(self, title, command, seconds):
        """Whether a command on the host gets to its end, and what came of it."""
        print('\n$ timeout %d triphase ssh vault -- %s' % (seconds, command), flush=True)
        try:
            ended = self.quietly('ssh', 'vault', '--', command, bound=seconds)
            print('%s%s (exit %d)' % (ended.stdout.decode().strip()[:300], '' if ended.returncode else ': ' + title, ended.returncode))
        except subprocess.TimeoutExpired:
            print('nothing more came: ended after %d s' % seconds)

    def strike(self):
        """In the host's own network namespace, where no program of it sees more than packets that do not come."""
        # The only sandbox there is by now, by the name that its namespace has too.
        guest = next(name for name in os.listdir('/var/lib/triphase') if name.startswith('tp'))
        inside = ['nsenter', '--net=/run/netns/' + guest, '--']
        self.operator.run(*inside, 'sh', '-c', 'echo 1 >/proc/sys/net/netfilter/nf_conntrack_acct')
        self.operator.run(*inside, 'nft', RULES)

    def end(self):
        for words in (('destroy', 'vault', '--yes'), ('up', '--down')):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.quietly(*words)


def title(text):
    print('\n\033[1m== %s\033[0m' % text if sys.stdout.isatty() else '\n== ' + text, flush=True)


def play(headscale, folder, shows, hosts):
    title('an operator with a TUN')
    tun = Show(headscale, folder, tun=True)
    shows.append(tun)
    tun.show('up')
    tun.show('create', 'vault')
    tun.show('report')
    tun.show('destroy', 'vault', '--yes')
    tun.show('up', '--down')

    title('an operator without a TUN, and a host in the tailnet that has nothing on it yet')
    far = Far(headscale, tun.operator, TRIPHASE, os.path.join(folder, 'far'), tun.environment)
    hosts.append(far)
    userspace = Show(headscale, folder, tun=False)
    shows.append(userspace)
    userspace.target(FOUND + far.make())
    userspace.show('up')
    userspace.show('create', 'vault')
    userspace.show('report')

    title('its path is broken: a connection that has carried %d bytes goes silent' % CARRIED)
    userspace.strike()
    userspace.attempt('short commands work', 'echo ok', 20)
    userspace.attempt('bulk works', 'head -c 5000000 /dev/zero', 20)
    userspace.show('diagnose', 'vault', '--quick', expect=(1,))


def main():
    go_private()  # and what still runs there at the end goes with it
    shows, hosts = [], []
    folder = tempfile.mkdtemp(prefix='triphase-demo.')
    try:
        play(Headscale(), folder, shows, hosts)
    finally:
        for show in shows:
            show.end()
        for host in hosts:
            with contextlib.suppress(subprocess.TimeoutExpired):
                host.remove()
        shutil.rmtree(folder, ignore_errors=True)
    print('\nNothing of it is left on this machine.')


if __name__ == '__main__':
    main()
