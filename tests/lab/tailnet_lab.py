#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The lab's tailnet for scripts, as lab/tailnet.h is for the tests in C: a hub in mount and network namespaces of its own with headscale, operators behind it.

A script imports it and calls `go_private()` first, which runs the script again inside such namespaces; whatever is started there ends with it. Run by itself,
`tailnet_lab.py [--internet] COMMAND…`, it makes a hub and runs the command in it, with TAILNET_LOGIN_SERVER, TAILNET_FOLDER and the programs in PATH.
"""
import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HUB = '10.99.0.1'
LOGIN_SERVER = 'http://%s:8080' % HUB
FOLDER = '/run/tailnet-lab'  # a tmpfs of the namespace's own
OWN = ('/run/tailscale', '/var/lib/tailscale', '/var/lib/triphase-tailnet')
INSIDE = 'TAILNET_LAB_INSIDE'
TS = {'TS_DEBUG_USE_DERP_HTTP': '1', 'TS_NO_LOGS_NO_SUPPORT': '1'}
CONFIG = '''server_url: {server}
listen_addr: {hub}:{port}
metrics_listen_addr: 127.0.0.1:{metrics}
grpc_listen_addr: 127.0.0.1:{grpc}
noise: {{private_key_path: {folder}/noise.key}}
prefixes: {{v4: {addresses}, v6: 'fd7a:115c:a1e0::/48', allocation: sequential}}
derp:
  server: {{enabled: true, region_id: 999, region_code: hs, region_name: hs, stun_listen_addr: '{hub}:{stun}', private_key_path: {folder}/derp.key,
    automatically_add_embedded_derp_region: true, ipv4: {hub}}}
  urls: []
  paths: []
  auto_update_enabled: false
disable_check_updates: true
database: {{type: sqlite, sqlite: {{path: {folder}/headscale.db, write_ahead_log: true}}}}
unix_socket: {folder}/headscale.sock
policy: {{mode: database}}
dns: {{magic_dns: false, override_local_dns: false, base_domain: ''}}
node: {{ephemeral: {{inactivity_timeout: 120s}}}}
logtail: {{enabled: false}}
'''
TAGS = ('tag:operator', 'tag:host', 'tag:vault')
POLICY = json.dumps({'tagOwners': {tag: ['ops@'] for tag in TAGS}, 'acls': [{'action': 'accept', 'src': ['*'], 'dst': ['*:*']}]})


def run(*words, **more):
    return subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **more).stdout.decode()


def until(seconds, holds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            found = holds()
            if found:
                return found
        time.sleep(0.02)
    raise AssertionError('%s: not within %d s' % (what, seconds))


def with_me():
    """Dies when its parent does."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)


def programs():
    return os.environ.get('TEST_TAILNET') or run(os.path.join(TOP, 'setup', 'tailnet-lab.sh'), '--where').strip()


def children(pid):
    with open('/proc/%d/task/%d/children' % (pid, pid), encoding='ascii') as list_of:
        return [int(word) for word in list_of.read().split()]


def hand_on(pids):
    """Signals that end a program go on to those processes."""
    def send(number, _):
        for pid in pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, send)


def be_first():
    """The first process of a namespace reaps what others leave to it, and ends when the script, its child, has ended; that ends all others."""
    script = os.fork()
    if not script:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
        return
    hand_on(lambda: [script])
    while True:
        pid, status = os.wait()
        if pid == script:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def go_private(internet=False):
    """Runs the script again in namespaces of its own."""
    if INSIDE not in os.environ:
        outside = os.open('/proc/self/ns/net', os.O_RDONLY)
        environment = {**os.environ, INSIDE: '%d:%d' % (outside, os.getpid()), **TS, 'PATH': programs() + os.pathsep + os.environ['PATH'], 'TAILNET_LOGIN_SERVER': LOGIN_SERVER,
                       'TAILNET_FOLDER': FOLDER}
        # A process namespace too: when its first process goes, so does all that was ever started there, sandboxes among it.
        inner = subprocess.Popen(['unshare', '--net', '--mount', '--propagation', 'private', '--pid', '--fork', '--mount-proc', '--kill-child', sys.executable,
                                  *sys.argv], env=environment, preexec_fn=with_me, pass_fds=[outside])
        hand_on(lambda: children(inner.pid))
        code = inner.wait()
        subprocess.run(['nft', 'delete', 'table', 'ip', 'tl%d' % os.getpid()], check=False, stderr=subprocess.DEVNULL)
        sys.exit(code if code >= 0 else 128 - code)
    be_first()
    shell = 'set -e; mkdir -p /var/lib/triphase /run/netns ' + ' '.join((FOLDER, *OWN))
    shell += '; mount -t tmpfs tmpfs /var/lib/triphase; mount -t tmpfs tmpfs /run/netns; mount -t tmpfs -o mode=0700 tmpfs ' + FOLDER
    for one in (*OWN, '/dev/net'):
        shell += '; mount --bind %s %s' % (one, one)
    shell += '; cp /etc/resolv.conf %s/resolv.conf; mount --bind %s/resolv.conf /etc/resolv.conf; mount --make-rshared /' % (FOLDER, FOLDER)
    shell += '; ip link set lo up; ip addr add %s/32 dev lo; echo 1 >/proc/sys/net/ipv4/ip_forward' % HUB
    run('sh', '-c', shell)
    if internet:
        connect()


def connect():
    """A way out through the network outside, for what hosts install: a link, which goes with this namespace, and a table of rules, which whoever waits outside removes."""
    outside, number = (int(word) for word in os.environ[INSIDE].split(':'))
    name, inside, low = 'tl%d' % number, '198.51.100.%d', number % 63 * 4
    run('ip', 'link', 'add', 'way-out', 'type', 'veth', 'peer', 'name', name)
    run('ip', 'link', 'set', name, 'netns', '/proc/self/fd/%d' % outside, pass_fds=[outside])
    run('sh', '-c', 'ip addr add %s/30 dev way-out && ip link set way-out up && ip route add default via %s' % (inside % (low + 2), inside % (low + 1)))
    run('nsenter', '--net=/proc/self/fd/%d' % outside, '--', 'sh', '-c', 'ip addr add %s/30 dev %s && ip link set %s up && echo 1 >/proc/sys/net/ipv4/ip_forward && nft '
        '"table ip %s { chain out { type nat hook postrouting priority srcnat; ip saddr %s/30 masquerade; }; }"' % (inside % (low + 1), name, name, name, inside % low),
        pass_fds=[outside])
    # What comes from operators and hosts leaves as the hub.
    run('nft', 'table ip wayout { chain out { type nat hook postrouting priority srcnat; oifname "way-out" masquerade; }; }')


class Headscale:
    def __init__(self, spilled=None, other=False):
        """`spilled`: a Watch (lab/spilled.py), which hears of each key. `other`: a second tailnet, with addresses that the first one gives to nobody."""
        self.spilled = spilled
        self.folder = FOLDER + '/other' if other else FOLDER
        self.login_server = LOGIN_SERVER[:-1] + '1' if other else LOGIN_SERVER
        os.makedirs(self.folder, 0o700, exist_ok=True)
        with open(self.folder + '/headscale.yaml', 'w', encoding='utf-8') as out:
            out.write(CONFIG.format(server=self.login_server, hub=HUB, folder=self.folder, addresses='100.127.0.0/16' if other else '100.64.0.0/10', port=8080 + other,
                                    metrics=9090 + other, grpc=50443 + other, stun=3478 + other))
        self.start()
        self.ask('users', 'create', 'ops')
        self.policy(POLICY)

    def start(self):
        log = open(self.folder + '/headscale.log', 'ab')  # noqa: SIM115
        self.child = subprocess.Popen(['headscale', '-c', self.folder + '/headscale.yaml', 'serve'], stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=with_me)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        until(40, lambda: opener.open(self.login_server + '/health', timeout=2).status == 200, 'headscale')

    def stop(self):
        self.child.kill()
        self.child.wait()

    def ask(self, *words):
        return run('headscale', '-c', self.folder + '/headscale.yaml', *words)

    def policy(self, text):
        with open(self.folder + '/policy.json', 'w', encoding='utf-8') as out:
            out.write(text)
        self.ask('policy', 'set', '-f', self.folder + '/policy.json')

    def key(self, tag, *more):
        made = json.loads(self.ask('preauthkeys', 'create', '--expiration', '1h', '--user', '1', '--tags', tag, '-o', 'json', *more))['key']
        if self.spilled:
            self.spilled.watch(made)
        return made

    def nodes(self):
        return json.loads(self.ask('nodes', 'list', '-o', 'json')) or []


class Operator:
    """A machine with a way to the hub; `tun` false: it has no /dev/net/tun."""
    count = 0

    def __init__(self, headscale, tun=True):
        Operator.count += 1
        self.headscale, self.tun, self.number = headscale, tun, Operator.count
        self.folder = FOLDER + '/op%d' % self.number
        self.socket = '/run/tailscale/tailscaled.sock'
        self.daemon_child = None
        os.mkdir(self.folder, 0o700)
        script = 'for one in %s; do mount --make-private $one && mount -t tmpfs -o mode=0755 tmpfs $one || exit; done' % ' '.join(OWN)
        if not tun:
            script += '; mount --make-private /dev/net && mount -t tmpfs tmpfs /dev/net'
        script += '; ip link set lo up; echo ready; exec sleep infinity'
        self.holder = subprocess.Popen(['unshare', '--net', '--mount', '--propagation', 'unchanged', 'sh', '-c', script], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, preexec_fn=with_me)
        assert self.holder.stdout.readline() == b'ready\n'
        self.prefix = ('nsenter', '--net', '--mount', '--target', str(self.holder.pid), '--', 'sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh', os.getcwd())
        name, mine, its = 'op%d' % self.number, '10.99.%d.1' % self.number, '10.99.%d.2' % self.number
        self.address = its
        run('sh', '-c', 'ip link add %s type veth peer name eth0 netns %d && ip addr add %s/24 dev %s && ip link set %s up' % (name, self.holder.pid, mine, name, name))
        self.run('sh', '-c', 'ip addr add %s/24 dev eth0 && ip link set eth0 up && ip route add default via %s' % (its, mine))

    def run(self, *words, **more):
        return run(*self.prefix, *words, **more)

    def daemon(self, more=()):
        log = open(self.folder + '/tailscaled.log', 'ab')  # noqa: SIM115
        self.daemon_child = subprocess.Popen([*self.prefix, 'env', *more, 'tailscaled', '--port=41641', '--socket=' + self.socket, '--statedir=' + self.folder,
                                              '--state=' + self.folder + '/tailscaled.state', '--tun=' + ('tailscale0' if self.tun else 'userspace-networking')],
                                             stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=with_me)
        until(30, lambda: self.run('tailscale', '--socket=' + self.socket, 'status', '--json', '--peers=false', stderr=subprocess.DEVNULL), 'tailscaled')

    def state(self):
        return json.loads(self.run('tailscale', '--socket=' + self.socket, 'status', '--json', '--peers=false'))['BackendState']

    def join(self, tag='tag:operator', headscale=None):
        """`headscale`: to another tailnet, by a profile of its own."""
        if not self.daemon_child:
            self.daemon()
        server = headscale or self.headscale
        with open(self.folder + '/key', 'w', encoding='ascii', opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            out.write(server.key(tag, '--ephemeral'))
        self.run('tailscale', '--socket=' + self.socket, 'login' if headscale else 'up', '--auth-key=file:' + self.folder + '/key', '--login-server=' + server.login_server,
                 '--hostname=operator-%d' % self.number, '--accept-dns=false', '--timeout=40s')
        self.joined = self.run('tailscale', '--socket=' + self.socket, 'ip', '-4').strip()
        return self.joined


def main():
    words = sys.argv[1:]
    internet = words[:1] == ['--internet']
    go_private(internet)
    Headscale()
    sys.exit(subprocess.run(words[internet:], check=False).returncode)


if __name__ == '__main__':
    main()
