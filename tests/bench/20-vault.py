#!/usr/bin/python3
"""The three vault phases against a plain shell loop of three ansible-playbook calls with Ansible's default settings, over hosts of the same make: a second run
with nothing to change (PAIRS), and the first run, from a bare host to a vault (FIRST=5 rounds, a fresh host and an empty state for each of the two)."""
import glob
import json
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import PAIRS, TOP, Table, last_run, project, run, triphase  # noqa: E402

FIRST = int(os.environ.get('FIRST', '5'))
PHASES = ('install', 'converge', 'finalize')
PHASE = 'ansible-playbook -i plain.yml -e @vars.yml playbooks/vault/%s.yml'
LOOP = 'set -e; for phase in %s; do %s; done' % (' '.join(PHASES), PHASE % '$phase')
# A second target, of the same make, whose only phase does nothing: the loop's host.
PLAIN = '''
  plain:
    recipe: bare
'''
BARE = '''phases:
  - name: nothing
    playbook: playbooks/nothing.yml
'''
NOTHING = '''- name: Nothing
  hosts: recipe_bare
  gather_facts: false
  tasks:
    - name: Nothing
      ansible.builtin.meta: noop
'''


def plain_inventory(folder, target='vault', state=None):
    """What somebody would write by hand to reach the host that was made last."""
    machine = max(glob.glob(os.path.join(folder, '.triphase', 'machines', '*')), key=os.path.getmtime)
    with open(os.path.join(machine, 'known_hosts'), encoding='ascii') as known:
        alias = known.read().split()[0]
    rendered = json.loads(run(['ansible-inventory', '-i', max(glob.glob(os.path.join(
        folder, '.triphase', 'runs', '*', 'inventory.01.yml')), key=os.path.getmtime), '--host', target])[2])
    with open(os.path.join(folder, 'plain.yml'), 'w', encoding='utf-8') as out:
        out.write('recipe_vault:\n  hosts:\n    vault:\n      ansible_host: %s\n      ansible_user: root\n'
                  '      ansible_ssh_private_key_file: %s/key\n      ansible_python_interpreter: /usr/bin/python3\n'
                  '      ansible_ssh_common_args: -o HostKeyAlias=%s -o UserKnownHostsFile=%s/known_hosts\n'
                  % (rendered['ansible_host'], machine, alias, machine))
    variables = sorted(glob.glob(os.path.join(folder, '.triphase', 'runs', '*', '*-install.1.vars.yml')))[-1]
    with open(variables, encoding='utf-8') as source, open(os.path.join(folder, 'vars.yml'), 'w', encoding='utf-8') as out:
        out.writelines(line for line in source if not line.startswith('ansible_') and not (state and line.startswith(('triphase_state_dir', 'triphase_machine_dir'))))
        if state:
            out.write('triphase_state_dir: "%s"\ntriphase_machine_dir: "%s"\n' % (state, state))


def first_by_triphase(folder):
    """Seconds of each phase of a first run, and of the whole command beyond making the host."""
    triphase(folder, 'create', 'vault')
    steps = last_run(folder)['steps']
    took = {step['name']: step['duration_ms'] / 1000 for step in steps if step['kind'] == 'phase'}
    triphase(folder, 'destroy', 'vault', '--yes')
    # What outlives the machine would be restored.
    shutil.rmtree(os.path.join(folder, '.triphase', 'targets', 'vault', 'state', 'vault'))
    return [took[phase] for phase in PHASES]


def first_by_loop(folder):
    """The same of the loop, over a host of the same make."""
    state = os.path.join(folder, 'plain-state')
    os.mkdir(state, 0o700)
    triphase(folder, 'create', 'plain')
    plain_inventory(folder, 'plain', state)
    took = []
    for phase in PHASES:
        begun = time.monotonic()
        run(['sh', '-c', PHASE % phase], cwd=folder)
        took.append(time.monotonic() - begun)
    triphase(folder, 'destroy', 'plain', '--yes')
    shutil.rmtree(state)
    return took


def first_runs(folder):
    """Interleaved; nobody is always the first one."""
    table = Table('A first run of the three vault phases, against a shell loop of ansible-playbook (judged by the median: the upper end of so few is the greatest)')
    measured = {first_by_triphase: [], first_by_loop: []}
    for number in range(FIRST):
        for way in sorted(measured, key=lambda way: way is first_by_loop, reverse=number % 2 == 1):
            measured[way].append(way(folder))
    for way, name in ((first_by_triphase, 'triphase'), (first_by_loop, 'loop')):
        for i, phase in enumerate(PHASES):
            table.row('%s, %s' % (name, phase), [took[i] for took in measured[way]], unit=' s', bound='median')
        table.row('%s, together' % name, [sum(took) for took in measured[way]], unit=' s', bound='median')
    pairs = list(zip(measured[first_by_triphase], measured[first_by_loop]))
    for i, phase in enumerate(PHASES):
        table.row('%s (ratio)' % phase, [ours[i] / theirs[i] for ours, theirs in pairs], bound='median')
    table.row('together (ratio)', [sum(ours) / sum(theirs) for ours, theirs in pairs], 0.75, bound='median')
    return table.failed


def main():
    with project({'triphase.yml': open(os.path.join(TOP, 'triphase.yml'), encoding='utf-8').read() + PLAIN}) as folder:
        for name in ('phases', 'playbooks', 'inventory-templates'):
            shutil.copytree(os.path.join(TOP, name), os.path.join(folder, name))
        for name, text in (('phases/bare.yml', BARE), ('playbooks/nothing.yml', NOTHING)):
            with open(os.path.join(folder, name), 'w', encoding='utf-8') as out:
                out.write(text)
        # The loop does not look behind itself.
        with open(os.path.join(folder, 'phases', 'vault.yml'), 'r+', encoding='utf-8') as recipe:
            text = recipe.read().split('verify:\n')[0]
            recipe.seek(0)
            recipe.truncate()
            recipe.write(text)
        failed = first_runs(folder) if FIRST else 0
        if not PAIRS:
            return 1 if failed else 0
        table = Table('The three vault phases, second run, against a shell loop of ansible-playbook (ratio)')
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
    return 1 if table.failed or failed else 0


if __name__ == '__main__':
    sys.exit(main())
