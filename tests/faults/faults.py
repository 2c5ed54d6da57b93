#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Faults in the middle of a real apt-get install of the recipe vault: faults.py [--one-of-each] [--jobs N] [NAME...]; FAULTS_TABLE=FILE writes the table as Markdown.

Each case makes a host, begins the run, strikes while dpkg is at work, may heal after a while, and looks: when the step ended after the strike, what was recorded,
whether the run got through, how long it took against the undisturbed run, and what was left here and on the host.
"""
import argparse
import concurrent.futures
import contextlib
import dataclasses
import glob
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cloud  # noqa: E402
import guest  # noqa: E402
import provider  # noqa: E402
import tailnet  # noqa: E402

DROP = ('-j', 'DROP')
ANY = None


@dataclasses.dataclass
class Fault:
    name: str
    group: str
    strike: object  # what happens: a function of the project
    heal: object = None
    after: float = 0  # seconds until it is healed
    keys: dict = dataclasses.field(default_factory=dict)
    before: object = None  # makes ready, before the run
    first: tuple = ('ok',)  # outcomes that the phase's first attempt may have
    why: tuple = ANY  # the causes that it may be put down to, None for no word
    detect: float = 0  # at most so many seconds from the strike to the end of that attempt; 0: not asked
    exit: object = 0  # or a tuple of those that may be
    causes: tuple = ()  # what an UNREACHABLE may be put down to
    resume: bool = False  # the run ended: `triphase resume` gets through
    mend: object = None  # what an operator puts right before that
    left_on_host: bool = False  # nobody can look at the host: it is out of reach to the end
    then: object = None  # looks at what comes after it
    delayed: bool = False  # the strike itself waits until the fault begins
    transport: str = ''  # over a tailnet, in a hub of its own
    quick: bool = False  # the one of its class that make check runs
    says: str = ''  # what the message of the run, or a step's log, has to tell
    undisturbed: bool = False  # nothing strikes: what the others over its transport are held against
    host_of: object = None  # while a program of the user's makes, verifies or removes the host (provider.py), or a cloud does (cloud.py): all of it
    whose: object = provider.Project  # of that, where it happens
    logins: int = 0  # at most so many connections to the host from the strike until it is healed; 0: not asked


def drop(project):
    project.filter('-I', *DROP)


def undrop(project):
    project.filter('-D', *DROP)


def rule(*words, chains=('INPUT', 'OUTPUT')):
    return (lambda project: project.filter('-I', *words, chains=chains)), (lambda project: project.filter('-D', *words, chains=chains))


def to_sshd(number):
    return lambda project: guest.signal_all(project.processes('sshd', 'sshd-session'), number)


def to_masters(number):
    return lambda project: guest.signal_all(project.masters(), number)


def to_ansible(number):
    return lambda project: guest.signal_all(project.ansible()[:1], number)


def to_fork(number):
    return lambda project: guest.signal_all(project.ansible()[1:2], number)


def to_workers(number):
    return lambda project: guest.signal_all(project.workers(), number)


def inside(*words):
    return lambda project: project.inside(*words, check=False)


def small_disk(*names):
    def mount(project):
        path = project.path(*names)
        os.makedirs(path, mode=0o700, exist_ok=True)
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=24m,mode=0700', 'tmpfs', path], check=True)
    return mount


def fill(*names):
    def write(project):
        with contextlib.suppress(OSError), open(project.path(*names, 'filler'), 'wb', buffering=0) as out:
            while True:
                out.write(bytes(4096))
    return write


def empty(*names):
    return lambda project: os.unlink(project.path(*names, 'filler'))


def clock(project):
    """The wall clock that triphase sees, by libfaketime: what it measures is monotonic and stays true."""
    project.clock = project.path('clock')
    turn(project, '+0')
    project.environment.update(LD_PRELOAD=glob.glob('/usr/lib/*/faketime/libfaketime.so.1')[0], FAKETIME_TIMESTAMP_FILE=project.clock,
                               FAKETIME_NO_CACHE='1', FAKETIME_DONT_FAKE_MONOTONIC='1')


def turn(project, offset):
    with open(project.path('clock.new'), 'w', encoding='ascii') as out:
        out.write(offset + '\n')
    os.replace(project.path('clock.new'), project.path('clock'))


def ahead(offset):
    def begin(project):
        clock(project)
        turn(project, offset)
    return begin


def see_live_run(project):
    """With the right time again: the run of before was later by its clock, and hides none that goes on."""
    turn(project, '+0')
    project.start('run', 'vault')
    run = guest.until(60, lambda: project.sql('select id from run where outcome is null'), 'a second run')[0][0]
    check('running' in project.triphase('status', 'vault'), 'status does not see the run that goes on')
    project.triphase('cancel', 'vault')
    check(project.wait(60) == 130, 'it was not cancelled')
    check(project.report()['run']['id'] == run, 'report takes another run for the last one')


OLD_RUNS = 30


def history(project):
    """Old runs, some of them older than the last 20; then the clock goes wrong."""
    project.write_store('insert into run (id, kind, target, partial, fresh, started_ns, duration_ns, outcome, exit_code) select '
                        "printf('01890000-0000-7000-8000-%012x', value), 'run', 'vault', 0, 0, started_ns - (1 + value) * 86400000000000, 1, 'ok', 0 "
                        "from run, json_each('" + json.dumps(list(range(OLD_RUNS))) + "')")
    turn(project, '+200d')


def keep_history(project):
    left = project.sql('select count(*) from run')[0][0]
    check(left == OLD_RUNS + 1, '%d runs are left of %d', left, OLD_RUNS + 1)


def and_the_master(strike):
    """Whoever holds a connection sees nothing of what happens to logins: it goes too."""
    def both(project):
        strike(project)
        to_masters(signal.SIGKILL)(project)
    return both


def sweep_has_time(project):
    project.environment['TRIPHASE_TARGETS_VAULT_STAGE_DEADLINE_SWEEP'] = '90s'


INSTALLED = '        creates: /usr/bin/g++\n'
TELL = '''    - name: Tell the neighbour
      ansible.builtin.raw: "true"
      changed_when: false
      delegate_to: neighbour
'''


def neighbour(reached):
    """A host of the user's own inventory."""
    def write(project):
        os.makedirs(project.path('inventory'), exist_ok=True)
        with open(project.path('inventory', 'hosts'), 'w', encoding='ascii') as out:
            out.write('neighbour %s\n' % reached)
    return write


def told_a_dead_neighbour(project):
    neighbour('ansible_host=127.0.0.1 ansible_port=1')(project)
    path = project.path('playbooks', 'vault', 'install.yml')
    with open(path, encoding='utf-8') as play:
        text = play.read()
    with open(path, 'w', encoding='utf-8') as play:
        play.write(text.replace(INSTALLED, INSTALLED + TELL, 1))


def target_left_alone(project):
    check(not project.sql("select 1 from step where name = 'sweep'"), 'the target was looked at for what another host did')
    check(len(attempts(project)) == 2, 'the phase was tried again before anybody mended it')


SLOW_LOGIN = 'sed -i "1i account optional pam_exec.so /bin/sleep 30" /etc/pam.d/sshd'
KEYS = '/root/.ssh/authorized_keys'
# What OpenSSH 9.8 and newer say to an address that they penalise.
PENALTY = '''
import socket
server = socket.create_server(('0.0.0.0', 22))
for count in range(1, 1000):
    one = server.accept()[0]
    with open('/run/penalties', 'w') as out:
        out.write(str(count))
    one.sendall(b'Not allowed at this time\\r\\n')
    one.shutdown(socket.SHUT_WR)
    while one.recv(4096):
        pass
    one.close()
'''


def penalise(project):
    project.inside('systemctl', 'stop', 'ssh')
    project.inside('systemd-run', '-q', '--unit', 'penalties', 'python3', '-c', PENALTY)
    guest.until(10, lambda: project.inside('sh', '-c', 'ss -Hltn sport = :22 || true'), 'somebody at port 22')


def forgive(project):
    project.logins = int(project.inside('cat', '/run/penalties') or 0)
    project.inside('systemctl', 'stop', 'penalties')
    project.inside('systemctl', 'start', 'ssh')


# The reset itself leaves through OUTPUT.
RESET, UNRESET = rule('-p', 'tcp', '-j', 'REJECT', '--reject-with', 'tcp-reset', chains=('INPUT',))
LOSS, UNLOSS = rule('-m', 'statistic', '--mode', 'random', '--probability', '0.05', '-j', 'DROP')
HOLE, UNHOLE = rule('-m', 'length', '--length', '1200:65535', '-j', 'DROP')
TO_SSHD = ('-p', 'tcp', '--dport', '22')
QUOTA, UNQUOTA = rule(*TO_SSHD, '-m', 'quota', '--quota', '20000000', '-j', 'ACCEPT', chains=('INPUT',))
BEHIND, UNBEHIND = rule(*TO_SSHD, *DROP, chains=('INPUT',))
DNS, UNDNS = rule('-p', 'udp', '--dport', '53', '-j', 'DROP')
LOST = ('transport-lost', 'unreachable')


def cut_after_bytes(project):
    """Strikes when the connection has carried that many more: returns once the first packet is gone."""
    BEHIND(project)
    QUOTA(project)
    guest.until(60, lambda: project.dropped('DROP'), 'a connection of so many bytes')


def uncut(project):
    UNQUOTA(project)
    UNBEHIND(project)


BROKEN = ('connect-timeout', 'no-route', 'reset', 'refused', 'banner-timeout', 'keepalive-timeout', 'mux-lost', 'channel-broken')

# What becomes of an attempt over a tailnet. The watchdog has 10 s for a connection that stays and is dead.
PATH_DEAD = {'first': ('transport-lost',), 'why': ('path-dead',), 'detect': 12, 'causes': ('keepalive-timeout',)}
DAEMON_SILENT = {**PATH_DEAD, 'why': ('daemon-silent',)}
NOT_CARRIED = {**PATH_DEAD, 'why': ('not-carried',)}
# With a userspace daemon its connections go, and ssh says so before anybody looked, or just after.
CUT_AT_ONCE = {'first': ('unreachable',), 'why': (None, 'daemon-silent'), 'detect': 5, 'causes': ('reset',)}
ENDS_UNTIL_MENDED = {'exit': 4, 'resume': True}

FAULTS = (
    Fault('nothing at all', 'none', lambda project: None, undisturbed=True),
    Fault('packets dropped for 5 s', 'path', drop, undrop, 5),
    Fault('packets dropped for 60 s', 'path', drop, undrop, 60, first=('transport-lost',), detect=10, causes=BROKEN),
    Fault('packets dropped for good', 'path', drop, first=('transport-lost',), detect=10, exit=4, causes=BROKEN, left_on_host=True, quick=True),
    Fault('connections reset', 'path', RESET, UNRESET, 3, first=LOST, detect=10, causes=('reset',)),
    Fault('connection dead after 20 MB more', 'path', cut_after_bytes, uncut, 12, first=LOST, detect=10, causes=BROKEN,
          delayed=True),
    Fault('5 % of the packets lost', 'path', LOSS),
    Fault('path-MTU hole for 40 s', 'path', HOLE, UNHOLE, 40, first=('ok',) + LOST, causes=BROKEN),
    Fault('DNS gone', 'path', DNS),
    Fault('sshd frozen for 60 s', 'host', to_sshd(signal.SIGSTOP), to_sshd(signal.SIGCONT), 60, first=LOST, detect=20,
          causes=('keepalive-timeout', 'banner-timeout', 'connect-timeout')),
    Fault('sshd restarted', 'host', inside('systemctl', 'restart', 'ssh')),
    Fault('host rebooted', 'host', inside('systemctl', 'reboot', '--force'), keys={'reboots': 'true'}, first=('unreachable',), detect=20, causes=('reset',), quick=True),
    Fault('/tmp of the host full', 'host', inside('sh', '-c', 'cat /dev/zero >/tmp/filler'), mend=inside('rm', '/tmp/filler'), first=('ok', 'failed'), exit=(0, 2),
          resume=True),
    Fault('/tmp of the host read-only', 'host', inside('mount', '-o', 'remount,ro', '/tmp'), mend=inside('mount', '-o', 'remount,rw', '/tmp'), first=('ok', 'failed'),
          exit=(0, 2), resume=True),
    Fault('mux master killed', 'connection', to_masters(signal.SIGKILL), first=('unreachable',), detect=5, causes=('mux-lost',), quick=True),
    Fault('mux master stopped', 'connection', to_masters(signal.SIGSTOP), first=LOST + ('silence',), detect=30, keys={'silence': '25s'}, causes=BROKEN),
    Fault('login that takes 30 s', 'login', and_the_master(inside('sh', '-c', SLOW_LOGIN)), before=sweep_has_time, first=('unreachable',), causes=('mux-lost',)),
    Fault('refused key', 'login', and_the_master(inside('mv', KEYS, KEYS + '.away')), mend=inside('mv', KEYS + '.away', KEYS), first=('unreachable',), detect=5, exit=4,
          causes=('mux-lost',), resume=True, says='Permission denied (publickey', quick=True),
    Fault('penalised address', 'login', and_the_master(penalise), forgive, 30, first=('unreachable',), detect=5, causes=('mux-lost',), says='Not allowed at this time', logins=6),
    Fault('host beyond the target down', 'beyond', lambda project: None, before=told_a_dead_neighbour, mend=neighbour('ansible_connection=local'), first=('failed',),
          exit=2, causes=('refused',), resume=True, says='delegated to neighbour', then=target_left_alone),
    Fault('disk full under the store', 'disk', fill('.triphase'), mend=empty('.triphase'), before=small_disk('.triphase'), first=ANY, exit=70, resume=True, quick=True),
    Fault('disk full under the log', 'disk', fill('.triphase', 'runs'), mend=empty('.triphase', 'runs'), before=small_disk('.triphase', 'runs'), first=ANY, exit=2,
          resume=True),
    Fault('ansible-playbook killed', 'child', to_ansible(signal.SIGKILL), first=('child-crashed',), detect=5, exit=2, resume=True, quick=True),
    Fault('ansible-playbook stopped', 'child', to_ansible(signal.SIGSTOP), keys={'silence': '15s'}, first=('silence',), detect=25),
    Fault("a fork of Ansible's killed", 'child', to_fork(signal.SIGKILL), first=('failed',), detect=5, exit=2, resume=True),
    Fault('triphase killed -9', 'triphase', to_workers(signal.SIGKILL), first=('crashed',), exit=70, resume=True, quick=True),
    Fault('triphase stopped for 30 s', 'triphase', to_workers(signal.SIGSTOP), to_workers(signal.SIGCONT), 30),
    Fault('clock a day ahead, then a day back', 'clock', lambda project: turn(project, '+1d'), lambda project: turn(project, '-1d'), 5, before=clock, quick=True),
    Fault('clock two hours ahead', 'clock', lambda project: None, before=ahead('+2h'), then=see_live_run),
    Fault('clock 200 days ahead', 'clock', history, before=clock, then=keep_history),
    Fault("provider's program killed in make", 'provider', None, host_of=provider.killed_in_make, quick=True),
    Fault("provider's program killed in verify", 'provider', None, host_of=provider.killed_in_verify),
    Fault("provider's program killed in remove", 'provider', None, host_of=provider.killed_in_remove),
    Fault("host's network gone while it is made", 'provider', None, host_of=provider.network_gone),
    *(Fault(name, 'cloud', None, host_of=strike, whose=cloud.Project) for name, strike in cloud.STRIKES),
    Fault('tailnet undisturbed', 'tailnet', lambda project: None, undisturbed=True, transport='tailnet'),
    Fault('userspace undisturbed', 'tailnet', lambda project: None, undisturbed=True, transport='tailnet-userspace'),
    Fault('tailscaled killed', 'tailnet', tailnet.to_daemon(signal.SIGKILL), mend=tailnet.start_daemon, **PATH_DEAD, **ENDS_UNTIL_MENDED, transport='tailnet', quick=True),
    Fault('tailscaled killed under userspace', 'tailnet', tailnet.to_daemon(signal.SIGKILL), mend=tailnet.start_daemon, **CUT_AT_ONCE, **ENDS_UNTIL_MENDED,
          transport='tailnet-userspace'),
    Fault('tailscaled stopped for 30 s', 'tailnet', tailnet.to_daemon(signal.SIGSTOP), tailnet.to_daemon(signal.SIGCONT), 30, **PATH_DEAD, transport='tailnet'),
    Fault('tailscaled stopped for 30 s under userspace', 'tailnet', tailnet.to_daemon(signal.SIGSTOP), tailnet.to_daemon(signal.SIGCONT), 30, **DAEMON_SILENT,
          transport='tailnet-userspace'),
    Fault('tailscaled restarted', 'tailnet', tailnet.restart_daemon, transport='tailnet'),
    Fault('tailscaled restarted under userspace', 'tailnet', tailnet.restart_daemon, **CUT_AT_ONCE, transport='tailnet-userspace'),
    Fault('logged out of the tailnet', 'tailnet', tailnet.log_out, mend=tailnet.join_again, **PATH_DEAD, **ENDS_UNTIL_MENDED, says='is in the state NeedsLogin',
          transport='tailnet'),
    Fault('logged out under userspace', 'tailnet', tailnet.log_out, mend=tailnet.join_again, **NOT_CARRIED, **ENDS_UNTIL_MENDED, says='is in the state NeedsLogin',
          transport='tailnet-userspace'),
    Fault('switched to another tailnet under userspace', 'tailnet', tailnet.switch_tailnet, before=tailnet.second_tailnet, mend=tailnet.switch_back, **NOT_CARRIED,
          **ENDS_UNTIL_MENDED, transport='tailnet-userspace'),
    Fault('control server down for 60 s', 'tailnet', tailnet.stop_headscale, tailnet.start_headscale, 60, transport='tailnet'),
    Fault('another daemon at the socket', 'tailnet', tailnet.another_daemon(True), mend=tailnet.back_in_place, **CUT_AT_ONCE, **ENDS_UNTIL_MENDED,
          transport='tailnet-userspace'),
    Fault('a daemon that never answers', 'tailnet', tailnet.another_daemon(False), mend=tailnet.back_in_place, **CUT_AT_ONCE, **ENDS_UNTIL_MENDED,
          transport='tailnet-userspace'),
)
COLUMNS = ('fault', 'detected after', 'first attempt', 'UNREACHABLE', 'outcome', 'exit', 'time', 'against undisturbed', 'left here', 'left on host')


def attempts(project):
    return project.sql("select attempt, outcome, cause, started_ns + duration_ns from step where name = 'install' order by seq")


def check(holds, what, *more):
    if not holds:
        raise AssertionError(what % more)


def judge(fault, project, code, struck):
    """The row of the table; raises where something is not as it has to be."""
    tries = attempts(project)
    first, ended = tries[0][1], tries[0][3]
    late = (ended - struck) / 1e9 if ended and first not in ('ok', 'crashed') and (fault.detect or not fault.before) else None
    ledger = project.sql('select cause, cause_source from unreachable')
    outcome = project.report()['run']['outcome']
    check(fault.first is ANY or first in fault.first, 'first attempt was %s (%s), not %s', first, tries[0][2], fault.first)
    check(fault.why is ANY or tries[0][2] in fault.why, 'first attempt was %s by %s, not by %s', first, tries[0][2], fault.why)
    check(code in (fault.exit if isinstance(fault.exit, tuple) else (fault.exit,)), 'exit %d, not %s', code, fault.exit)
    check(not fault.detect or late <= fault.detect, 'detected after %.1f s, not within %.0f', late or -1, fault.detect)
    for cause, source in ledger:
        check(cause in fault.causes, 'an UNREACHABLE was put down to %s (%s), not to one of %s', cause, source, fault.causes)
    check(not any(first == 'unreachable' for _, first, _, _ in tries) or ledger, 'an unreachable attempt stands in no ledger')
    check(fault.says in project.told(), "'%s' was never said", fault.says)
    check(not fault.logins or 0 < project.logins <= fault.logins, '%d connections, not at most %d', project.logins, fault.logins)
    project.triphase('store', 'check')
    here = guest.until(10, lambda: project.left_here() == 0, 'an empty scope') and 0
    there = None if fault.left_on_host else len(project.left_on_host())
    check(not there, 'left on the host: %s', project.left_on_host())
    causes = ', '.join(sorted({'%s (%s)' % entry for entry in ledger})) or '-'
    return late, (first or 'could not be written') + (' (%s)' % tries[0][2] if tries[0][2] else ''), causes, outcome, here, there


def play(fault):
    if fault.host_of:
        return provider.play(fault.host_of, fault.name, fault.whose)
    if fault.transport and not asked_inside():
        return tailnet.call_apart(fault.name, os.path.abspath(__file__))
    with tailnet.Project(fault.transport, fault.keys) if fault.transport else guest.Project(fault.keys) as project:
        if fault.before:
            fault.before(project)
        begun = time.monotonic()
        project.start('create', 'vault')
        guest.installing(project)
        struck = time.time_ns()
        fault.strike(project)
        if fault.delayed:
            struck = time.time_ns()
        healer = threading.Timer(fault.after, fault.heal, (project,)) if fault.heal else None
        if healer:
            healer.start()
        try:
            code = project.wait(900)
        finally:
            if healer:
                healer.join()
        try:
            ended = project.report()['run']['outcome'] if fault.resume else None
            if fault.mend:
                fault.mend(project)
            if fault.resume and code:
                project.triphase('resume', 'vault')
            took = time.monotonic() - begun
            late, first, causes, outcome, here, there = judge(fault, project, code, struck)
            if fault.then:
                fault.then(project)
            if fault.transport:
                project.check_spilled()
            if fault.resume and code:
                outcome = '%s, then resumed: %s' % (ended or 'crashed', outcome)
        except AssertionError:
            sys.stderr.write(project.said()[-3000:])
            sys.stderr.write(project.triphase('report', ok=None))
            raise
    return [fault.name, '-' if late is None else '%.1f s' % late, first, causes, outcome, str(code), took, here, '-' if there is None else there]


def asked_inside():
    return sys.argv[1:2] == ['--inside']


def play_inside():
    """`faults.py --inside FILE NAME`: that case in this process, its row to the file."""
    tailnet.tailnet_lab.go_private()
    row = play(next(fault for fault in FAULTS if fault.name == sys.argv[3]))
    with open(sys.argv[2], 'w', encoding='utf-8') as out:
        json.dump(row, out)


def finished(row, undisturbed):
    return row[:6] + ['%.1f s' % row[6], '-' if undisturbed is None else '%.2f' % (row[6] / undisturbed)] + row[7:]


def choose(asked):
    if asked.one_of_each:
        return [fault for fault in FAULTS if fault.quick]
    # A whole name means that one alone, a part of names all that have it.
    whole = {fault.name for fault in FAULTS}.intersection(asked.names)
    return [fault for fault in FAULTS if not asked.names or fault.name in whole or any(word in fault.name for word in set(asked.names) - whole)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--one-of-each', action='store_true')
    parser.add_argument('--jobs', type=int, default=1)
    parser.add_argument('names', nargs='*')
    asked = parser.parse_args()
    guest.packages()
    chosen, failed, undisturbed, rows = choose(asked), 0, {}, {}  # undisturbed: seconds, over each transport
    with concurrent.futures.ThreadPoolExecutor(asked.jobs) as pool:
        started = {pool.submit(play, fault): fault for fault in chosen}
        for done in concurrent.futures.as_completed(started):
            fault = started[done]
            try:
                row = done.result()
                if fault.undisturbed:
                    undisturbed[fault.transport] = row[6]
                rows[fault.name] = row
                print('ok   fault %s (%.0f s): %s' % (fault.name, row[6], ' | '.join(str(cell) for cell in row[1:6])))
            except Exception as error:  # pylint: disable=broad-except
                failed += 1
                print('fail fault %s: %s' % (fault.name, error))
                if not isinstance(error, AssertionError):
                    traceback.print_exc()
            sys.stdout.flush()
    table, tally = os.environ.get('FAULTS_TABLE'), os.environ.get('TALLY')
    if table:
        with open(table, 'w', encoding='utf-8') as out:
            for cells in (COLUMNS, ['---'] * len(COLUMNS), *(finished(rows[f.name], None if f.host_of else undisturbed.get(f.transport)) for f in chosen if f.name in rows)):
                out.write('| %s |\n' % ' | '.join(str(cell) for cell in cells))
    if tally:
        with open(tally, 'a', encoding='utf-8') as out:
            for fault in chosen:
                out.write('%s\tfault %s\n' % ('ok' if fault.name in rows else 'fail', fault.name))
    print('%d passed, %d failed' % (len(chosen) - failed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(play_inside() if asked_inside() else main())
