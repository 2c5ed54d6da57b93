# SPDX-License-Identifier: MIT
"""Starts ansible-playbook with less waste, in the interpreter its own script names:

    triphase_launch.py SCRIPT ARGUMENTS...
    triphase_launch.py --ahead DESCRIPTOR SCRIPT
    triphase_launch.py --zygote DESCRIPTOR SCRIPT

What Ansible does is untouched; two things around it are not done. While its modules are imported nothing can be garbage yet, so the
collector is off, and what was imported is never looked at again. At the end the exit handlers run (they remove Ansible's
temporary folder), the streams are flushed, and the process leaves without taking the interpreter's hundred thousand objects
apart one by one. That is so where all of them are Python's and Ansible's own: a plugin from elsewhere may have threads, files
that are not closed, objects that do something when they go, and gets all that Python does at its end.

What is printed is in the log line by line: of a process that has to be ended nothing is missing.

Ahead of its phase it imports Ansible and waits at the descriptor, a socket, having read nothing of the phase: playbook, inventory and
variables are read when it goes on. One message lets it go, and the end of the socket ends it. The message's first descriptor holds, each
followed by a NUL, the folder, the numbers of arguments, of environment entries and of descriptors, and then those: the arguments from the
interpreter on, the environment, and the numbers under which the phase expects the further descriptors of the message. The environment is the one
that this process was started with, but for what begins with TRIPHASE_. The files that Ansible read while it was imported are compared; if one of
them differs the process begins anew in place.

A zygote imports Ansible for all phases of a run, and runs none itself: for each message it forks a process that is a child of its own parent,
tells that process's number at the descriptor that came with the message, and waits there as one that was started ahead does. What a phase must
not have in common with the ones before is made anew in the fork: Ansible's temporary folder, and its locks, which a phase that was killed may hold.
"""
import gc

gc.disable()

import atexit  # noqa: E402
import functools  # noqa: E402
import importlib  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402

UNFLUSHED = 120  # what Python itself exits with when its streams cannot be flushed
THRESHOLD = 20000  # allocations between two collections; Python's 700 costs a play 3 % of its time
DESCRIPTORS_MAX = 250  # the kernel passes 253 with one message
CALLBACK = 'triphase_events.py'  # it leaves nothing to be done
HERE = os.path.dirname(os.path.abspath(__file__))
CLONE = {'x86_64': 56, 'aarch64': 220}  # the system call, by machine
CLONE_PARENT = 0x8000
OWN = b'TRIPHASE_'  # read by the callback alone, when the play begins
MITOGEN = 'TRIPHASE_MITOGEN'  # and by this, where mitogen is to carry out the tasks


def beside(name):
    """The script of that name beside this one, as a module."""
    sys.path.insert(0, HERE)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(HERE)


@functools.cache
def mitogen():
    """triphase_mitogen.py, ready; None where it cannot be had."""
    try:
        why = beside('triphase_mitogen').load(know_names)
    except ImportError as fault:
        why = str(fault)
    if why:
        print('triphase: this phase goes without mitogen: ' + why, file=sys.stderr)
        return None
    return beside('triphase_mitogen')


def share_payloads():
    """Where a folder for them lies beside this script: triphase_payloads.py."""
    folder = os.path.join(HERE, 'payloads')
    if not os.path.isdir(folder):
        return
    try:
        beside('triphase_payloads').share(folder)
    except Exception:  # an Ansible with other insides: each process makes its own
        pass


@functools.cache
def know_names():
    """What is the same for all phases and each would begin with: Ansible's list of its own plugins' names, and modules that are imported for any playbook.
    Never a plugin: one of the project's may stand in its place."""
    from ansible import cli
    from ansible.plugins import loader
    if hasattr(loader, 'init_plugin_loader'):
        loader.init_plugin_loader()  # a name of ansible.builtin that is looked up before it is never found
        cli.init_plugin_loader = lambda *words: loader._load_plugin_filter()  # the rest only warns a second time
    for name in ('ansible_collections.ansible.builtin', 'ansible.playbook.included_file', 'ansible.plugins.connection', 'ansible.plugins.inventory',
                 'ansible.plugins.strategy', 'ansible.plugins.terminal', 'http.client', 'multiprocessing.shared_memory', 'pty', 'urllib.request',
                 'xml.dom.minidom', 'xml.etree.ElementTree'):
        try:
            importlib.import_module(name)
        except ImportError:  # not of this Ansible
            pass


def load(script, early=False):
    """Ansible's main, None where the script finds its Ansible in a way of its own. `early`: there is time until the phase begins."""
    sys.path[0] = os.path.dirname(script)
    try:
        from ansible.cli.playbook import main
    except ImportError:
        return None
    share_payloads()
    if early:
        know_names()
    if MITOGEN in os.environ:
        mitogen()
    gc.freeze()
    return main


def run(main, words, phase_end=None):
    if main is None:
        os.execv(words[0], words)
    sys.argv = words
    sys.stdout.reconfigure(line_buffering=True)
    if MITOGEN in os.environ and mitogen():
        mitogen().in_phase(words[-1], phase_end)
    gc.set_threshold(THRESHOLD)
    gc.enable()
    try:
        main()
    except SystemExit as end:
        if end.code is None:
            return 0
        if isinstance(end.code, int):
            return int(end.code)
        print(end.code, file=sys.stderr)
        return 1
    return 0


def of_others():
    """Whether a plugin is loaded that is not Ansible's own, or a thread runs that Python waits for."""
    if any(thread is not threading.main_thread() and not thread.daemon for thread in threading.enumerate()):
        return True
    homes = tuple(os.path.join(os.path.dirname(sys.modules[name].__file__), '')
                  for name in ('ansible', 'ansible_mitogen') if name in sys.modules)
    for name, module in list(sys.modules.items()):
        path = getattr(module, '__file__', None) or ''
        if name.startswith(('ansible.plugins.', 'ansible_collections.')) and path.endswith('.py') and not (
                path.startswith(homes) or os.path.basename(path) == CALLBACK):
            return True
    return False


def leave(code):
    if MITOGEN in os.environ and mitogen():
        mitogen().ended(code)
    if of_others():
        gc.unfreeze()
        gc.collect()  # what is left in circles until Python tears itself down may never come to its end
        sys.exit(code)
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        code = code or UNFLUSHED
    os._exit(code & 0xFF)


def read_at_import():
    """The files that Ansible read, as far as a change of them would be missed; None where that cannot be told."""
    try:
        from ansible import release
        from ansible.config.manager import find_ini_config_file
        state = []
        for path in (find_ini_config_file(), release.__file__):
            if not path or not os.path.exists(path):
                state.append((path, None))
                continue
            found = os.stat(path)
            state.append((path, (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)))
        return state
    except Exception:  # an Ansible with other insides: it begins anew, as without all this
        return None


def receive(gate):
    """Folder, arguments, environment and {number: descriptor} of the phase; None when there is none to come."""
    import socket
    with socket.socket(fileno=gate) as door:
        message, descriptors, _, _ = socket.recv_fds(door, 1, DESCRIPTORS_MAX, socket.MSG_CMSG_CLOEXEC)
    if not message:
        return None
    with open(descriptors.pop(0), 'rb') as order:
        words = order.read().split(b'\0')[:-1]
    counts = [int(word) for word in words[1:4]]
    first, second = 4 + counts[0], 4 + counts[0] + counts[1]
    numbers = [int(word) for word in words[second:second + counts[2]]]
    environment = dict(word.split(b'=', 1) for word in words[first:second])
    return words[0], words[4:first], environment, dict(zip(numbers, descriptors))


def arrange(descriptors):
    """Each under its number. True when nothing of this process stood there."""
    import fcntl
    above = max(list(descriptors) + list(descriptors.values())) + 1
    lifted = {}
    for number, descriptor in descriptors.items():
        lifted[number] = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, above)
        os.close(descriptor)
    free = True
    for number, descriptor in lifted.items():
        try:
            fcntl.fcntl(number, fcntl.F_GETFD)
            free = free and number < 3
        except OSError:
            pass
        os.dup2(descriptor, number)
        os.close(descriptor)
    return free


def ahead(gate, script):
    main = load(script, early=True)
    return stand(gate, main, read_at_import() if main else None)


def stand(gate, main, files, prepare=None, phase_end=None):
    """Waits at the gate, and is the phase then. `prepare` is called before that, unless it begins anew; `phase_end`: of mitogen."""
    order = receive(gate)
    if order is None:
        return 0
    folder, words, environment, descriptors = order
    free = arrange(descriptors)
    os.chdir(folder)
    if not free or files is None or files != read_at_import():
        os.execve(words[0], words, environment)
    for name in [name for name in os.environb if name.startswith(OWN)]:
        del os.environb[name]
    os.environb.update({name: value for name, value in environment.items() if name.startswith(OWN)})
    if prepare:
        prepare()
    return run(main, [os.fsdecode(word) for word in words[2:]], phase_end)


def fork_beside():
    """A fork that is a child of this process's own parent, who alone can wait for it. Its number, 0 in it; OSError where it cannot be made."""
    import ctypes
    import platform
    number = CLONE.get(platform.machine())
    if number is None:
        raise OSError('not on a machine of this kind')
    python, kernel = ctypes.pythonapi, ctypes.PyDLL(None, use_errno=True).syscall
    python.PyOS_BeforeFork()
    pid = kernel(number, CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        python.PyOS_AfterFork_Child()
    else:
        python.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(ctypes.get_errno(), 'cannot fork')
    return pid


def make_own():
    """What Ansible made when it was imported and each phase has to have for itself."""
    from ansible import constants
    from ansible.config import manager
    atexit.unregister(manager.cleanup_tmp_file)  # of the folder that is the zygote's
    constants.DEFAULT_LOCAL_TMP = constants.config.get_config_value('DEFAULT_LOCAL_TMP', variables=vars(constants))
    try:
        from ansible.executor import action_write_locks
    except ImportError:  # since 2.15 they are files
        return
    from multiprocessing import Lock
    locks = action_write_locks.action_write_locks
    for name in list(locks):
        locks[name] = Lock()


def zygote(control, script):
    import socket
    main = load(script, early=True)
    files = read_at_import() if main else None
    shared = mitogen() if main and MITOGEN in os.environ else None
    if shared:
        shared.start()
    with socket.socket(fileno=control) as door:
        while True:
            if shared:
                shared.wait(door)
            message, gates, _, _ = socket.recv_fds(door, 1, 1, socket.MSG_CMSG_CLOEXEC)
            if not message:
                if shared:
                    shared.close()
                return 0
            phase_end = shared.before_phase(os.getcwd()) if shared else None
            try:
                pid = fork_beside() if main else None
            except Exception:  # without one the phase is started as it always can be
                pid = None
            if pid == 0:
                door.close()
                os.setsid()
                os.write(gates[0], b'%d\n' % os.getpid())
                return stand(gates[0], main, files, make_own, phase_end)
            if shared:
                shared.forked()
            os.close(gates[0])


if __name__ == '__main__':
    if sys.argv[1] == '--ahead':
        leave(ahead(int(sys.argv[2]), sys.argv[3]))
    elif sys.argv[1] == '--zygote':
        leave(zygote(int(sys.argv[2]), sys.argv[3]))
    else:
        leave(run(load(sys.argv[1]), sys.argv[1:]))
