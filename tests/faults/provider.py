# SPDX-License-Identifier: MIT
"""Faults while a program of the user's makes, verifies or removes a host: the shipped example of systemd-nspawn, with a program before it that stops where a fault is to strike."""
import glob
import os
import shutil
import signal
import time

import guest

# Of a call that is held, the program waits before or after all its work, its answer not yet given.
THROUGH = '''#!/usr/bin/python3
import json, os, subprocess, sys, time
asked = sys.stdin.buffer.read()
call = json.loads(asked)['call']
with open('calls', 'a') as out:
    print(call, file=out)
when = open('hold-' + call).read() if os.path.exists('hold-' + call) else ''
def held():
    with open('held.new', 'w') as out:
        out.write(str(os.getpid()))
    os.rename('held.new', 'held')
    while os.path.exists('held'):
        time.sleep(0.02)
if when == 'before':
    held()
done = subprocess.run(sys.argv[1:], input=asked, stdout=subprocess.PIPE)
if when == 'after':
    held()
sys.stdout.buffer.write(done.stdout)
sys.exit(done.returncode)
'''
FILES = {
    'through': THROUGH,
    'triphase.yml': '''project: faults
targets:
  vault:
    provider: command
    recipe: web
    make: [./through, ./host.sh]
    verify: [./through, ./host.sh]
    remove: [./through, ./host.sh]
    vars: {tree: %s}
    stage_deadline: {ready: 20s}
''',
    'phases/web.yml': 'phases:\n  - name: hello\n    playbook: playbooks/hello.yml\n',
    'playbooks/hello.yml': '- hosts: recipe_web\n  gather_facts: false\n  tasks:\n    - ansible.builtin.command: "true"\n      changed_when: false\n',
}


class Project(guest.Project):
    ended = 0  # exit code of the last command that did not end well

    def __enter__(self):
        tree = next(path for path in glob.glob(guest.CACHE + '/debian-12-*') if os.path.isdir(path))
        try:
            self.lay_down({**FILES, 'triphase.yml': FILES['triphase.yml'] % tree})
            os.chmod(self.path('through'), 0o755)
            shutil.copy(os.path.join(guest.TOP, 'examples', 'providers', 'nspawn', 'host.sh'), self.folder)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.hold(None)
        super().__exit__()

    def lay_down(self, files):
        for name, text in files.items():
            os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
            with open(self.path(name), 'w', encoding='utf-8') as out:
                out.write(text)

    def hold(self, call, when='after'):
        """From now on that call stops there; None: none does, and one that stands goes on."""
        for path in glob.glob(self.path('hold-*')) + glob.glob(self.path('held')):
            os.unlink(path)
        if call:
            with open(self.path('hold-' + call), 'w', encoding='ascii') as out:
                out.write(when)

    def held(self):
        """The pid of the program that stands."""
        guest.until(60, lambda: os.path.exists(self.path('held')), 'a program that is held')
        with open(self.path('held'), encoding='ascii') as pid:
            return int(pid.read())

    def kill(self):
        os.kill(self.held(), signal.SIGKILL)
        self.hold(None)

    def calls(self, call):
        with open(self.path('calls'), encoding='ascii') as calls:
            return calls.read().split().count(call)

    def left(self):
        """Whatever is here of its machine, by other means than the program's own."""
        name, found = self.name(), []
        found += ['process %d' % pid for pid in guest.pids() if any(word == '--machine=' + name for word in guest.words_of(pid))]
        found += glob.glob('/run/netns/' + name) + glob.glob('/sys/class/net/' + name) + glob.glob('/run/systemd/nspawn/*/' + name)
        found += glob.glob('/sys/fs/cgroup/' + name) + glob.glob('/sys/fs/cgroup/*/' + name)
        return found

    def does(self, words, code, *says, within=120):
        """A command to its end, which it had in so many seconds, with this code, and it said that."""
        if words:
            self.start(*words)
        end = self.wait(within)
        self.ended = end or self.ended
        if end != code or not all(word in self.told() for word in says):
            raise AssertionError('%s: exit %d, not %d, or never said: %s' % (' '.join(words) or 'it', end, code, ', '.join(says)))


def check(holds, what, *more):
    if not holds:
        raise AssertionError(what % more)


def killed_in_make(project):
    project.hold('make')
    project.start('create', 'vault')
    project.held()
    check(project.left(), 'nothing was made')
    project.kill()
    project.does((), 3, 'signal 9', 'what it may have made was removed')
    check(not project.left(), 'left: %s', project.left())
    ended = outcome(project)
    project.does(('create', 'vault'), 0)
    check(project.calls('make') == 2, '%d calls of make', project.calls('make'))
    return ended + ', then made anew'


def killed_in_verify(project):
    project.hold('verify', 'before')
    project.start('create', 'vault')
    project.kill()
    project.does((), 3, 'is there is not known')
    ended = outcome(project)
    project.does(('create', 'vault'), 0)
    check(project.calls('make') == 1, '%d calls of make: it was made twice', project.calls('make'))
    return ended + ', then ok; made once'


def killed_in_remove(project):
    project.does(('create', 'vault'), 0)
    project.hold('remove')
    project.start('destroy', 'vault', '--yes')
    project.kill()
    project.does((), 3, 'is gone is not known')
    return outcome(project) + ', then removed'


def network_gone(project):
    """The machine loses its network when it has been made, before anybody saw it up; it never comes back."""
    project.hold('make')
    project.start('create', 'vault')
    project.held()
    for chain in ('INPUT', 'OUTPUT'):
        project.netns('iptables', '-w', '-I', chain, '-j', 'DROP')
    project.hold(None)
    project.does((), 3, 'its sshd does not answer yet', 'is there is not known')
    check(project.calls('make') == 1, '%d calls of make: it was made twice', project.calls('make'))
    return outcome(project) + ', then removed'


def outcome(project):
    return project.report()['run']['outcome']


def play(strike, name, whose=Project):
    """The row of the table. To the end of each case nothing is left that the next `destroy` does not find."""
    with whose() as project:
        begun = time.monotonic()
        try:
            ended = strike(project)
            project.triphase('destroy', 'vault', '--yes')
            took = time.monotonic() - begun
            check(not project.left(), 'left: %s', project.left())
            check(project.sql('select count(*) from machine where removed_ns = 0')[0][0] == 0, 'a row that is not closed')
            project.triphase('store', 'check')
        except AssertionError:
            print(project.said()[-3000:])
            raise
        here = guest.until(10, lambda: project.left_here() == 0, 'an empty scope') and 0
    return [name, '-', '-', '-', ended, str(project.ended), took, here, 0]
