# SPDX-License-Identifier: MIT
"""The same project with its host in a tailnet: a sandbox that is joined by a TUN of its own, and an operator behind a namespace with a daemon that triphase did not
start. Each case runs in a hub of its own (lab/tailnet_lab.py), so `faults.py` calls itself for it."""
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading

import guest

sys.path.insert(0, os.path.join(guest.TOP, 'tests', 'lab'))
import spilled  # noqa: E402
import tailnet_lab  # noqa: E402

UNIT = '''[Service]
Type=notify
Environment=TS_DEBUG_USE_DERP_HTTP=1 TS_NO_LOGS_NO_SUPPORT=1
ExecStart=/usr/bin/tailscaled --tun=tailscale0 --port=41641 --state=/var/lib/tailscale/tailscaled.state --socket=/run/tailscale/tailscaled.sock
Restart=on-failure
RuntimeDirectory=tailscale
StateDirectory=tailscale
[Install]
WantedBy=multi-user.target
'''
JOIN = '''set -e
systemctl daemon-reload
systemctl enable --now -q tailscaled
tailscale up --auth-key=file:/run/key --login-server=%s --hostname=vault --accept-dns=false --timeout=40s
rm /run/key
tailscale ip -4
'''


class Host(guest.Project):
    """A sandbox by itself, that is in the tailnet."""

    def __enter__(self):
        for folder in ('phases', 'playbooks'):
            os.mkdir(self.path(folder))
        self.write('triphase.yml', 'project: host\ntargets:\n  vault:\n    provider: sandbox\n    recipe: nothing\n')
        self.write('phases/nothing.yml', 'phases:\n  - name: nothing\n    playbook: playbooks/nothing.yml\n')
        self.write('playbooks/nothing.yml', '- hosts: recipe_nothing\n  gather_facts: false\n  tasks: []\n')
        try:
            self.triphase('create', 'vault')
        except BaseException:
            self.__exit__()
            raise
        return self

    def write(self, name, text):
        with open(self.path(name), 'w', encoding='utf-8') as out:
            out.write(text)

    def join(self, headscale):
        root = '/var/lib/triphase/%s/root' % self.name()
        for name in ('tailscale', 'tailscaled'):
            tailnet_lab.run('install', '-m', '0755', os.path.join(tailnet_lab.programs(), name), root + '/usr/bin/')
        with open(root + '/etc/systemd/system/tailscaled.service', 'w', encoding='utf-8') as out:
            out.write(UNIT)
        subprocess.run([guest.TRIPHASE, '-C', self.folder, 'ssh', 'vault', '--', 'umask 077; cat >/run/key'], env=self.environment, check=True,
                       input=headscale.key('tag:vault', '--ephemeral').encode(), stdout=subprocess.DEVNULL)
        return self.triphase('ssh', 'vault', '--', JOIN % tailnet_lab.LOGIN_SERVER).split()[-1]


class Project(guest.Project):
    """The vault on that host, from an operator's machine, over the transports given."""

    def __init__(self, transport, keys=None):
        super().__init__(keys)
        self.transport = transport

    def __enter__(self):
        self.spilled = spilled.Watch()
        self.headscale = tailnet_lab.Headscale(self.spilled)
        self.host = Host()
        self.undo.append(lambda: self.host.__exit__())
        self.host.__enter__()
        self.address = self.host.join(self.headscale)
        self.operator = tailnet_lab.Operator(self.headscale, self.transport == 'tailnet')
        self.operator.join()
        self.prefix = self.operator.prefix
        machine = json.loads(self.host.sql('select record from machine')[0][0])
        values = {'PROVIDER': 'static', 'ADDRESS': self.address, 'USER': machine['user'], 'KEY': self.host.path(machine['key']),
                  'HOST_KEYS': json.dumps(machine['host_keys']),
                  'PYTHON': '/usr/bin/python3', 'TRANSPORT': self.transport}
        self.environment.update({'TRIPHASE_TARGETS_VAULT_' + key: value for key, value in values.items()})
        return super().__enter__()

    def name(self):
        return self.host.name()

    def on_host(self):
        return self.host.on_host()

    def check_spilled(self):
        """Nowhere stands a key by which a machine joined: not in /proc, the store, logs, bundles, what the daemons keep, or the host's own files."""
        for one in (self, self.host):
            one.triphase('bundle', 'vault', '--format', 'gz', '-o', one.path('vault.tar.gz'))
        self.spilled.check((self.operator.folder + '/key',), self.folder, self.host.folder, self.operator.folder, '/var/lib/triphase')


def to_daemon(number):
    def strike(project):
        # The words that lead into the namespaces have become tailscaled.
        project.operator.daemon_child.send_signal(number)
        if number == signal.SIGKILL:
            project.operator.daemon_child.wait()
    return strike


def start_daemon(project):
    """Joined as it was before: it has its state."""
    project.operator.daemon()
    tailnet_lab.until(60, lambda: project.operator.state() == 'Running', 'a daemon that is joined')


def restart_daemon(project):
    to_daemon(signal.SIGKILL)(project)
    project.operator.daemon()


def log_out(project):
    project.operator.run('tailscale', 'logout')


def join_again(project):
    project.operator.join()


def stop_headscale(project):
    project.headscale.stop()


def start_headscale(project):
    project.headscale.start()


def socket_outside(project):
    return '/proc/%d/root%s' % (project.operator.holder.pid, project.operator.socket)


def another_daemon(answers):
    """In the daemon's place somebody listens who is none, or who accepts and never answers."""
    def strike(project):
        to_daemon(signal.SIGKILL)(project)
        inside = socket_outside(project)
        os.unlink(inside)
        project.impostor = socket.socket(socket.AF_UNIX)
        project.impostor.bind(inside)
        project.impostor.listen(64)
        threading.Thread(target=lambda: serve(project.impostor, answers), daemon=True).start()
    return strike


def second_tailnet(project):
    project.second = tailnet_lab.Headscale(project.spilled, other=True)


def switch_tailnet(project):
    """The daemon is well, and in another tailnet."""
    project.operator.join(headscale=project.second)


def switch_back(project):
    log_out(project)
    join_again(project)


def serve(listener, answers):
    held = []
    while True:
        try:
            one = listener.accept()[0]
        except OSError:
            return
        if answers:
            one.recv(65536)
            one.sendall(b'HTTP/1.1 404 Not Found\r\nContent-Length: 18\r\nConnection: close\r\n\r\npage not found: no')
            one.close()
        else:
            held.append(one)


def back_in_place(project):
    project.impostor.close()
    os.unlink(socket_outside(project))
    start_daemon(project)


def call_apart(name, script):
    """The row of that case, played in a hub of its own."""
    with tempfile.NamedTemporaryFile(prefix='triphase-faults-row.') as row:
        end = subprocess.run([sys.executable, script, '--inside', row.name, name], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if end.returncode:
            said = end.stderr.decode('utf-8', 'replace')
            sys.stderr.write(said[-8000:])
            raise AssertionError(said.strip().rsplit('\n', 1)[-1] or 'exit %d' % end.returncode)
        return json.load(row)
