#!/usr/bin/python3
"""The three vault phases against a plain shell loop of three ansible-playbook calls with Ansible's default settings, over hosts of the same make: the first run,
from a bare host to a vault (measure/first_run.py, FIRST=5 rounds), and a second run with nothing to change (PAIRS)."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import PAIRS, TOP, Table, first_run, last_run, project, run, triphase  # noqa: E402


def second_runs(folder):
    table = Table('The three vault phases, second run, against a shell loop of ansible-playbook (ratio)')
    triphase(folder, 'create', 'vault')
    triphase(folder, 'run', 'vault')
    first_run.plain_inventory(folder, 'vault', 'vault')
    loop = ['sh', '-c', first_run.loop('vault')]
    run(loop, cwd=folder)
    wall, cpu = [], []
    for _ in range(PAIRS):
        a_wall, a_cpu, _ = triphase(folder, 'run', 'vault')
        changed = sum(step['changed'] for step in last_run(folder)['steps'])
        if changed:
            raise SystemExit('a second run changed %d task(s)' % changed)
        b_wall, b_cpu, _ = run(loop, cwd=folder)
        wall.append(a_wall / b_wall)
        cpu.append(a_cpu / b_cpu)
    table.row('triphase run vault, wall', wall, 0.85)
    table.row('triphase run vault, CPU', cpu)
    return table.failed


def main():
    with open(os.path.join(TOP, 'triphase.yml'), encoding='utf-8') as own:
        text = own.read() + first_run.SETTLED + first_run.PLAIN + first_run.SETTLED
    with project({'triphase.yml': text}) as folder:
        first_run.lay_down(folder, 'vault')
        failed = first_run.first_runs(folder, 'vault') if first_run.FIRST else 0
        failed += second_runs(folder) if PAIRS else 0
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
