# SPDX-License-Identifier: MIT
"""What a phase's interpreter does where its tasks are carried out by mitogen, which keeps an interpreter on each host and hands it
one task after the other, by a process of its own, the multiplexer.

    triphase_mitogen.py --ask       prints yes, or why this interpreter's Ansible goes without mitogen

A phase calls, behind Ansible's imports and before its main,

    load(prepare)  None, or why it goes without mitogen
    in_phase()  the strategies linear, free and host_pinned are mitogen's from here on

and has a multiplexer of its own, which ends with it. A process that forks the phases of a run and runs nothing itself has one for all of them,
which keeps what it has connected; behind load it calls

    start()                 None, or why there is none
    wait(door)              in place of waiting for the next phase at that socket
    before_phase(folder)    before each fork: a descriptor, or None where the phase makes a multiplexer of its own
    forked()                behind it; and the fork calls in_phase(playbook, descriptor) and, when it ends by itself, ended(code)
    close()                 at its end

A play under any other strategy, and a host behind any other connection than ssh, are Ansible's own, as without mitogen.
Nothing here changes mitogen's files; what it relies on is promised by nobody, so the versions that it was tried with are named,
and any other one is refused.

Mitogen is found where the interpreter can import it, else in the folder that TRIPHASE_MITOGEN names: one that holds the packages
ansible_mitogen and mitogen, such as site-packages of an environment of its own.
"""
import fcntl
import json
import os
import select
import signal
import socket
import sys

FOLDER = 'TRIPHASE_MITOGEN'
MITOGEN = (0, 3, 54)
CORES = ((2, 14), (2, 19), (2, 21))
STRATEGIES = ('linear', 'free', 'host_pinned')
CONNECTIONS = ('ssh',)  # what is done on this machine is done in the phase's scope
SENT = ('library', 'module_utils', 'modules')  # folders of what a host keeps once it was sent
FOLDERS_MOST = 20000  # looked at for them; a project with more has a multiplexer for each phase
INTERRUPTED = (99, 250)  # Ansible's codes
DESCRIPTORS_FROM = 500
END_BOUND_MS = 1000


def _version(text):
    return tuple(int(part) for part in text.split('.')[:2])


def why_not(core, mitogen):
    """Why these versions (a text, a tuple or None) are not taken; None: they are."""
    if mitogen is None:
        return 'mitogen is not there: Ansible\'s interpreter cannot import it, and %s names no folder with it' % FOLDER
    if tuple(mitogen[:3]) != MITOGEN:
        return 'mitogen %s was not tried, but %s' % ('.'.join(map(str, mitogen)), '.'.join(map(str, MITOGEN)))
    if _version(core) not in CORES:
        return 'mitogen was not tried with ansible-core %s, but with %s' % (
            core, ', '.join('.'.join(map(str, tried)) for tried in CORES))
    return None


def _find():
    """Mitogen's version, from here on it can be imported; None where there is none."""
    import importlib.util
    folder = os.environ.get(FOLDER)
    if not importlib.util.find_spec('ansible_mitogen'):
        if not folder or not os.path.isdir(os.path.join(folder, 'ansible_mitogen')):
            return None
        sys.path.append(folder)
    try:
        import mitogen
        return mitogen.__version__
    except (ImportError, AttributeError):
        return None


def ask():
    try:
        from ansible import release
    except ImportError:
        return 'its interpreter cannot import Ansible'
    return why_not(release.__version__, _find())


def _described(fault):
    return '%s: %s' % (type(fault).__name__, ' '.join(str(fault).split()))


def load(prepare):
    """None, or why it cannot be had. `prepare`: makes the names known that Ansible finds plugins by."""
    try:
        why = ask()
        if why:
            return why
        prepare()
        import ansible_mitogen.strategy  # noqa: F401
        import mitogen.ssh
        _leave_host_keys(mitogen.ssh.Connection)
    except Exception as fault:  # its insides are others than those that were tried
        return 'mitogen does not start: ' + _described(fault)
    return None


def _leave_host_keys(connection):
    """What ssh's own arguments and files say of host keys counts, as with Ansible: mitogen would put a word of its own before them."""
    command = connection.get_boot_command
    own = ['-o', 'StrictHostKeyChecking yes']

    def without(self):
        words = command(self)
        at = next((at for at in range(len(words)) if words[at:at + 2] == own), len(words))
        return words[:at] + words[at + 2:]
    connection.get_boot_command = without


# One multiplexer for all phases.


class _Shared:
    """The multiplexer that there is, what it was made from, and the phases that have it."""

    def __init__(self):
        self.model = None
        self.read = None  # fingerprint of what hosts may have been sent; None before the first phase
        self.phases = {}  # descriptor that ends with a phase, once all of its processes have


_shared = None
_own_end = None  # in a phase: written to when it ends by itself


def _out_of_the_way(descriptor):
    """The same where no phase expects one of its own."""
    higher = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, DESCRIPTORS_FROM)
    os.close(descriptor)
    return higher


def start():
    """None, or why there is none."""
    global _shared
    import ansible_mitogen.process
    ansible_mitogen.process._classic_worker_model = None
    allowed = os.sched_getaffinity(0)
    try:
        shared = _Shared()
        shared.model = ansible_mitogen.process.get_classic_worker_model()
        shared.model.parent_sock = socket.socket(fileno=_out_of_the_way(shared.model.parent_sock.detach()))
        _shared = shared
    except Exception as fault:  # its insides are others than those that were tried
        return _described(fault)
    finally:
        os.sched_setaffinity(0, allowed)  # it lays its maker, and all that this forks, on one processor
    return None


def _roots(folder):
    """Where modules are found, but for Ansible's own."""
    from ansible import constants
    yield folder
    for name in ('DEFAULT_MODULE_PATH', 'DEFAULT_MODULE_UTILS_PATH', 'DEFAULT_ROLES_PATH', 'COLLECTIONS_PATHS'):
        for path in getattr(constants, name, None) or ():
            if not path.startswith(folder + os.sep):
                yield path


def _signature(path):
    try:
        found = os.stat(path)
    except OSError:
        return path, None
    return path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def fingerprint(folder):
    """Changes when a file does that a host may have been sent; None where there are too many to look at."""
    seen, marks, left = set(), [], FOLDERS_MOST
    for root in _roots(os.path.abspath(folder)):
        for path, folders, files in os.walk(root, followlinks=True):
            left -= 1
            if left < 0:
                return None
            real = os.path.realpath(path)
            if real in seen:
                folders[:] = []
                continue
            seen.add(real)
            if 'MANIFEST.json' in files and path.split(os.sep)[-3:-2] == ['ansible_collections']:
                marks += [_signature(os.path.join(path, name)) for name in ('', 'MANIFEST.json', 'FILES.json')]
                folders[:] = []  # installed as a whole, and replaced so
                continue
            folders[:] = sorted(name for name in folders if not name.startswith('.') and name != '__pycache__')
            if any(part in SENT for part in [os.path.basename(root)] + os.path.relpath(path, root).split(os.sep)):
                marks += [_signature(os.path.join(path, name)) for name in sorted(files)]
    return marks


def _is_alive(pid):
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    except ChildProcessError:
        return False


def before_phase(folder):
    """Before a phase is forked: its multiplexer is alive, and knows no module in another form than `folder` has it. Where that
    cannot be had, the phase makes one of its own. What is written to when the phase has ended by itself, for in_phase."""
    if _shared is None:
        return None
    take_note()
    read = fingerprint(folder)
    changed = _shared.read is not None and (read is None or read != _shared.read)
    if changed or not all(_is_alive(mux.pid) for mux in _shared.model._muxes):
        close()
        if start():
            return None
    _shared.read = read if read is not None else ()
    reader, writer = [_out_of_the_way(end) for end in os.pipe()]
    _shared.phases[reader] = writer
    return writer


def forked():
    """Behind that fork: the end that is the phase's is not this process's."""
    for reader, writer in _shared.phases.items() if _shared else ():
        if writer is not None:
            os.close(writer)
            _shared.phases[reader] = None


def wait(door):
    """Until there is something at the door, a socket; what phases leave behind is ended meanwhile."""
    while True:
        waiting = select.poll()
        for descriptor in [door.fileno()] + (list(_shared.phases) if _shared else []):
            waiting.register(descriptor, select.POLLIN)
        ready = [descriptor for descriptor, _ in waiting.poll()]
        take_note()
        if door.fileno() in ready:
            return


def take_note():
    """A phase that was ended has left its module in the interpreter on the host, and the next one would wait for it: the
    multiplexer's connections are ended then, and made anew by who wants them."""
    while _shared and _shared.phases:
        waiting = select.poll()
        for reader in _shared.phases:
            waiting.register(reader, select.POLLIN)
        ready = waiting.poll(0)
        if not ready:
            return
        for reader, _ in ready:
            del _shared.phases[reader]
            ended_well = os.read(reader, 1)
            os.close(reader)
            if not ended_well:
                _drop()


def _children(pid):
    found = []
    for name in os.listdir('/proc'):
        if name.isdigit():
            try:
                with open('/proc/%s/stat' % name, 'rb') as stat:
                    if int(stat.read().rpartition(b')')[2].split()[1]) == pid:
                        found.append(int(name))
            except (OSError, ValueError, IndexError):
                pass
    return found


def _kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def _drop():
    """The multiplexer itself is not ended: what waits for its answer would wait for ever."""
    for mux in _shared.model._muxes:
        if _is_alive(mux.pid):
            _kill(_children(mux.pid))


def _await_end(pid):
    descriptor = os.pidfd_open(pid)
    try:
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        return bool(waiting.poll(END_BOUND_MS))
    finally:
        os.close(descriptor)


def close():
    """Ends the multiplexer and its connections, within a bound."""
    global _shared
    shared, _shared = _shared, None
    if shared is None:
        return
    try:
        shared.model.parent_sock.shutdown(socket.SHUT_WR)  # it waits for that; a fork of this process may hold it open
        shared.model.parent_sock.close()
    except OSError:
        pass
    for mux in shared.model._muxes:
        if _is_alive(mux.pid) and not _await_end(mux.pid):
            _kill(_children(mux.pid) + [mux.pid])
            _await_end(mux.pid)
        _is_alive(mux.pid)
        try:
            os.unlink(mux.path)
        except OSError:
            pass


def has_own_collections(playbook):
    """Those beside a playbook are known to its own process alone."""
    return os.path.isdir(os.path.join(os.path.dirname(os.path.abspath(playbook)), 'collections'))


def ended(code):
    """The phase ends by itself; a code of an interrupt leaves a module behind."""
    if _own_end is not None and code not in INTERRUPTED:
        os.write(_own_end, b'.')


# In a phase.


def _by_mitogen(get):
    """strategy_loader.get, whose strategies of Ansible's own run their tasks by mitogen."""
    def mapped(name, *words, **names):
        if not words or names.get('class_only') or str(name).rpartition('.')[2] not in STRATEGIES:
            return get(name, *words, **names)
        import ansible_mitogen.strategy
        own = get(name, class_only=True)
        if own is None or not own.__module__.startswith('ansible.plugins.strategy.'):
            return get(name, *words, **names)
        return type(own.__name__, (ansible_mitogen.strategy.StrategyMixin, own), {})(*words, **names)
    return mapped


def _option(words, name):
    """The value of an option of ssh's that is given as `-o NAME=VALUE`; None where it is not."""
    for before, word in zip(words, words[1:]):
        key, _, value = word.replace(' ', '=', 1).partition('=')
        if before == '-o' and key.lower() == name and value.isdigit():
            return int(value)
    return None


def _keep_alive(spec, name, option):
    own = getattr(spec, name)

    def asked(self):
        value = own(self)
        return value if value is not None else _option(self.ssh_args(), option)
    setattr(spec, name, asked)


def _drop_after_timeout(mixin):
    """A task that ran out of its time holds the interpreter on the host: the next one gets another."""
    run = mixin.run

    def bounded(self, *words, **names):
        try:
            return run(self, *words, **names)
        except BaseException as fault:
            if any(kind.__name__ == 'TaskTimeoutError' for kind in type(fault).__mro__):
                try:
                    self._connection.reset()
                except Exception:
                    pass  # it is gone by itself
            raise
    mixin.run = bounded


def _as_booleans(planner):
    """What a job that was only begun says: since 2.19 Ansible has no numbers there, nor takes them for a condition."""
    begin = planner._invoke_async_task

    def begun(*words):
        answer = begin(*words)
        said = json.loads(answer['stdout'])
        said.update({name: bool(said[name]) for name in ('started', 'finished')})
        return {**answer, 'stdout': json.dumps(said)}
    planner._invoke_async_task = begun


def in_phase(playbook=None, descriptor=None):
    """`descriptor` of before_phase; None: the phase makes a multiplexer of its own."""
    global _own_end, _shared
    import ansible_mitogen.mixins
    import ansible_mitogen.planner
    import ansible_mitogen.process
    import ansible_mitogen.strategy
    import ansible_mitogen.transport_config
    from ansible import release
    from ansible.plugins.loader import strategy_loader
    _own_end, _shared = descriptor, None
    if descriptor is None or has_own_collections(playbook):
        ansible_mitogen.process._classic_worker_model = None
    strategy_loader.get = _by_mitogen(strategy_loader.get)
    ansible_mitogen.strategy.REDIRECTED_CONNECTION_PLUGINS = CONNECTIONS
    for spec in (ansible_mitogen.transport_config.PlayContextSpec, ansible_mitogen.transport_config.MitogenViaSpec):
        _keep_alive(spec, 'mitogen_ssh_keepalive_interval', 'serveraliveinterval')
        _keep_alive(spec, 'mitogen_ssh_keepalive_count', 'serveralivecountmax')
    _drop_after_timeout(ansible_mitogen.mixins.ActionModuleMixin)
    if _version(release.__version__) >= (2, 19):
        _as_booleans(ansible_mitogen.planner)


if __name__ == '__main__':
    print(ask() or 'yes')
