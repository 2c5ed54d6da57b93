# SPDX-License-Identifier: MIT
"""A project with the recipe vault whose install phase has a real apt-get install in it, its sandbox seen from outside, and what can be done to it."""
import contextlib
import glob
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TRIPHASE = os.environ.get('TRIPHASE', os.path.join(TOP, 'build', 'triphase'))
BIN = os.path.join(TOP, '.venv', 'bin')
CACHE = '/var/cache/triphase'
START_BOUND = 120

# Before the roles: what apt began and was cut off is ended in order, then the packages. dpkg says nothing for seconds on end.
PACKAGES = '''---
- name: Install packages
  hosts: recipe_vault
  become: true
  gather_facts: false
  tasks:
    - name: Bring the packages
      ansible.builtin.copy:
        src: ../../packages.tar
        dest: /var/packages.tar
        mode: "0600"
    - name: Unpack them
      ansible.builtin.command: sh -c 'mkdir -p /var/packages && tar -xf /var/packages.tar -C /var/packages'
      args:
        creates: /var/packages
    - name: Install the packages
      ansible.builtin.shell: >-
        dpkg --configure -a && apt-get -qq -y --no-install-recommends install /var/packages/*.deb
      environment:
        DEBIAN_FRONTEND: noninteractive
      args:
        creates: /usr/bin/g++
'''


def environment(**more):
    out = {k: v for k, v in os.environ.items() if not k.startswith(('ANSIBLE_', 'TRIPHASE_'))}
    out['PATH'] = BIN + os.pathsep + out['PATH']
    out['XDG_CONFIG_HOME'] = '/nonexistent'
    out.update(more)
    return out


def until(seconds, holds, what):
    """Waits for an event under a bound."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = holds()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError('%s: not within %d s' % (what, seconds))


def words_of(pid):
    try:
        with open('/proc/%d/cmdline' % pid, 'rb') as words:
            return words.read().decode('utf-8', 'replace').split('\0')[:-1]
    except OSError:
        return []


def pids():
    return [int(name) for name in os.listdir('/proc') if name.isdigit()]


def signal_all(processes, number):
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


class Project:
    """Lives in a folder of its own; a context manager that removes everything it made."""

    def __init__(self, keys=None, environment_more=None):
        self.folder = tempfile.mkdtemp(prefix='triphase-faults.')
        self.environment = environment(HOME=self.path('home'), **(environment_more or {}))
        self.undo = []
        self.logins = 0
        self.child = None
        os.mkdir(self.path('home'))
        self.keys = keys or {}
        self.prefix = ()  # words that lead to where the program runs

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def __enter__(self):
        try:
            self.triphase('init')
            with open(self.path('playbooks', 'vault', 'install.yml'), encoding='utf-8') as play:
                text = play.read()
            with open(self.path('playbooks', 'vault', 'install.yml'), 'w', encoding='utf-8') as play:
                play.write(PACKAGES + text.replace('---\n', '', 1))
            with open(self.path('packages.tar'), 'wb') as out:
                subprocess.run(['tar', '-C', packages(), '-c', '.'], stdout=out, check=True)
            for key, value in self.keys.items():
                self.environment['TRIPHASE_PHASES_VAULT_INSTALL_' + key.upper()] = value
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for undo in reversed(self.undo):
            undo()
        if self.child and self.child.poll() is None:
            self.triphase('cancel', '--now', ok=None)
            self.child.kill()
            self.child.wait()
        if os.path.exists(self.path('.triphase', 'store.db')):
            subprocess.run([*self.prefix, TRIPHASE, '-C', self.folder, 'destroy', '--all', '--yes', '--no-teardown'], env=self.environment,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
        for mount in (self.path('.triphase', 'runs'), self.path('.triphase')):
            if os.path.ismount(mount):
                subprocess.run(['umount', '-l', mount], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    # The program

    def triphase(self, *words, ok=(0,), seconds=600):
        end = subprocess.run([*self.prefix, TRIPHASE, '-C', self.folder, *words], env=self.environment, stdin=subprocess.DEVNULL,
                             capture_output=True, timeout=seconds, check=False)
        if ok and end.returncode not in ok:
            raise AssertionError('triphase %s: exit %d\n%s' % (' '.join(words), end.returncode, end.stderr.decode()[-4000:]))
        return end.stdout.decode('utf-8', 'replace')

    def start(self, *words, prefix=()):
        self.out = open(self.path('out'), 'ab')  # noqa: SIM115
        self.child = subprocess.Popen([*self.prefix, *prefix, TRIPHASE, '-C', self.folder, *words], env=self.environment, stdin=subprocess.DEVNULL,
                                      stdout=self.out, stderr=self.out)

    def wait(self, seconds):
        return self.child.wait(timeout=seconds)

    def said(self):
        with open(self.path('out'), encoding='utf-8', errors='replace') as out:
            return out.read()

    # What it wrote

    def told(self):
        """What was said on stderr and in the logs of stages."""
        told = self.said()
        for path in glob.glob(self.path('.triphase', 'runs', '*', '*.log')):
            with open(path, encoding='utf-8', errors='replace') as log:
                told += log.read()
        return told

    def sql(self, query):
        store = sqlite3.connect('file:%s?mode=ro' % self.path('.triphase', 'store.db'), uri=True, timeout=10)
        try:
            return store.execute(query).fetchall()
        finally:
            store.close()

    def write_store(self, statement):
        store = sqlite3.connect(self.path('.triphase', 'store.db'), timeout=10)
        try:
            with store:
                store.execute(statement)
        finally:
            store.close()

    def report(self):
        return json.loads(self.triphase('report', '--json', ok=None))

    def run_id(self):
        return self.sql('select id from run order by number desc limit 1')[0][0]

    # The host from outside

    def name(self):
        return 'tp' + self.sql('select id from machine order by number desc limit 1')[0][0].replace('-', '')[-10:]

    def netns(self, *words):
        subprocess.run(['ip', 'netns', 'exec', self.name(), *words], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)

    def filter(self, action, *rule, chains=('INPUT', 'OUTPUT')):
        """One rule in the guest's namespace; it goes with the namespace, or by another call with -D."""
        for chain in chains:
            self.netns('iptables', '-w', action, chain, '-i' if chain == 'INPUT' else '-o', 'host0', *rule)

    def dropped(self, word):
        """Packets that the rules with this word have taken."""
        rules = subprocess.run(['ip', 'netns', 'exec', self.name(), 'iptables', '-w', '-nvxL'], check=True, stdin=subprocess.DEVNULL,
                               capture_output=True).stdout.decode()
        return sum(int(line.split()[0]) for line in rules.splitlines() if word in line and line.split()[0].isdigit())

    def on_host(self):
        """Every process of the guest, by its cgroup."""
        scope = '/machine-%s/' % self.sql('select id from machine order by number desc limit 1')[0][0]
        for pid in pids():
            with contextlib.suppress(OSError), open('/proc/%d/cgroup' % pid, encoding='utf-8') as groups:
                if scope in groups.read():
                    yield pid

    def processes(self, *names):
        """Processes of the guest by name."""
        found = []
        for pid in self.on_host():
            with contextlib.suppress(OSError), open('/proc/%d/comm' % pid, encoding='utf-8', errors='replace') as comm:
                if comm.read().strip() in names:
                    found.append(pid)
        return found

    def inside(self, *words, check=True):
        """A command in the guest, past its network."""
        init = min(self.processes('systemd'))
        return subprocess.run(['nsenter', '-t', str(init), '-m', '-u', '-i', '-n', '-p', '-r', '-w', *words], stdin=subprocess.DEVNULL,
                              capture_output=True, check=check).stdout.decode('utf-8', 'replace')

    # The run's own processes

    def of_run(self):
        """Processes in the run's scope: [(pid, arguments, path of the scope below the run)]."""
        run, found = 'run-' + self.run_id(), []
        for path in glob.glob('/sys/fs/cgroup/**/%s/**/cgroup.procs' % run, recursive=True):
            with contextlib.suppress(OSError), open(path, encoding='ascii') as procs:
                for line in procs:
                    found.append((int(line), words_of(int(line)), os.path.dirname(path).split(run, 1)[1].strip('/')))
        return found

    def masters(self):
        return [pid for pid, words, scope in self.of_run() if scope == 'masters' and words and words[0].split()[0] in ('ssh', 'ssh:')]

    def ansible(self):
        """Main process of the phase and its forks, in that order."""
        found = [pid for pid, words, scope in self.of_run() if scope and any(word.endswith('triphase_launch.py') for word in words)]
        parents = {pid: int(open('/proc/%d/stat' % pid, encoding='utf-8').read().rsplit(')', 1)[1].split()[1]) for pid in found}
        return sorted(found, key=lambda pid: parents[pid] in found)

    def workers(self):
        found = []
        for pid in pids():
            with contextlib.suppress(OSError), open('/proc/%d/comm' % pid, encoding='utf-8', errors='replace') as comm:
                if comm.read().strip() == 'triphase-worker' and self.folder in ' '.join(words_of(pid)):
                    found.append(pid)
        return found

    def left_here(self):
        with contextlib.suppress(FileNotFoundError, IndexError):
            return len(self.of_run())
        return 0

    def left_on_host(self):
        """What carries a step's mark on the guest, seen from outside; a service that a phase started may have inherited it, and an async job has
        it; both are meant to stay."""
        found = []
        for pid in self.on_host():
            with contextlib.suppress(OSError), open('/proc/%d/environ' % pid, 'rb') as entries, \
                    open('/proc/%d/cgroup' % pid, encoding='utf-8') as groups:
                marks = entries.read().split(b'\0')
                if (any(mark.startswith(b'TRIPHASE_STEP=') for mark in marks) and '.service' not in groups.read()
                        and not any(mark.startswith(b'ANSIBLE_ASYNC_DIR=') for mark in marks)):
                    found.append(' '.join(words_of(pid))[:100])
        return found


def packages():
    """The folder of the packages; makes it, and the root tree it belongs to, when they are not there."""
    trees = [path for path in glob.glob(CACHE + '/debian-12-*') if os.path.isdir(path)]
    if not trees:
        raise SystemExit('there is no root tree debian-12 yet: make a sandbox once')
    tree = max(trees, key=os.path.getmtime)
    folder = os.path.join(CACHE, 'packages-of-' + os.path.basename(tree))
    subprocess.run([os.path.join(TOP, 'tests', 'faults', 'packages.sh'), tree, folder], check=True)
    return folder


def installing(project):
    """Waits until dpkg is at work in the guest."""
    def begun():
        try:
            return project.sql("select count(*) from step where name = 'install'")[0][0]
        except sqlite3.OperationalError:  # no store yet
            return 0
    until(START_BOUND, begun, 'the phase install')
    until(START_BOUND, lambda: project.processes('dpkg', 'dpkg-deb'), 'dpkg at work')
