#!/usr/bin/python3
"""The three vault phases of a first run over direct, over a tailnet with a TUN on both sides, and over userspace networking here: a fresh sandbox for each,
interleaved, in a tailnet of the machine's own (tests/lab/tailnet_lab.py: a real headscale, real tailscaled). CYCLES=5 of each; the ratios are of a cycle's three.
Where the seconds went, of each phase and of the whole command around them, so that whatever is above the work on the host is explained. How long it takes to know all
transports. And, since keys join hosts and operators here: none of them is seen in /proc, or stands in what is kept afterwards. The first two tables are those of README.md."""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lab'))
import spilled  # noqa: E402
from measure import TRIPHASE, Table, environment, median, run, upper_rank  # noqa: E402
from tailnet_far import Far  # noqa: E402
from tailnet_lab import LOGIN_SERVER, Headscale, Operator, go_private, programs  # noqa: E402

CYCLES = int(os.environ.get('CYCLES', '5'))
PHASES = ('install', 'converge', 'finalize')
KINDS = ('direct', 'tailnet', 'tailnet-userspace')
BESIDE_TUN, BESIDE_USERSPACE = 1.10, 1.25  # of the same over `direct`
KNOWN = 1.0  # seconds until all transports are known
TOGETHER = 45  # seconds that the three phases may take over a tailnet; the pipeline they replace took 303
# What happens on the execution host though the task is the host's.
CONTROLLER = ['ansible.builtin.' + name for name in ('assert', 'debug', 'fail', 'import_role', 'import_tasks', 'include_role', 'include_tasks', 'meta', 'set_fact',
                                                     'validate_argument_spec')]
PARTS = ('start-up', 'on the host', 'here', 'between')
HOST = 1
PROJECT = '''project: bench
targets:
  vault:
    recipe: vault
    transport: %s
'''
TAILNET = '''    tailnet: {login_server: %s, tags: ['tag:vault'], hostname: %s, auth_key: {file: key}}
    vars:
      tailnet_programs: %s
      tailnet_environment: {TS_DEBUG_USE_DERP_HTTP: '1', TS_NO_LOGS_NO_SUPPORT: '1'}
'''


def parts(step):
    """Seconds of a phase by where they went: until the first play begins and after the last one, in tasks on the host (with the way there and back), in
    tasks here, and in Ansible between them."""
    with open(step['events'], encoding='utf-8') as lines:
        events = [json.loads(line) for line in lines]
    here = host = 0
    for event in events:
        if event['kind'] == 'result' and event['status'] != 'skipped':
            if event.get('delegate') or event['action'] in CONTROLLER:
                here += event['duration_ns'] / 1e9
            else:
                host += event['duration_ns'] / 1e9
    played = (events[-1]['t'] - events[0]['t']) / 1e9
    return [step['duration_ms'] / 1000 - played, host, here, played - host - here]


def around(wall, steps):
    """Seconds of a whole create outside its three phases: of each other step by its name, and of the command before, between and behind its steps."""
    told = {}
    for step in steps:
        if step['kind'] != 'phase' or step['name'] not in PHASES:
            told[step['name']] = told.get(step['name'], 0) + step['duration_ms'] / 1000
    told['command'] = wall - sum(step['duration_ms'] for step in steps) / 1000
    return told


class Way:
    """A project for one transport, run where its operator is. `maker`: who makes the host where the operator has no TUN to give it."""

    def __init__(self, headscale, operator, kind, folder, maker=None):
        self.headscale, self.operator, self.kind = headscale, operator, kind
        self.known = []  # seconds until all transports were told of
        self.parts = []  # of each round, of each phase
        self.around = []  # of each round: seconds of the command outside the three phases, by what took them
        self.folder = os.path.join(folder, kind)
        os.mkdir(self.folder, 0o700)
        self.triphase('init')
        self.far = Far(headscale, maker, TRIPHASE, os.path.join(folder, 'far'), environment(HOME=folder)) if maker else None
        self.target(TAILNET % (LOGIN_SERVER, kind, programs()) if kind == 'tailnet' else '')

    def target(self, lines):
        with open(os.path.join(self.folder, 'triphase.yml'), 'w', encoding='utf-8') as out:
            out.write(PROJECT % self.kind + lines)

    def triphase(self, *words):
        return run([*self.operator.prefix, TRIPHASE, '-C', self.folder, *words], env=environment(HOME=self.folder))

    def seconds(self):
        """Of each phase, of a host that was made for it and is gone again; its bundle and the host's own files are searched for keys."""
        with open(os.path.join(self.folder, 'key'), 'w', encoding='ascii') as out:
            out.write(self.headscale.key('tag:vault', '--ephemeral'))
        if self.far:
            self.target(self.far.make())
        wall = self.triphase('create', 'vault')[0]
        steps = json.loads(self.triphase('report', '--json')[2])['steps']
        self.parts.append([parts(step) for phase in PHASES for step in steps if step['kind'] == 'phase' and step['name'] == phase])
        self.known += [self.triphase('inventory', 'vault', '--explain')[0] for _ in range(3)]
        with tempfile.TemporaryDirectory(dir=self.folder) as bundle:
            self.triphase('bundle', 'vault', '--format', 'gz', '-o', os.path.join(bundle, 'vault.tar.gz'))
            self.headscale.spilled.check_files((), bundle, *glob.glob('/var/lib/triphase/*/upper'))
        self.triphase('destroy', 'vault', '--yes')
        # What outlives the machine would be restored: the next one is to be a first run again.
        shutil.rmtree(os.path.join(self.folder, '.triphase', 'targets', 'vault', 'state', 'vault'))
        if self.far:
            self.far.remove()
        took = {step['name']: step['duration_ms'] / 1000 for step in steps if step['kind'] == 'phase'}
        self.around.append(around(wall, steps))
        over = {step['name']: step['transport'] for step in steps if step['kind'] == 'phase'}
        for phase in PHASES:
            if over[phase] != self.kind:
                raise SystemExit('%s went over %s in place of %s' % (phase, over[phase], self.kind))
        return [took[phase] for phase in PHASES]


def ratios(measured, kind):
    return [sum(mine) / sum(other) for mine, other in zip(measured[kind], measured['direct'])]


def upper_end(values):
    return sorted(values)[upper_rank(len(values)) - 1]


def line(*words):
    print('| %s |' % ' | '.join(words))


def cells(values):
    return ['%.2f' % value for value in values]


def show_medians(measured, ways):
    """The first table of README.md."""
    targets = {'tailnet': BESIDE_TUN, 'tailnet-userspace': BESIDE_USERSPACE}
    print('\nMedians of %d interleaved cycles, seconds; load at the end %.1f\n' % (CYCLES, os.getloadavg()[0]))
    line('transport', *PHASES, 'together', 'against `direct`, of the same cycle', 'upper end', 'target', '')
    print('|---|---|---|---|---|---|---|---|---|')
    for kind in KINDS:
        columns = [median([cycle[i] for cycle in measured[kind]]) for i in range(len(PHASES))]
        beside = ratios(measured, kind)
        target = targets.get(kind)
        said = ['%.3f' % median(beside), '%.3f' % upper_end(beside), '%.2f' % target, 'met' if median(beside) <= target else 'missed'] if target else [''] * 4
        line('`%s`' % kind, *cells([*columns, median([sum(cycle) for cycle in measured[kind]])]), *said)
    for way in ways[1:]:
        line('all transports known (`inventory --explain`), %s' % way.kind, '', '', '', '%.3f' % median(way.known), '', '%.3f' % upper_end(way.known), '%.1f' % KNOWN,
             'met' if upper_end(way.known) <= KNOWN else 'missed')


def show_parts(ways):
    """The second one, a line for each phase over each transport: its parts are its whole. And the rest of the command."""
    print('\nWhere the seconds of a phase went, medians: Ansible until its first play and behind its last one, tasks on the host with the way there and back (and what of it '
          'is beyond the same\ntasks over `direct`: that costs the transport), tasks on this machine, and Ansible between tasks\n')
    line('transport', 'phase', *PARTS, 'together', 'of `on the host` beyond `direct`')
    print('|---|---|---|---|---|---|---|---|')
    for way in ways:
        for i, phase in enumerate(PHASES):
            taken = [[round_[i][part] for round_ in way.parts] for part in range(len(PARTS))]
            beyond = [mine[i][HOST] - other[i][HOST] for mine, other in zip(way.parts, ways[0].parts)]
            line('`%s`' % way.kind, phase, *cells([median(part) for part in taken]), '%.2f' % median([sum(round_[i]) for round_ in way.parts]),
                 '' if way is ways[0] else '%+.2f' % median(beyond))
    steps = list(dict.fromkeys(name for way in ways for told in way.around for name in told if name != 'command')) + ['command']
    print('\nWhat a whole create takes outside the three phases, medians, by its other steps; `transport` makes and proves a way, as often as it is needed; `command` is '
          'before, between and behind all steps\n')
    line('transport', *steps, 'together')
    print('|---%s|' % ('|---' * (len(steps) + 1)))
    for way in ways:
        line('`%s`' % way.kind, *cells([median([told.get(name, 0) for told in way.around]) for name in steps] + [median([sum(told.values()) for told in way.around])]))


def show_report(ways):
    """What `report` makes of all of them once they are in one store: a line for each step over each transport."""
    first = ways[0]
    for way in ways[1:]:
        copy = os.path.join(first.folder, way.kind + '.db')
        way.triphase('store', 'export', copy)
        first.triphase('store', 'merge', copy)
    print('\n$ triphase report vault --last %d\n%s' % (6 * CYCLES, first.triphase('report', 'vault', '--last', str(6 * CYCLES))[2]))


def measure(folder):
    watch = spilled.Watch(pause=0.05)
    headscale = Headscale(watch)
    here, without = Operator(headscale, True), Operator(headscale, False)
    for operator in (here, without):
        operator.join()
    ways = [Way(headscale, here, KINDS[0], folder), Way(headscale, here, KINDS[1], folder), Way(headscale, without, KINDS[2], folder, here)]
    measured = {kind: [] for kind in KINDS}
    try:
        for cycle in range(CYCLES):
            # Nobody is always the first one.
            for way in ways[cycle % 3:] + ways[:cycle % 3]:
                measured[way.kind].append(way.seconds())
        show_medians(measured, ways)
        show_parts(ways)
        table = Table('A first run of the three vault phases against the same over direct (ratio, judged by the median: the upper end of so few is the greatest)')
        for kind, target in (('tailnet', BESIDE_TUN), ('tailnet-userspace', BESIDE_USERSPACE)):
            table.row(kind, ratios(measured, kind), target, bound='median')
        table.row('tailnet, the three phases together', [sum(cycle) for cycle in measured['tailnet']], TOGETHER, ' s', bound='median')
        for way in ways[1:]:
            table.row('all transports known (inventory --explain), %s' % way.kind, way.known, KNOWN, ' s')
        show_report(ways)
        folders = [way.folder for way in ways] + [ways[2].far.folder, here.folder, without.folder]
        watch.check([path + '/key' for path in folders], *folders)
        return 1 if table.failed else 0
    finally:
        for way in ways:
            if way.far:
                way.far.remove()
            subprocess.run([*way.operator.prefix, TRIPHASE, '-C', way.folder, 'destroy', '--all', '--yes', '--no-teardown'], env=environment(HOME=way.folder),
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300, check=False)
            subprocess.run(['rm', '-rf', way.folder], check=False)


def main():
    if os.geteuid() != 0 or not os.path.exists(os.path.join(programs(), 'headscale')):
        print('\nThe vault phases over a tailnet: not measured (needs root, and setup/tailnet-lab.sh once)')
        return 0
    go_private()
    with tempfile.TemporaryDirectory(prefix='triphase-bench.') as folder:
        return measure(folder)


if __name__ == '__main__':
    sys.exit(main())
