#!/usr/bin/python3
"""A server at a cloud up to its running, against `hcloud server create` of Debian, interleaved, at the same fake of the cloud (tests/lab/hetzner_api.py), whose own time is
taken by a client that does nothing but ask: it posts the server and looks every 5 ms. And how long the listing of 200 servers takes, in how many requests."""
import collections
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import PAIRS, TOP, TRIPHASE, Table, environment, free_port, project, run  # noqa: E402

TOKEN = 'bench-token'
# Seconds of each of the two actions that lead to a server that runs, from and to, drawn evenly; and how much of hcloud's time is asked for. Where the cloud itself takes long,
# both mostly wait for it.
DELAYS = ((0.05, 0.05, 0.80), (0.05, 1.5, None))
FILES = {
    'triphase.yml': '''project: bench
targets:
  host:
    provider: hetzner
    recipe: nothing
    endpoint: %s
    server_type: cx23
    image: debian-12
    location: fsn1
    port: %d
    host_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKiHh1rTk0XkWEdA8x0HCsTRTGMSmLRSXN0sJGvvJ7mB]
    ready: []
    stage_deadline: {transport: 1s}
''',
    'phases/nothing.yml': 'phases:\n  - name: nothing\n    playbook: nothing.yml\n',
    'nothing.yml': '- hosts: recipe_nothing\n  gather_facts: false\n  tasks: []\n',
}


class Cloud:
    def __init__(self, folder):
        self.process = subprocess.Popen([os.path.join(TOP, 'tests/lab/hetzner_api.py'), '--token', TOKEN, '--ipv4', '127.0.0.1', '--limit', '1000000'],
                                        stdout=subprocess.PIPE, text=True, cwd=folder)
        self.endpoint = self.process.stdout.readline().split()[1]

    def ask(self, method, path, body=None):
        request = urllib.request.Request(self.endpoint + path, None if body is None else json.dumps(body).encode(), method=method,
                                         headers={'Authorization': 'Bearer ' + TOKEN, 'Content-Type': 'application/json'})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or 'null')

    def control(self, method, path, body=None):
        request = urllib.request.Request(self.endpoint[:-3] + '/control' + path, None if body is None else json.dumps(body).encode(), method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or 'null')

    def end(self):
        self.process.terminate()
        self.process.wait(30)


def bare(cloud):
    """Seconds that the cloud itself needs."""
    began = time.monotonic()
    server = cloud.ask('POST', '/servers', {'name': 'bare', 'server_type': 'cx23', 'image': 'debian-12', 'location': 'fsn1', 'ssh_keys': ['bench']})['server']
    path = '/servers/%d' % server['id']
    while cloud.ask('GET', path)['server']['status'] != 'running':
        time.sleep(0.005)
    took = time.monotonic() - began
    cloud.control('DELETE', '/servers/bare')
    return took


def hcloud(cloud, env):
    """It waits for the server's start by itself, looking every 500 ms."""
    took = run(['hcloud', 'server', 'create', '--name', 'peer', '--type', 'cx23', '--image', 'debian-12', '--location', 'fsn1', '--ssh-key', 'bench'], env=env)[0]
    cloud.control('DELETE', '/servers/peer')
    return took


def create(folder, env):
    """From the start of the command to the end of its provision: what comes after has no host to talk to here."""
    began = time.time_ns()
    run([TRIPHASE, '-C', folder, 'create', 'host'], env=env, ok=(4,))
    store = sqlite3.connect('file:%s?mode=ro' % os.path.join(folder, '.triphase/store.db'), uri=True)
    started, took, outcome = store.execute("SELECT started_ns, duration_ns, outcome FROM step WHERE name = 'provision' ORDER BY started_ns DESC").fetchone()
    store.close()
    if outcome != 'ok':
        raise SystemExit('provision ended as %s' % outcome)
    run([TRIPHASE, '-C', folder, 'destroy', 'host', '--yes', '--no-teardown'], env=env)
    return (started + took - began) / 1e9


def measure_create(cloud, folder, env, delays):
    least, most, target = delays
    taken = {'bare': [], 'hcloud': [], 'triphase': []}
    ways = {'bare': lambda: bare(cloud), 'hcloud': lambda: hcloud(cloud, env), 'triphase': lambda: create(folder, env)}
    for pair in range(PAIRS):
        cloud.control('PUT', '/settings', {'delay': least + (most - least) * (pair * 0.618034 % 1)})
        names = list(ways)
        for name in names[pair % 3:] + names[:pair % 3]:
            taken[name].append(ways[name]())
    table = Table('A server of a cloud up to its running; each of two actions takes %s s there' % (least if least == most else '%s to %s' % (least, most)))
    table.row('the cloud itself', taken['bare'], unit=' s')
    table.row('hcloud server create', taken['hcloud'], unit=' s')
    table.row('triphase create, to the end of provision', taken['triphase'], unit=' s')
    table.row('  beyond the cloud itself', [a - b for a, b in zip(taken['triphase'], taken['bare'])], 0.7, ' s')
    table.row('  against hcloud server create (ratio)', [a / b for a, b in zip(taken['triphase'], taken['hcloud'])], target)
    return table.failed


def measure_sweep(cloud, folder, env):
    with open(os.path.join(folder, '.triphase/project.json'), encoding='utf-8') as file:
        own = json.load(file)['id']
    for _ in range(200):
        labels = {'triphase-id': own, 'triphase-target': 'host', 'triphase-machine': str(uuid.uuid4()), 'triphase-expires': '1'}
        cloud.control('POST', '/preload', {'servers': 1, 'labels': labels})
    taken, most = [], 0
    for _ in range(PAIRS):
        cloud.control('DELETE', '/requests')
        took, _, said = run([TRIPHASE, '-C', folder, 'sweep', '--dry-run'], env=env, ok=(1,))
        taken.append(took)
        kinds = collections.Counter(request['path'].split('?')[0].split('/')[2] for request in cloud.control('GET', '/requests'))
        most = max([most, *kinds.values()])
    table = Table('200 servers that are past their time, listed')
    table.row('triphase sweep --dry-run', taken, 1.0, ' s')
    table.row('  requests of the kind of which it made most', [most], 5)
    return table.failed


def main():
    if not shutil.which('hcloud'):
        print('\nA server at a cloud: not measured (needs hcloud, which `make setup-check` installs)')
        return 0
    with tempfile.TemporaryDirectory(prefix='triphase-bench.') as place:
        cloud = Cloud(place)
        try:
            cloud.ask('POST', '/ssh_keys', {'name': 'bench', 'public_key': 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKiHh1rTk0XkWEdA8x0HCsTRTGMSmLRSXN0sJGvvJ7mB bench'})
            env = environment(HCLOUD_TOKEN=TOKEN, HCLOUD_ENDPOINT=cloud.endpoint, HOME=place)
            files = dict(FILES, **{'triphase.yml': FILES['triphase.yml'] % (cloud.endpoint, free_port())})
            with project(files) as folder:
                failed = sum(measure_create(cloud, folder, env, delays) for delays in DELAYS)
                return 1 if failed + measure_sweep(cloud, folder, env) else 0
        finally:
            cloud.end()


if __name__ == '__main__':
    sys.exit(main())
