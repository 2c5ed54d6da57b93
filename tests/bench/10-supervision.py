#!/usr/bin/python3
"""What supervision and recording cost: a phase of 200 tasks under triphase against the same ansible-playbook alone, with the same settings.

The host is a sandbox. `alone` gets the very inventory, extra variables and environment that triphase gives its child, less the event callback and the
launcher, over a master that is warm in both. Two figures: the phase itself (its row), and the whole command with its transport stage.
"""
import glob
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import PAIRS, TRIPHASE, Table, environment, last_run, project, run, triphase  # noqa: E402

TASKS = 200
PLAYBOOK = '- name: Many\n  hosts: recipe_work\n  gather_facts: false\n  tasks:\n' + ''.join(
    '    - name: Task %d\n      ansible.builtin.debug:\n        msg: %d\n' % (i, i) for i in range(TASKS))
NAP = '- name: Nap\n  hosts: recipe_nap\n  gather_facts: false\n  tasks:\n    - name: Sleep\n' \
      '      ansible.builtin.command: sleep 8\n      changed_when: false\n'
FILES = {
    'triphase.yml': 'project: bench\ntargets:\n  host:\n    recipe: work\n',
    'phases/work.yml': 'phases:\n  - name: many\n    playbook: playbooks/many.yml\n',
    'phases/nap.yml': 'phases:\n  - name: nap\n    playbook: playbooks/nap.yml\n',
    'playbooks/many.yml': PLAYBOOK,
    'playbooks/nap.yml': NAP,
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
    """Worker and guard of the run that goes on: their pids by name."""
    found = {}
    for path in glob.glob('/proc/[0-9]*/comm'):
        try:
            with open(path, encoding='ascii') as comm:
                name = comm.read().strip()
            with open(os.path.join(os.path.dirname(path), 'cmdline'), 'rb') as words:
                if folder.encode() in words.read() and name in ('triphase-worker', 'triphase-guard'):
                    found[name] = int(path.split('/')[2])
        except OSError:
            continue
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


def asleep(folder, table):
    """Memory, and CPU used in 4 s, while a task sleeps."""
    child = subprocess.Popen([TRIPHASE, '-C', folder, '--set', 'targets.host.recipe=nap', 'run', 'host'], env=environment(),
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        events = []
        while time.monotonic() < until and not any(b'task_start' in open(e, 'rb').read() for e in events):
            time.sleep(0.05)
            events = glob.glob(os.path.join(folder, '.triphase', 'runs', '*', '*-nap.1.events.ndjson'))
        time.sleep(1)
        pids = processes(folder)
        memory = sum(private_kib(pid) for pid in pids.values()) / 1024
        before = {pid: cpu_ns(pid) for pid in pids.values()}
        time.sleep(4)
        used = sum(cpu_ns(pid) - before[pid] for pid in pids.values()) / 1e6
    finally:
        child.wait(timeout=60)
    if len(pids) != 2:
        raise SystemExit('worker and guard were not both found: %s' % pids)
    table.row('worker and guard, private memory, MiB', [memory], 4.0)
    table.row('worker and guard, CPU while a task sleeps 4 s, ms', [used], 0.0)


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
        table.row('the whole command, CPU of all processes', cpu, 1.06)
        asleep(folder, table)
    return 1 if table.failed else 0


if __name__ == '__main__':
    sys.exit(main())
