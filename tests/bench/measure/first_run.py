"""The first run of a recipe's three phases, from a bare host, against a plain shell loop of three ansible-playbook calls of the same playbooks with
Ansible's default settings, over hosts of the same make: FIRST=5 rounds, a fresh host and an empty state for each of the two."""
import glob
import json
import os
import shutil
import time

from . import TOP, Table, last_run, run, triphase

FIRST = int(os.environ.get('FIRST', '5'))
PHASES = ('install', 'converge', 'finalize')
# A second target, whose only phase does nothing: the loop's host. Further lines make it one of the same make.
PLAIN = '''
  plain:
    recipe: bare
'''
# Of both targets: the loop begins seconds later than a phase would, when what a host does behind its boot is over.
SETTLED = '''    ready: [systemd]
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


def lay_down(folder, recipe):
    """What both have: the playbooks as they come, and a recipe that does not look behind itself, since the loop does not."""
    for name in ('phases', 'playbooks', 'inventory-templates'):
        shutil.copytree(os.path.join(TOP, name), os.path.join(folder, name))
    for name, text in (('phases/bare.yml', BARE), ('playbooks/nothing.yml', NOTHING)):
        with open(os.path.join(folder, name), 'w', encoding='utf-8') as out:
            out.write(text)
    with open(os.path.join(folder, 'phases', recipe + '.yml'), 'r+', encoding='utf-8') as phases:
        text = phases.read().split('verify:\n')[0]
        phases.seek(0)
        phases.truncate()
        phases.write(text)


def call(recipe, phase):
    return 'ansible-playbook -i plain.yml -e @vars.yml playbooks/%s/%s.yml' % (recipe, phase)


def loop(recipe):
    return 'set -e; for phase in %s; do %s; done' % (' '.join(PHASES), call(recipe, '$phase'))


def plain_inventory(folder, recipe, target, state=None):
    """What somebody would write by hand to reach the host that was made last; `target` is the one that it was made for."""
    machine = max(glob.glob(os.path.join(folder, '.triphase', 'machines', '*')), key=os.path.getmtime)
    with open(os.path.join(machine, 'known_hosts'), encoding='ascii') as known:
        alias = known.read().split()[0]
    rendered = json.loads(run(['ansible-inventory', '-i', max(glob.glob(os.path.join(
        folder, '.triphase', 'runs', '*', 'inventory.01.yml')), key=os.path.getmtime), '--host', target])[2])
    with open(os.path.join(folder, 'plain.yml'), 'w', encoding='utf-8') as out:
        out.write('recipe_%s:\n  hosts:\n    %s:\n      ansible_host: %s\n      ansible_user: root\n'
                  '      ansible_ssh_private_key_file: %s/key\n      ansible_python_interpreter: /usr/bin/python3\n'
                  '      ansible_ssh_common_args: -o HostKeyAlias=%s -o UserKnownHostsFile=%s/known_hosts\n'
                  % (recipe, recipe, rendered['ansible_host'], machine, alias, machine))
        # What the target says for the roles.
        out.writelines('      %s: %s\n' % (name, json.dumps(value)) for name, value in rendered.items() if name.startswith(recipe + '_'))
    variables = sorted(glob.glob(os.path.join(folder, '.triphase', 'runs', '*', '*-install.1.vars.yml')))[-1]
    with open(variables, encoding='utf-8') as source, open(os.path.join(folder, 'vars.yml'), 'w', encoding='utf-8') as out:
        out.writelines(line for line in source if not line.startswith('ansible_') and not (state and line.startswith(('triphase_state_dir', 'triphase_machine_dir'))))
        if state:
            out.write('triphase_state_dir: "%s"\ntriphase_machine_dir: "%s"\n' % (state, state))


def by_triphase(folder, recipe):
    """Seconds of each phase, and of all from nothing on: the host is made, waited for, and gone through."""
    whole = triphase(folder, 'create', recipe)[0]
    steps = last_run(folder)['steps']
    took = {step['name']: step['duration_ms'] / 1000 for step in steps if step['kind'] == 'phase'}
    triphase(folder, 'destroy', recipe, '--yes')
    # What outlives the machine would be found by the next one.
    kept = os.path.join(folder, '.triphase', 'targets', recipe, 'state', recipe)
    if os.path.isdir(kept):
        shutil.rmtree(kept)
    return [took[phase] for phase in PHASES], whole


def by_loop(folder, recipe):
    """The same of the loop; its host is made and waited for by triphase, whose phase that does nothing does not count."""
    state = os.path.join(folder, 'plain-state')
    os.mkdir(state, 0o700)
    whole = triphase(folder, 'create', 'plain')[0] - sum(
        step['duration_ms'] / 1000 for step in last_run(folder)['steps'] if step['kind'] == 'phase')
    plain_inventory(folder, recipe, 'plain', state)
    took = []
    for phase in PHASES:
        begun = time.monotonic()
        run(['sh', '-c', call(recipe, phase)], cwd=folder)
        took.append(time.monotonic() - begun)
    triphase(folder, 'destroy', 'plain', '--yes')
    shutil.rmtree(state)
    return took, whole + sum(took)


def first_runs(folder, recipe, target=None):
    """Interleaved; nobody is always the first one. `target` is that of the whole. How many targets were missed."""
    table = Table('A first run of the three %s phases, against a shell loop of ansible-playbook (judged by the median: the upper end of so few is the greatest)' % recipe)
    measured = {by_triphase: [], by_loop: []}
    for number in range(FIRST):
        for way in sorted(measured, key=lambda way: way is by_loop, reverse=number % 2 == 1):
            measured[way].append(way(folder, recipe))
    for way, name in ((by_triphase, 'triphase'), (by_loop, 'loop')):
        for i, phase in enumerate(PHASES):
            table.row('%s, %s' % (name, phase), [took[i] for took, _ in measured[way]], unit=' s', bound='median')
        table.row('%s, together' % name, [sum(took) for took, _ in measured[way]], unit=' s', bound='median')
    pairs = list(zip(measured[by_triphase], measured[by_loop]))
    for i, phase in enumerate(PHASES):
        table.row('%s (ratio)' % phase, [ours[0][i] / theirs[0][i] for ours, theirs in pairs], bound='median')
    table.row('together (ratio)', [sum(ours[0]) / sum(theirs[0]) for ours, theirs in pairs], 0.75, bound='median')
    table.row('from nothing to ok (ratio)', [ours[1] / theirs[1] for ours, theirs in pairs], target, bound='median')
    return table.failed
