#!/usr/bin/python3
"""The three vault phases, second run with nothing to change: `triphase run vault` against a plain shell loop of three ansible-playbook calls with
Ansible's default settings over the same host."""
import glob
import json
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import PAIRS, TOP, Table, last_run, project, run, triphase  # noqa: E402

LOOP = 'set -e; for phase in install converge finalize; do ' \
       'ansible-playbook -i plain.yml -e @vars.yml playbooks/vault/$phase.yml; done'


def plain_inventory(folder):
    """What somebody would write by hand to reach the host."""
    with open(glob.glob(os.path.join(folder, '.triphase', 'machines', '*', 'known_hosts'))[0], encoding='ascii') as known:
        alias = known.read().split()[0]
    rendered = json.loads(run(['ansible-inventory', '-i', sorted(glob.glob(os.path.join(
        folder, '.triphase', 'runs', '*', 'inventory.01.yml')))[-1], '--host', 'vault'])[2])
    machine = glob.glob(os.path.join(folder, '.triphase', 'machines', '*'))[0]
    with open(os.path.join(folder, 'plain.yml'), 'w', encoding='utf-8') as out:
        out.write('recipe_vault:\n  hosts:\n    vault:\n      ansible_host: %s\n      ansible_user: root\n'
                  '      ansible_ssh_private_key_file: %s/key\n      ansible_python_interpreter: /usr/bin/python3\n'
                  '      ansible_ssh_common_args: -o HostKeyAlias=%s -o UserKnownHostsFile=%s/known_hosts\n'
                  % (rendered['ansible_host'], machine, alias, machine))
    variables = sorted(glob.glob(os.path.join(folder, '.triphase', 'runs', '*', '*-install.1.vars.yml')))[-1]
    with open(variables, encoding='utf-8') as source, open(os.path.join(folder, 'vars.yml'), 'w', encoding='utf-8') as out:
        out.writelines(line for line in source if not line.startswith('ansible_'))


def main():
    table = Table('The three vault phases, second run, against a shell loop of ansible-playbook (ratio)')
    with project({'triphase.yml': open(os.path.join(TOP, 'triphase.yml'), encoding='utf-8').read()}) as folder:
        for name in ('phases', 'playbooks', 'inventory-templates'):
            shutil.copytree(os.path.join(TOP, name), os.path.join(folder, name))
        triphase(folder, 'create', 'vault')
        triphase(folder, 'run', 'vault')
        plain_inventory(folder)
        run(['sh', '-c', LOOP], cwd=folder)
        wall, cpu = [], []
        for _ in range(PAIRS):
            a_wall, a_cpu, _ = triphase(folder, 'run', 'vault')
            changed = sum(step['changed'] for step in last_run(folder)['steps'])
            if changed:
                raise SystemExit('a second run changed %d task(s)' % changed)
            b_wall, b_cpu, _ = run(['sh', '-c', LOOP], cwd=folder)
            wall.append(a_wall / b_wall)
            cpu.append(a_cpu / b_cpu)
        table.row('triphase run vault, wall', wall, 0.85)
        table.row('triphase run vault, CPU', cpu)
    return 1 if table.failed else 0


if __name__ == '__main__':
    sys.exit(main())
