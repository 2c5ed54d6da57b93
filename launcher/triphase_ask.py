# SPDX-License-Identifier: MIT
"""ansible-playbook as a plan asks it, in the interpreter its own script names:

    triphase_ask.py SCRIPT ARGUMENTS...

Lists what ARGUMENTS ask for (--list-hosts), and then says in one line, "triphase: " and a JSON object, what this Ansible, with these
settings and this environment, knows and does not say before a play begins:

    plugins     [{kind, name, why, where, stops}]: those that cannot be loaded; stops: no play begins without it
    unparsed    [{source, line, why}]: inventory sources that no plugin could parse
    enabled     {names, where}: the inventory plugins that may be used
    debugger    where the task debugger is switched on for all tasks; null
    words       [{option, word, found}]: those of --tags, --skip-tags and --start-at-task; found: a task of the playbooks has it, or
                it cannot be told
    tags        [names]: those that tasks have

Where an Ansible has other insides than this looks for, that part is left out: a plan then knows less, and refuses nothing for it.
"""
import gc

gc.disable()  # a listing is over before there is garbage worth a look

import atexit  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
import sys  # noqa: E402

YAML_FILE = ('.yml', '.yaml', '.json')
SPECIAL_TAGS = ('all', 'tagged', 'untagged', 'always', 'never')
INCLUDES = ('include_tasks', 'include_role', 'include')


def first_line(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def origin(setting):
    """Where a setting was made: "/x/ansible.cfg:3", "the environment variable X"; None where it is Ansible's own."""
    from ansible import constants as C
    place = C.config.get_config_value_and_origin(setting)[1]
    place = getattr(place, 'path', None) or str(place)
    if place.startswith('env: '):
        return 'the environment variable ' + place[5:]
    if not os.path.isfile(place):
        return None
    keys = [entry['key'] for entry in C.config.get_configuration_definitions()[setting].get('ini') or []]
    with open(place, encoding='utf-8', errors='replace') as lines:
        for number, line in enumerate(lines, 1):
            if re.match(r'\s*(%s)\s*[=:]' % '|'.join(map(re.escape, keys)), line, re.IGNORECASE):
                return '%s:%d' % (place, number)
    return place


class Plugins:
    """Asks the loaders that the play will ask."""

    def __init__(self):
        self.missing = []
        self.asked = set()

    def need(self, kind, loader, name, where, stops):
        if not name or '{' in name or (kind, name) in self.asked:
            return
        self.asked.add((kind, name))
        try:
            if loader.get(name, class_only=True):
                return
            why = 'it is not to be found'
        except Exception as error:  # whatever the plugin's own code raises while it is imported
            why = first_line(error)
        self.missing.append({'kind': kind, 'name': name, 'why': why, 'where': where, 'stops': stops})


def tasks_in(blocks):
    for block in blocks:
        for part in ('block', 'rescue', 'always'):
            for one in getattr(block, part, None) or []:
                if hasattr(one, 'block'):
                    yield from tasks_in([one])
                elif not getattr(one, 'implicit', False):
                    yield one


def place(thing):
    try:
        return thing.get_path()
    except Exception:
        return None


def look_at_plugins(plays):
    from ansible import constants as C
    from ansible.plugins import loader
    plugins = Plugins()
    plugins.need('stdout_callback', loader.callback_loader, C.DEFAULT_STDOUT_CALLBACK, origin('DEFAULT_STDOUT_CALLBACK'), True)
    for name in C.CALLBACKS_ENABLED or []:
        plugins.need('callback', loader.callback_loader, name, origin('CALLBACKS_ENABLED'), False)
    for name in C.INVENTORY_ENABLED or []:
        plugins.need('inventory', loader.inventory_loader, name, origin('INVENTORY_ENABLED'), False)
    for name in C.VARIABLE_PLUGINS_ENABLED or []:
        plugins.need('vars', loader.vars_loader, name, origin('VARIABLE_PLUGINS_ENABLED'), False)
    for play in plays:
        plugins.need('strategy', loader.strategy_loader, play.strategy, place(play) if play.strategy != C.DEFAULT_STRATEGY else origin('DEFAULT_STRATEGY'), True)
        for task in tasks_in(play.compile()):
            if task.become is True:
                own = task.become_method != C.DEFAULT_BECOME_METHOD
                plugins.need('become', loader.become_loader, task.become_method, place(task) if own else origin('DEFAULT_BECOME_METHOD'), True)
            if task.connection not in ('smart', C.DEFAULT_TRANSPORT):
                plugins.need('connection', loader.connection_loader, task.connection, place(task), False)
    return plugins.missing


class Inventories:
    """Which sources no plugin could parse, with what the plugins said."""

    def __init__(self):
        self.reasons = {}
        self.lines = {}
        self.unparsed = []

    def watch(self):
        from ansible.inventory.manager import InventoryManager
        fetch, parse_source = InventoryManager._fetch_inventory_plugins, InventoryManager.parse_source

        def fetched(manager):
            plugins = fetch(manager)
            for plugin in plugins:
                self.listen(plugin)
            return plugins

        def parsed(manager, source, cache=False):
            result = parse_source(manager, source, cache=cache)
            if not result and not os.path.isdir(source):
                self.unparsed.append({'source': source, 'line': self.lines.get(source, 0), 'why': self.why(source)})
            return result

        InventoryManager._fetch_inventory_plugins, InventoryManager.parse_source = fetched, parsed

    def listen(self, plugin):
        parse, name = plugin.parse, getattr(plugin, '_load_name', '').rpartition('.')[2]

        def heard(inventory, loader, path, *more, **named):
            try:
                return parse(inventory, loader, path, *more, **named)
            except Exception as error:
                self.reasons.setdefault(path, {})[name] = ' '.join(str(error).split())
                self.lines[path] = self.lines.get(path) or getattr(getattr(error, 'obj', None), 'line_num', None) or 0
                raise

        plugin.parse = heard

    def why(self, source):
        """The reason of the plugin that the file was meant for."""
        if not os.path.exists(source):
            return 'it does not exist'
        with open(source, 'rb') as content:
            begins = content.read(3)
        if begins.startswith(b'#!') and not os.access(source, os.X_OK):
            return 'it begins with #! and is not executable (chmod +x)'
        if begins == b'\xef\xbb\xbf' and not source.endswith(YAML_FILE):
            return 'it begins with a byte order mark, which Ansible takes for a part of the first line'
        said = self.reasons.get(source, {})
        if os.access(source, os.X_OK) and 'script' in said:
            return said['script']
        if source.endswith(YAML_FILE) and 'yaml' in said:
            return said.get('auto', said['yaml']) if 'lugin configuration' in said['yaml'] else said['yaml']
        return said.get('ini') or next(iter(said.values()), 'no enabled inventory plugin takes it')


def wanted(option):
    from ansible import context
    return [word for word in context.CLIARGS.get(option) or [] if word not in SPECIAL_TAGS]


def look_at_tags(plays, facts):
    known, is_open, dynamic = set(), False, False
    for play in plays:
        for task in list(tasks_in(play.compile())) + list(tasks_in(play.handlers or [])):
            tags = [str(tag) for tag in list(task.tags or []) + list(play.tags or [])]
            is_open = is_open or any('{' in tag for tag in tags)
            dynamic = dynamic or task.action.rpartition('.')[2] in INCLUDES
            known.update(tag.strip() for tag in ','.join(tags).split(',') if tag.strip())
    facts['tags'] = sorted(known.difference(SPECIAL_TAGS))
    # What an include brings can be skipped by a tag of its own; for --tags the include itself has to have it.
    for option, unclear in (('tags', is_open), ('skip_tags', is_open or dynamic)):
        for tag in set(wanted(option)):
            facts['words'].append({'option': '--' + option.replace('_', '-'), 'word': tag, 'found': tag in known or unclear})


def look_at_start(plays, facts):
    from ansible import context
    import fnmatch
    start = context.CLIARGS.get('start_at_task')
    if not start:
        return
    names = [name for play in plays for task in tasks_in(play.compile()) for name in (task.name, task.get_name()) if name]
    found = any(name == start or '{' in name or fnmatch.fnmatch(name, start) for name in names)
    facts['words'].append({'option': '--start-at-task', 'word': start, 'found': found})


def look_at_settings(facts):
    from ansible import constants as C
    facts['enabled'] = {'names': list(C.INVENTORY_ENABLED), 'where': origin('INVENTORY_ENABLED')}
    facts['debugger'] = origin('ENABLE_TASK_DEBUGGER') or 'ansible.cfg' if C.ENABLE_TASK_DEBUGGER else None


def watch_plays():
    """What --list-hosts goes through, kept."""
    from ansible.executor.playbook_executor import PlaybookExecutor
    run, plays = PlaybookExecutor.run, []

    def kept(executor):
        results = run(executor)
        if isinstance(results, list):
            plays.extend(play for entry in results for play in entry['plays'])
        return results

    PlaybookExecutor.run = kept
    return plays


def attempt(look):
    try:
        return look()
    except Exception:  # an Ansible with other insides
        return None


def main(words):
    sys.path[0] = os.path.dirname(words[0])
    try:
        from ansible.cli.playbook import main as playbook
    except ImportError:
        os.execv(words[0], words)
    sys.argv = words
    inventories, code = Inventories(), 0
    attempt(inventories.watch)
    plays = attempt(watch_plays)
    plays = [] if plays is None else plays
    try:
        playbook()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    facts = {'unparsed': inventories.unparsed, 'words': []}
    facts['plugins'] = attempt(lambda: look_at_plugins(plays)) or []
    attempt(lambda: look_at_settings(facts))
    if plays:  # else nobody knows what tasks there are
        attempt(lambda: look_at_tags(plays, facts))
        attempt(lambda: look_at_start(plays, facts))
    print('triphase: ' + json.dumps(facts))
    return code


if __name__ == '__main__':
    status = main(sys.argv[1:])
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status & 0xFF)
