#!/usr/bin/python3
"""What supervision and recording cost: a phase of 200 tasks under triphase against the same ansible-playbook alone, with the same settings.

What its processes have for themselves is measured while a task sleeps: worker and guard alone, with a health check over HTTP, and with what waits for the
next phase (`warm`: an interpreter that has imported Ansible; `mitogen`: the one that forks all phases, and its multiplexer).

The host is a sandbox. `alone` gets the very inventory, extra variables and environment that triphase gives its child, less the event callback and the
launcher, over a master that is warm in both. Two figures: the phase itself (its row), and the whole command with its transport stage.
"""
import glob
import http.server
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import PAIRS, TRIPHASE, Table, environment, last_run, peers, project, run, triphase  # noqa: E402

TASKS = 200
PLAYBOOK = '- name: Many\n  hosts: recipe_work\n  gather_facts: false\n  tasks:\n' + ''.join(
    '    - name: Task %d\n      ansible.builtin.debug:\n        msg: %d\n' % (i, i) for i in range(TASKS))
NAP = '- name: Nap\n  hosts: recipe_nap\n  gather_facts: false\n  tasks:\n    - name: Sleep\n' \
      '      ansible.builtin.command: sleep 8\n      changed_when: false\n'
FILES = {
    'triphase.yml': 'project: bench\ntargets:\n  host:\n    recipe: work\n',
    'phases/work.yml': 'phases:\n  - name: many\n    playbook: playbooks/many.yml\n',
    'phases/nap.yml': 'phases:\n  - name: nap\n    playbook: playbooks/nap.yml\n  - name: again\n    playbook: playbooks/again.yml\n',
    'playbooks/many.yml': PLAYBOOK,
    'playbooks/nap.yml': NAP,
    'playbooks/again.yml': '- name: Again\n  hosts: recipe_nap\n  gather_facts: false\n  tasks: []\n',
}


def alone(folder, inventory):
    """The settings of triphase's child: those that change what Ansible does."""
    env = environment(ANSIBLE_PIPELINING='1', ANSIBLE_TIMEOUT='10', ANSIBLE_SSH_RETRIES='0', LC_ALL='C.UTF-8')
    return run(['ansible-playbook', '-i', inventory, os.path.join('playbooks', 'many.yml')], cwd=folder, env=env)


def supervised(folder):
    wall, cpu, _ = triphase(folder, 'run', 'host')
    phase = [s for s in last_run(folder)['steps'] if s['kind'] == 'phase'][0]
    return wall, cpu, phase['duration_ms'] / 1000


def processes(folder):
    """Those of the run that goes on: worker, guard, and what stands in the run's scope beside its steps."""
    found = {}
    for path in glob.glob('/proc/[0-9]*/cmdline'):
        try:
            with open(path, 'rb') as words:
                line = words.read()
            with open(os.path.join(os.path.dirname(path), 'comm'), encoding='ascii') as comm:
                name = comm.read().strip()
            with open(os.path.join(os.path.dirname(path), 'cgroup'), encoding='ascii') as group:
                of_run = group.read().strip().rsplit('/', 1)[-1].startswith('run-')
        except OSError:
            continue
        if folder.encode() in line and name in ('triphase-worker', 'triphase-guard'):
            found[int(path.split('/')[2])] = name
        elif of_run and (b'--zygote' in line or b'--ahead' in line):
            found[int(path.split('/')[2])] = 'interpreter'
    return found


def private_kib(pid):
    with open('/proc/%d/smaps_rollup' % pid, encoding='ascii') as rollup:
        return sum(int(line.split()[1]) for line in rollup if line.startswith(('Private_Clean', 'Private_Dirty')))


def cpu_ns(pid):
    total = 0
    for path in glob.glob('/proc/%d/task/*/schedstat' % pid):
        with open(path, encoding='ascii') as stat:
            total += int(stat.read().split()[0])
    return total


def nap(folder, mode, *words):
    """MiB of worker and guard, MiB of the interpreters, and CPU in ms of worker and guard in 4 s, while a task sleeps."""
    child = subprocess.Popen([TRIPHASE, '-C', folder, '--set', 'targets.host.recipe=nap', *words, 'run', 'host'],
                             env=environment(TRIPHASE_ACCELERATE=mode, TRIPHASE_MITOGEN=peers.MITOGEN),
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        before = set(glob.glob(os.path.join(folder, '.triphase', 'runs', '*', '*-nap.1.events.ndjson')))
        events = []
        while time.monotonic() < until and not any(b'task_start' in open(e, 'rb').read() for e in events):
            time.sleep(0.05)
            events = set(glob.glob(os.path.join(folder, '.triphase', 'runs', '*', '*-nap.1.events.ndjson'))) - before
        time.sleep(1)
        found = processes(folder)
        memory = {name: sum(private_kib(pid) for pid in found if (found[pid] == 'interpreter') == (name == 'interpreter')) / 1024
                  for name in ('own', 'interpreter')}
        own = [pid for pid in found if found[pid] != 'interpreter']
        used = {pid: cpu_ns(pid) for pid in own}
        time.sleep(4)
        cpu = sum(cpu_ns(pid) - used[pid] for pid in own) / 1e6
    finally:
        child.wait(timeout=60)
    if len(own) != 2:
        raise SystemExit('worker and guard were not both found: %s' % found)
    if mode != 'none' and not memory['interpreter']:
        raise SystemExit('no interpreter waited: %s' % found)
    return memory['own'], memory['interpreter'], cpu


def asleep(folder, table):
    own, _, cpu = nap(folder, 'none')
    table.row('worker and guard, private memory, MiB', [own], 2.0)
    table.row('worker and guard, CPU while a task sleeps 4 s, ms', [cpu], 0.0)
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)
    server.RequestHandlerClass.log_message = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    own = nap(folder, 'none', '--set', 'targets.host.health={url: "http://127.0.0.1:%d/", via: network}' % server.server_port)[0]
    server.shutdown()
    table.row('the same with a health check over HTTP, MiB', [own], 7.0)
    for mode in ('warm', 'mitogen'):
        own, interpreters, _ = nap(folder, mode)
        table.row('the same with the interpreter of the run (%s), MiB' % mode, [own + interpreters], 60.0)


def main():
    table = Table('Supervision and recording, %d tasks, against ansible-playbook alone (ratio)' % TASKS)
    with project(FILES) as folder:
        triphase(folder, 'create', 'host')
        inventory = sorted(glob.glob(os.path.join(folder, '.triphase', 'runs', '*', 'inventory.01.yml')))[-1]
        # A master of its own for the plain runs, as warm as triphase's.
        plain = os.path.join(folder, 'plain.yml')
        with open(inventory, encoding='utf-8') as source, open(plain, 'w', encoding='utf-8') as out:
            text = source.read()
            sockets = text.split('ControlPath=')[1].split('/%C')[0]
            out.write(text.replace(sockets, folder))
        alone(folder, plain)
        phase, whole, cpu = [], [], []
        for _ in range(PAIRS):
            a_wall, a_cpu, a_phase = supervised(folder)
            b_wall, b_cpu, _ = alone(folder, plain)
            phase.append(a_phase / b_wall)
            whole.append(a_wall / b_wall)
            cpu.append(a_cpu / b_cpu)
        table.row('the phase, wall', phase, 1.03)
        table.row('the whole command (lock, plan, transport, phase), wall', whole)
        table.row('the whole command, CPU of all processes', cpu, 1.00)
        asleep(folder, table)
    return 1 if table.failed else 0


if __name__ == '__main__':
    sys.exit(main())
