# SPDX-License-Identifier: MIT
"""What a phase's interpreter does where its tasks are carried out by mitogen, which keeps an interpreter on each host and hands it
one task after the other, by a process of its own, the multiplexer.

    triphase_mitogen.py --ask       prints yes, or why this interpreter's Ansible goes without mitogen

A phase calls, behind Ansible's imports and before its main,

    load()      None, or why it goes without mitogen
    in_phase()  the strategies linear, free and host_pinned are mitogen's from here on

and has a multiplexer of its own, which ends with it.

A play under any other strategy, and a host behind any other connection than ssh and local, are Ansible's own, as without mitogen.
Nothing here changes mitogen's files; what it relies on is promised by nobody, so the versions that it was tried with are named,
and any other one is refused.

Mitogen is found where the interpreter can import it, else in the folder that TRIPHASE_MITOGEN names: one that holds the packages
ansible_mitogen and mitogen, such as site-packages of an environment of its own.
"""
import os
import sys

FOLDER = 'TRIPHASE_MITOGEN'
MITOGEN = (0, 3, 54)
CORES = ((2, 14), (2, 19), (2, 21))
STRATEGIES = ('linear', 'free', 'host_pinned')
CONNECTIONS = ('local', 'ssh')


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


def load():
    try:
        why = ask()
        if why:
            return why
        from ansible import cli
        from ansible.plugins import loader
        if hasattr(loader, 'init_plugin_loader'):
            loader.init_plugin_loader()  # a name of ansible.builtin that is looked up before it is never found
            cli.init_plugin_loader = _nothing  # a second time it only warns
        import ansible_mitogen.strategy  # noqa: F401
    except Exception as fault:  # its insides are others than those that were tried
        return 'mitogen does not start: ' + _described(fault)
    return None


def _nothing(*words, **names):
    pass


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


def in_phase():
    import ansible_mitogen.mixins
    import ansible_mitogen.strategy
    import ansible_mitogen.transport_config
    from ansible.plugins.loader import strategy_loader
    strategy_loader.get = _by_mitogen(strategy_loader.get)
    ansible_mitogen.strategy.REDIRECTED_CONNECTION_PLUGINS = CONNECTIONS
    for spec in (ansible_mitogen.transport_config.PlayContextSpec, ansible_mitogen.transport_config.MitogenViaSpec):
        _keep_alive(spec, 'mitogen_ssh_keepalive_interval', 'serveraliveinterval')
        _keep_alive(spec, 'mitogen_ssh_keepalive_count', 'serveralivecountmax')
    _drop_after_timeout(ansible_mitogen.mixins.ActionModuleMixin)


if __name__ == '__main__':
    print(ask() or 'yes')
