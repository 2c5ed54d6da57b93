# SPDX-License-Identifier: MIT
"""Faults while a server is made, verified, removed or listed at a cloud: the provider hetzner over the fake of its API (tests/lab/hetzner_api.py), a real host behind each server."""
import glob
import json
import os
import subprocess
import urllib.request

import guest
import provider
from provider import check, outcome

TOKEN = 'fake-token'
KINDS = ('servers', 'ssh_keys', 'firewalls')
TARGET = '''project: faults
providers:
  hetzner: {server_type: cx23, endpoint: '%s', token: {file: token}}
targets:
  vault:
    provider: hetzner
    recipe: web
    firewalls: [{in: [tcp/22, icmp]}]
    ttl: 1h
'''
# What the command has when nobody answers any more, and what it may take beside that.
BOUND, BESIDE = 8, 10
SOON = {'TRIPHASE_TARGETS_VAULT_STAGE_DEADLINE_' + stage: '%ds' % BOUND for stage in ('PROVISION', 'READY', 'DESTROY', 'SWEEP')}
# A run puts the expiry off beyond its own deadline, and at the cloud it stays so.
AHEAD = 2 * 86400
LATER = {'LD_PRELOAD': ''.join(glob.glob('/usr/lib/*/faketime/libfaketime.so.1')), 'FAKETIME': '+%d' % AHEAD, 'FAKETIME_DONT_FAKE_MONOTONIC': '1'}


class Project(provider.Project):
    fake = control = None

    def __enter__(self):
        try:
            tree = subprocess.run([os.path.join(guest.TOP, 'setup', 'cloud-tree.sh')], check=True, capture_output=True).stdout.decode().strip()
            # It ends, and its hosts with it, when nobody holds its stdin any more.
            self.fake = subprocess.Popen(  # noqa: SIM115
                [os.path.join(guest.TOP, 'tests', 'lab', 'hetzner_api.py'), '--with-stdin', '--token', TOKEN, '--guests',
                 os.path.join(os.path.dirname(guest.TRIPHASE), 'lab', 'hetzner_guests'), '--tree', tree],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            endpoint = self.fake.stdout.readline().decode().split()[1]
            self.control = endpoint[:-len('v1')] + 'control/'
            self.lay_down({**provider.FILES, 'triphase.yml': TARGET % endpoint, 'token': TOKEN + '\n'})
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.control:
            self.back()
        super().__exit__()
        if self.fake:
            self.fake.stdin.close()
            self.fake.wait(120)

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.control + path, data, method=method), timeout=20) as said:
            return json.load(said)

    def gone(self, after=None):
        """The API, for good: connections are reset, nothing is done; at once, or behind the request that fits."""
        self.ask('PUT', 'faults', [{'fault': 'refused-reset', 'times': 0, **({'after': after} if after else {})}])
        self.environment.update(SOON)

    def back(self):
        self.ask('DELETE', 'faults')
        for key in (*SOON, *LATER):
            self.environment.pop(key, None)

    def there(self, kind):
        return [thing['name'] for thing in self.ask('GET', 'state')[kind]]

    def asked(self, line):
        return [one['number'] for one in self.ask('GET', 'requests') if ('%s %s %d' % (one['method'], one['path'], one['status'])).startswith(line)]

    def left(self):
        """Whatever the cloud has. Nothing was ever billed twice: before there was another server, the one before was removed."""
        made, removed = self.asked('POST /v1/servers 201'), self.asked('DELETE /v1/servers/')
        check(all(any(a < gone < b for gone in removed) for a, b in zip(made, made[1:])), 'two servers at once: made by %s, removed by %s', made, removed)
        return ['%s %s' % (kind, name) for kind in KINDS for name in self.there(kind)]

    def has(self, *kinds):
        """Exactly one of each of these, and nothing else; no more than that one server was ever asked for."""
        left = self.left()
        check([one.split()[0] for one in left] == list(kinds), 'at the cloud: %s', left)
        check(len(self.asked('POST /v1/servers 201')) <= 1, 'another server was made and removed meanwhile')

    def name(self):
        """Of the host behind the one server."""
        machine = os.path.basename(os.path.dirname(self.ask('GET', 'state')['servers'][0]['console']))
        return 'tp' + machine.replace('-', '')[-10:]

    def lost(self):
        """All is past its time by the cloud's clock and by ours, and the store that knew of it is no more."""
        self.environment.update(LATER)
        self.ask('PUT', 'settings', {'ahead': AHEAD})
        for path in glob.glob(self.path('.triphase', 'store.db*')):
            os.unlink(path)

    def swept(self):
        self.does(('sweep', '--yes'), 0)
        check(not self.left(), 'left by sweep: %s', self.left())


def gone_in_make(after, had, made, says):
    """API gone behind that request of a making; what is there is then found by `create`, which makes it anew, or, with nothing but the cloud's own word, by `sweep`."""
    def strike(project):
        project.ask('PUT', 'settings', {'delay': 1})  # more than one look at the actions
        project.gone(after)
        project.does(('create', 'vault'), 3, 'the cloud does not answer', says, within=BOUND + BESIDE)
        project.has(*had)
        ended = outcome(project)
        project.back()
        if made:
            project.does(('create', 'vault'), 0)
            check(len(project.left()) == len(KINDS), 'at the cloud: %s', project.left())
            return ended + ', then made anew'
        project.lost()
        project.swept()
        return ended + ', then swept without a store'
    return strike


def gone_in_verify(project):
    project.does(('create', 'vault'), 0)
    project.gone()
    # The expiry, too, would be told to the cloud: that has a bound of its own.
    project.does(('create', 'vault'), 3, 'the cloud does not answer', within=2 * BOUND + BESIDE)
    ended = outcome(project)
    project.back()
    project.does(('create', 'vault'), 0)
    project.has(*KINDS)
    return ended + ', then ok; made once'


def gone_in_remove(project):
    project.does(('create', 'vault'), 0)
    project.gone('DELETE /v1/servers/')
    project.does(('destroy', 'vault', '--yes'), 3, 'the cloud does not answer', 'what belongs to it was left too', within=BOUND + BESIDE)
    project.has('ssh_keys', 'firewalls')
    ended = outcome(project)
    project.back()
    return ended + ', then removed'


def gone_in_list(option):
    """Past its time, and a store that knows it: what cannot be asked is said, and whoever is not to be reached stays."""
    def strike(project):
        project.does(('create', 'vault'), 0)
        project.gone()
        project.environment.update(LATER)
        project.does(('sweep', option), 69, 'hetzner (vault): what is there could not be asked', 'the cloud does not answer', within=2 * BOUND + BESIDE)
        project.has(*KINDS)
        project.back()
        project.lost()
        project.swept()
        return 'told, then swept without a store'
    return strike


def network_gone(project):
    """The server's host loses its network as soon as it has one, before anybody saw it up; it never comes back."""
    project.environment['TRIPHASE_TARGETS_VAULT_STAGE_DEADLINE_PROVISION'] = '15s'
    project.start('create', 'vault')
    guest.until(60, lambda: project.there('servers') and os.path.exists('/run/netns/' + project.name()), 'a host')
    for chain in ('INPUT', 'OUTPUT'):
        project.netns('iptables', '-w', '-I', chain, '-j', 'DROP')
    project.does((), 3, 'could not be read with the throw-away one', within=15 + BESIDE)
    project.has(*KINDS)
    return outcome(project) + ', then removed'


STRIKES = (
    ("cloud's API gone after the ssh key", gone_in_make('POST /v1/ssh_keys$', KINDS[1:2], True, "the machine's firewall")),
    ("cloud's API gone after the firewall", gone_in_make('POST /v1/firewalls$', KINDS[1:], False, "the machine's firewall: GET /actions")),
    ("cloud's API gone after the server", gone_in_make('POST /v1/servers$', KINDS, True, '/actions?id=')),
    ("cloud's API gone while actions are polled", gone_in_make(r'GET /v1/actions\?id=\d+&id=', KINDS, False, '/actions?id=')),
    ("cloud's API gone in verify", gone_in_verify),
    ("cloud's API gone in remove", gone_in_remove),
    ("cloud's API gone in sweep --dry-run", gone_in_list('--dry-run')),
    ("cloud's API gone in sweep --yes", gone_in_list('--yes')),
    ("server's network gone while it is made", network_gone),
)
