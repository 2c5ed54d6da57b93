# SPDX-License-Identifier: MIT
"""Event lines of one ansible-playbook process, for the worker that supervises it.

The file named by TRIPHASE_EVENTS gets one JSON object a line, each by one write(2) with O_APPEND:

    {"v":1,"seq":N,"t":NS,"m":NS,"kind":KIND, ...}

seq counts from 1 without a gap; t is the wall clock, m the monotonic clock, both nanoseconds. A field that
does not apply is absent, never null, unless said otherwise. "task fields" stands for
play, task, uuid, path ("file:line"), action (fully qualified where Ansible knows it), and role if in one.

    play_start   play, uuid, pattern, hosts_count, hosts (names, the first 1000), batch (1, 2, ... of a play with
                 `serial`); also sent, with hosts_count 0, for a play that matches no host
    no_hosts     play, uuid: no host matched this play
    task_start   task fields; async and poll if async is asked for (seconds; -1: a template, not known yet);
                 handler:true for a handler
    host_start   host, task fields; async and poll as in task_start: this host was given the task (absent where Ansible
                 runs the task without a worker, as for meta and include)
    result       host, task fields, status (ok changed failed skipped), duration_ns (from the moment this host was
                 given to a worker; absent where Ansible runs the task without one, as for meta and include);
                 failed: ignored (bool), rescued (true, false, or null where the block could not be told),
                 cause_text unless no_log or without a message; loops: items (how many);
                 async: async, poll, jid; handler:true; delegate (where delegate_to sent it; cause_text begins with it);
                 unchecked:true in check mode, where the module (or of a loop one item's) was passed over since it cannot check
    told         host, task fields, subject, text (one line, 500 bytes), detail (an object of at most 4 KiB; if it is larger,
                 {"left_out": why}): what the module of this task has to say, in `triphase_told` of its result or of one of
                 its items, at most 50 of a task; before the task's result; nothing under no_log
    unreachable  host, task fields, ignored (bool: ignore_unreachable), cause_text, duration_ns, items, async, poll,
                 handler, delegate as in result. A host with a result after its unreachable line was cleared
                 (clear_host_errors); one without took no further part
    async_poll   host, task fields, async, poll, jid
    notify       host, task fields, handlers (the names or topics as the task wrote them): a changed result
                 notified them; or host, handlers, owed:true: a handler that an earlier attempt owed was notified anew
    handler      task fields, names (everything a notify may have called it: name, role-qualified names, listen
                 topics), once:true for run_once, where one host's part is all hosts': a handler starts; each host's part is
                 a result or unreachable line with its uuid
    refused      host, variable, expected, found: a connection variable is not what TRIPHASE_EXPECT says; or only
                 cause_text: that file could not be read, or the play would reach a host beyond. The process ends with
                 78 before the play's first task; no play_start for that play, no stats, no end. Before the first play all
                 plays are looked at, so that a later one is refused only for what came up meanwhile. As whom a play logs
                 in (MAY_CHANGE) is the play's
    never_ran    host, play, cause_text: a host that had no part in a play, since others were lost or failed: the play ended before
                 it came to it, or left it out from the start (play_start lists it nevertheless). None for a host that ended by
                 itself (end_host, end_batch, end_play), nor for one that was lost in an earlier play
    stats        hosts: {name: {ok, changed, failures, unreachable, skipped, rescued, ignored}}; more than one line
                 where there are many hosts
    end          count: lines before this one; always the last line of a whole file

Text is at most 1 KiB (cause_text and found: 2000 bytes), valid UTF-8, without NUL; what cannot be so is replaced by
U+FFFD. Arguments and results are never written, but what a module says with `triphase_told`.

Environment read, and all but the marks removed, so that an Ansible started by a task does not write here:
    TRIPHASE_EVENTS            file to append to; unset: this plugin does nothing
    TRIPHASE_STEP              mark: put first into every play's environment, so that each remote process carries it
    TRIPHASE_PENDING_HANDLERS  JSON list of {"host", "handler"}, or the path of a file that holds one: notified anew
                               when a task that would notify it ends ok or skipped on that host, else after the last
                               role and task of the first play that has the host and such a handler, before its flush
    TRIPHASE_SECRETS           number of a sealed descriptor that holds the values that are known as secret: they are taken
                               out of every text, in whatever form, before it is cut; it is read and closed
    TRIPHASE_VAULTED           number of a descriptor that takes, in the same form, the values that Ansible Vault holds in this
                               project: they are decrypted before anything is told, so that who shows the output knows them too;
                               and, of kind "name", known values that are hidden beside their key only, since they are names
    TRIPHASE_EXPECT            path of {"host": {"ansible_host": ..., ...}}: what the worker rendered; null means unset;
                               "triphase_gives_way": a play's own remote_user counts beside the rendered user
    TRIPHASE_BEYOND            refuse: no play may reach a host beyond those, but this machine and what add_host made here

If the file cannot be opened or written, one line on stderr says so, nothing more is written, and the missing `end`
tells the reader that the record is not whole. Ansible itself goes on.
"""
from __future__ import annotations

import errno
import json
import os
import re
import sys
import time
import weakref

import yaml
from ansible import constants as C
from ansible.executor.task_queue_manager import TaskQueueManager
from ansible.playbook.block import Block
from ansible.playbook.handler import Handler
from ansible.plugins.callback import CallbackBase
from ansible.template import Templar

DOCUMENTATION = """
name: triphase_events
type: aggregate
short_description: event lines for triphase
description:
  - Appends one JSON line per event to the file that TRIPHASE_EVENTS names; does nothing where it is unset.
"""

TEXT_MAX = 1024
CAUSE_MAX = 2000
WINDOW = 64 * 1024  # more of a text is not looked at: what is told of it is far shorter
NAMES_MAX = 1000
LINE_SOFT_MAX = 256 * 1024  # far below the 1 MiB at which the reader skips a line
TOLD_MAX, TOLD_SUBJECT_MAX, TOLD_DETAIL_MAX, TOLD_VALUES_MAX, TOLD_DEPTH_MAX, TOLD_MOST = 500, 128, 4096, 500, 8, 50
WRITE_RETRIES = 4
REFUSED_EXIT = 78

# Ansible reads both spellings, the older one last: it would win over the one that was rendered.
ALIASES = {
    'ansible_host': ('ansible_ssh_host',),
    'ansible_port': ('ansible_ssh_port',),
    'ansible_user': ('ansible_ssh_user',),
    'ansible_private_key_file': ('ansible_ssh_private_key_file',),
}

# What known secrets are found by: as orchestrator/redact/token.c and value.c have it.
NOISE = frozenset(range(0x21)) | frozenset(b'\\\'"$\x7f')
BLANK = frozenset(b' \t\r\n')
LETTERS = {ord(letter): text.encode('utf-8') for letter, text in (
    ('n', '\n'), ('t', '\t'), ('r', '\r'), ('b', '\b'), ('f', '\f'), ('a', '\a'), ('v', '\v'), ('e', '\x1b'),
    ('E', '\x1b'), ('0', '\0'), ('N', '\x85'), ('_', '\xa0'), ('L', '\u2028'), ('P', '\u2029'))}
SLASHES = re.compile(rb'\\{1,64}')
FOLD = re.compile(rb'(?:[\\ \t\r\n"\'+,-]|(?<=\\)[nr]){1,448}')
FOLD_BEGINS = frozenset(b'\r\n"\'nr')
FOLD_MARK, FOLD_MARKS = re.compile(rb'[\r\n"\']|\\[nr]|(?<=["\']),'), 8
FOLD_BREAK = re.compile(rb'[\r\n]|\\[nr]|["\'],')
DIGITS = {ord('x'): 2, ord('u'): 4, ord('U'): 8, ord('0'): 2, ord('1'): 2, ord('2'): 2, ord('3'): 2}
HEX = frozenset(b'0123456789abcdefABCDEF')
LOW = re.compile(rb'\\(?:[\\ \t\r\n"\'+,-]|(?<=\\)[nr]){0,511}u')
# What a list puts between two of its lines.
LISTED = re.compile(rb'\\{0,64}["\']W,W\\{0,64}["\']|(?:[\r\n]|\\{1,64}n)W- '.replace(b'W', rb'(?:\\{0,64}[ \t\r\n]|\\{1,64}n){0,64}'))
LINE_ENDS = (b'\n',) + tuple(end.encode('utf-8') for end in '\x85\u2028\u2029')
BREAK = re.compile(rb'\xc2\x85|\xe2\x80[\xa8\xa9]')
PERCENT = re.compile(rb'%([0-9a-fA-F]{2})')
ENTITY = re.compile(rb'(?:#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6})|(quot|amp|lt|gt|apos))\\*;')
NAMES = {b'quot': b'"', b'amp': b'&', b'lt': b'<', b'gt': b'>', b'apos': b"'"}
DIGITS64 = b'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
URL64 = {ord('+'): ord('-'), ord('/'): ord('_')}
BASE64 = frozenset(DIGITS64 + b'-_')
VALUE_LEAST, LINE_LEAST, GAP_MOST, TRIES_MOST, KEPT_MOST = 4, 8, 128, 4096, 4096

# As whom a host is entered: a play that says otherwise is followed, as Ansible has it.
MAY_CHANGE = {'ansible_port', 'ansible_ssh_port', 'ansible_user', 'ansible_ssh_user', 'ansible_private_key_file',
              'ansible_ssh_private_key_file'}
# Keywords of a play, which Ansible passes over where a variable stands, be it only a rendered one.
KEYWORDS = {'remote_user': 'ansible_user', 'port': 'ansible_port', 'connection': 'ansible_connection'}

_encode = json.JSONEncoder(ensure_ascii=True, separators=(',', ':'), check_circular=False).encode


COLOUR = re.compile(r'\x1b\[[0-9;]*m')  # Python 3.13 and later paint what goes to a terminal
COMPLAINT = re.compile(r'(/\S*/)?[\w.+-]+: \S')  # "sudo: ...", "/bin/sh: 1: sudo: not found"
NO_TTY = ' (requiretty on the host: pipelining has no terminal; ANSIBLE_PIPELINING=False, or Defaults !requiretty there)'
EXCEPTION = re.compile(r'[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit)\b')


def last_words(found):
    """Of a module that died without an answer, whose message says only that: the last exception, or the last complaint of a program, that was printed; nothing
    else of its output is told."""
    broken = found.get('failed_modules')
    if isinstance(broken, dict):  # of facts
        found = next((entry for entry in broken.values() if isinstance(entry, dict)), found)
    # On a terminal both are one.
    lines = [line.strip() for line in COLOUR.sub('', '%s\n%s' % (
        found.get('module_stdout') or '', found.get('module_stderr') or '')).splitlines()]
    for kind in (EXCEPTION, COMPLAINT):
        said = [line for line in lines if kind.match(line)]
        if said:
            return 'the module died: ' + said[-1] + (NO_TTY if 'must have a tty' in said[-1] else '')
    return ''


def clean(value, limit=TEXT_MAX):
    """Text for a JSON string that every strict reader takes: bounded, no lone surrogate, no NUL."""
    if not isinstance(value, str):
        if value is None or isinstance(value, (bool, int, float)):
            value = str(value)
        elif isinstance(value, bytes):
            value = value[:WINDOW].decode('utf-8', 'replace')
        else:
            # str() of a stranger could decrypt a vaulted value
            value = '<%s>' % type(value).__name__
    value = KNOWN.clear(value[:WINDOW])
    if len(value) > limit:
        value = value[:limit]
    try:
        raw = value.encode('utf-8')
    except UnicodeEncodeError:
        raw = value.encode('utf-8', 'surrogatepass').decode('utf-8', 'replace').encode('utf-8')
    if len(raw) > limit:
        raw = raw[:limit]
        while raw and raw[-1] & 0xC0 == 0x80:
            raw = raw[:-1]
        if raw and raw[-1] >= 0xC0:
            raw = raw[:-1]
    if b'\0' in raw:
        raw = raw.replace(b'\0', b'\xef\xbf\xbd')[:limit]
    return raw.decode('utf-8', 'replace')


def quoted(value, limit=TEXT_MAX):
    return _encode(clean(value, limit))


class TooLarge(Exception):
    """There is no room for what a module tells."""


def told_value(value, left, depth=0):
    """What a module says in its detail, as JSON has it; left: how many values more, in a list of one."""
    left[0] -= 1
    if left[0] < 0 or depth > TOLD_DEPTH_MAX:
        raise TooLarge
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, dict):
        return {clean(key): told_value(entry, left, depth + 1) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [told_value(entry, left, depth + 1) for entry in value]
    if isinstance(value, (int, float)) and abs(value) < 1 << 53:  # what no reader can hold is text; NaN too
        text = clean(value)
        return value if text == str(value) else text
    return clean(value)


def told_detail(value):
    """The detail as JSON text."""
    try:
        text = _encode(told_value(value, [TOLD_VALUES_MAX]))
        if len(text) > TOLD_DETAIL_MAX:
            raise TooLarge
    except TooLarge:
        text = '{"left_out":"it has more than %d bytes, %d values or %d levels"}' % (
            TOLD_DETAIL_MAX, TOLD_VALUES_MAX, TOLD_DEPTH_MAX)
    return text


def seconds(value):
    """`async` and `poll` before templating: the number, -1 for a template."""
    try:
        return int(value or 0)
    except (TypeError, ValueError):
        return -1


def listed(value):
    """`notify` and `listen` as a list: before 2.15 a single name of a handler's `listen` is still what the file says."""
    return [value] if isinstance(value, str) else list(value or [])


def listed_dicts(value):
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, (list, tuple)) else []


def handler_names(handler):
    """Everything a notification may call this handler."""
    names = []
    if handler.name:
        names = [handler.name, handler.get_name(include_role_fqcn=False), handler.get_name(include_role_fqcn=True)]
    names.extend(listed(handler.listen))
    return list(dict.fromkeys(str(name) for name in names))


def rescuing(task):
    """Whether a failure of this task goes to a rescue section; None where the tree does not tell."""
    parent, passed = getattr(task, '_parent', None), {task._uuid}  # of an import the block holds what it brought, and not itself
    for _depth in range(200):
        if parent is None:
            return False
        if isinstance(parent, Block) and parent.rescue:
            if any(entry._uuid in passed for entry in parent.block):
                return True
            if not any(entry._uuid in passed for entry in parent.rescue + parent.always):
                return None
        passed.add(parent._uuid)
        parent = getattr(parent, '_parent', None)
    return None


def character(point):
    return chr(point).encode('utf-8', 'surrogatepass') if point < 0x110000 else b'\0'


def fold(data, at):
    """Where what folding puts within an escape ends, backslashes first; 0: there is none, or backslashes end it."""
    slashes = SLASHES.match(data, at)
    begin = slashes.end() if slashes else len(data)
    if begin == len(data) or data[begin] not in FOLD_BEGINS:
        return 0
    end = FOLD.match(data, begin).end()
    if end == len(data) or data[end - 1] == 0x5C or not FOLD_BREAK.search(data, begin - 1, end) \
            or len(FOLD_MARK.findall(data, begin - 1, end)) > FOLD_MARKS:
        return 0
    return end


def number(data, at, count):
    """So many hex digits, between which there may be folds, and where they end; -1: there are not."""
    digits = bytearray()
    while len(digits) < count:
        if at < len(data) and data[at] == 0x5C:
            at = fold(data, at) or at
        if at >= len(data) or data[at] not in HEX:
            return -1, at
        digits.append(data[at])
        at += 1
    return int(digits, 16), at


def numbered(data, behind):
    """What a number stands for there, each with its end."""
    letter = data[behind]
    value, end = number(data, behind + 1, DIGITS[letter])
    if value < 0:
        return
    if letter == 0x78:
        yield bytes([value]), end
        if value >= 0x80:
            yield character(value), end
    elif letter == 0x75 and 0xD800 <= value < 0xDC00:
        second = LOW.match(data, end)
        low, end = number(data, second.end(), 4) if second else (-1, end)
        if 0xDC00 <= low < 0xE000:
            yield character(0x10000 + ((value - 0xD800) << 10) + low - 0xDC00), end
    elif letter in b'uU':
        yield character(value), end
    elif not value & ~0x77:
        yield bytes([(letter & 3) << 6 | value >> 4 << 3 | value & 7]), end


def escapes(data, begin, behind, folded):
    """What a letter or number stands for behind backslashes."""
    if behind >= len(data):
        return
    if data[behind] in DIGITS:
        for text, end in numbered(data, behind):
            yield text, end - begin
            if text == b'&':
                yield from entities(data, begin, end)
    if data[behind] == 0x26 and not folded:
        yield from entities(data, begin, behind + 1)
    if data[behind] in LETTERS:
        yield LETTERS[data[behind]], behind + 1 - begin
    if not folded:
        yield data[behind:behind + 1], behind + 1 - begin


def entities(data, begin, behind):
    """What stands behind an & of HTML, and what that begins when it is an & again."""
    found = ENTITY.match(data, behind)
    while found:
        decimal, hexadecimal, name = found.groups()
        yield (NAMES[name] if name else character(int(decimal or hexadecimal, 10 if decimal else 16))), found.end() - begin
        found = ENTITY.match(data, found.end()) if name == b'amp' else None


def readings(data, at):
    """What can begin here, as (bytes, length): the rules of orchestrator/redact/token.h."""
    ways = []
    line = LISTED.match(data, at)
    if line:
        ways.extend((end, line.end() - at) for end in LINE_ENDS)
    if data[at] == 0x5C:
        ways.extend(escapes(data, at, SLASHES.match(data, at).end(), False))
        folded = fold(data, at)
        if folded:
            ways.extend(escapes(data, at, folded, True))
            ways.append((b'\n', folded - at))
    elif data[at] == 0x26:
        ways.extend(entities(data, at, at + 1))
    ways.append((data[at:at + 1], 1))
    return ways


def unquoted(data, origins):
    """Percent-encoding taken away, and where each byte and the end came from."""
    plain, offsets, at = bytearray(), [], 0
    while at < len(data):
        found = PERCENT.match(data, at)
        offsets.append(at)
        plain.append(int(found.group(1), 16) if found else data[at])
        at = found.end() if found else at + 1
    offsets.append(at)
    return bytes(plain), [origins[offset] for offset in offsets] if origins else offsets


def joined(spans):
    """In order, those that overlap as one."""
    whole = []
    for first, last, kind in sorted(spans):
        if whole and first < whole[-1][1]:
            whole[-1] = (whole[-1][0], max(last, whole[-1][1]), whole[-1][2])
        else:
            whole.append((first, last, kind))
    return whole


class Pattern:
    """What must stand there, byte by byte, and before which of them blanks may stand."""

    def __init__(self, kind, wanted, gaps, base64, before, behind, tail):
        self.kind, self.wanted, self.gaps, self.base64 = kind, wanted, gaps, base64
        self.before, self.behind, self.tail = before, behind, tail

    def fits(self, index, text):
        if self.wanted.startswith(text, index):
            return True
        return self.base64 and len(text) == 1 and text[0] == URL64.get(self.wanted[index])

    def passable(self, index, text, length, slash, newline):
        byte = text[0]
        if len(text) > 1 or byte not in NOISE:
            return False
        if self.base64:
            return byte in (0x0A, 0x0D, 0x5C) or (newline and byte in BLANK)
        return byte not in BLANK or length > len(text) or slash or index in self.gaps

    def ways(self, data, at, index, gap, slash, newline):
        """(bytes of the pattern, bytes of the data, escaped, end of line): to pass over or to match, those that take most first."""
        ways = []
        readable = readings(data, at)
        if index and gap < GAP_MOST:
            for text, length in readable:
                byte = b' ' if text == b'+' else text  # in a form
                if self.passable(index, byte, length, slash, newline) and not (length == 1 and ways and text == b'\\'):
                    ways.append((0, length, length > 1 or text == b'\\', text in (b'\r', b'\n')))
        ways += [(len(text), length, False, False) for text, length in readable if self.fits(index, text)]
        if len(ways) > 1:
            ways.sort(key=lambda way: -way[1])
        return ways

    def end(self, data, at):
        """Where the value ends that begins here; 0: it does not."""
        index, gap, slash, newline = 0, 0, False, False
        others, seen = [], set()
        while index < len(self.wanted):
            ways = self.ways(data, at, index, gap, slash, newline) if at < len(data) else ()
            for count, length, escaped, broken in reversed(ways):
                state = (index + count, at + length)
                if len(ways) > 1 and (state in seen or len(seen) > TRIES_MOST):
                    continue
                if len(ways) > 1:
                    seen.add(state)
                others.append(state + ((0, False, False) if count else (gap + length, slash or escaped, newline or broken)))
            if not others:
                return 0
            index, at, gap, slash, newline = others.pop()
        return at


VAULT_MARK = b'$ANSIBLE_VAULT;'
VAULT_INLINE = re.compile(rb'(?:(?<![A-Za-z0-9_.-])([A-Za-z_][A-Za-z0-9_.-]*)["\']?[ \t]*:[ \t]*!vault(?:-encrypted)?[ \t]*[|>][-+0-9]*[ \t]*\r?\n)?'
                          rb'[ \t]*(\$ANSIBLE_VAULT;[^\r\n]*(?:\r?\n[ \t]*[0-9a-f]+(?=[ \t]*(?:\r?\n|\Z)))+)')
ORDINARY = re.compile(rb'[-+]?[0-9][0-9_.:eE+-]*|0x[0-9a-fA-F]+|true|false|yes|no|on|off|null|none|~', re.IGNORECASE)
VAULT_FILES_MOST, VAULT_FILE_MOST, VAULTED_LEAST = 20000, 1 << 20, 8


def vault_files(folder):
    """Files of the project that hold something of Ansible Vault, with their content."""
    count = 0
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith('.') and name not in ('node_modules', '__pycache__')]
        for name in files:
            path = os.path.join(place, name)
            count += 1
            if count > VAULT_FILES_MOST:
                return
            try:
                if not os.path.isfile(path) or os.path.getsize(path) > VAULT_FILE_MOST:
                    continue
                with open(path, 'rb') as stream:
                    content = stream.read(4096)
                    if b'\0' in content:  # a picture, an archive
                        continue
                    content += stream.read()
            except OSError:
                continue
            if VAULT_MARK in content:
                yield content


def scalars(node, key):
    """(key, text) of all that stands in a YAML document."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield from scalars(value, str(name.value))
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from scalars(value, key)
    elif node is not None:
        yield key, node.value


def vaulted(vault, folder):
    """(key, value) of what Ansible Vault holds below the folder and this vault opens."""
    for content in vault_files(folder):
        for key, text in VAULT_INLINE.findall(content):
            try:
                plain = vault.decrypt(b'\n'.join(line.strip() for line in text.splitlines()))
            except Exception:  # another password's: Ansible says so where it needs it
                continue
            plain = plain if isinstance(plain, bytes) else plain.encode('utf-8')
            whole = content.startswith(VAULT_MARK)
            try:
                document = yaml.compose(plain, Loader=yaml.SafeLoader) if whole else None
            except (yaml.YAMLError, ValueError):
                document = None
            if isinstance(document, (yaml.MappingNode, yaml.SequenceNode)):
                for name, value in scalars(document, ''):
                    yield name, value.encode('utf-8', 'surrogatepass')
            else:
                yield key.decode('ascii'), plain.strip(b'\r\n')


def written_tasks(play):
    """Tasks and handlers of a play and its roles, as the files have them; not those of includes, which nobody has read yet."""
    left = [*play.pre_tasks, *play.tasks, *play.post_tasks, *play.handlers]
    for role in play.roles:
        for one in (role, *role.get_all_dependencies()):
            left += [*one.get_task_blocks(), *one.get_handler_blocks(play)]
    while left:
        one = left.pop()
        if hasattr(one, 'block'):
            left += [*one.block, *one.rescue, *one.always]
        else:
            yield one


def vaulted_records(vault, folder, names):
    """(kind, value): known everywhere, or only beside its key where it says too little by itself."""
    for key, value in vaulted(vault, folder):
        little = len(value) < VAULTED_LEAST or ORDINARY.fullmatch(value) or value.decode('utf-8', 'replace') in names
        if value and not (little and not key):
            yield '%s %s' % ('beside' if little else 'vaulted', key), value


def record(kind, value):
    return b'%s\0%d\0%s' % (kind.encode('utf-8'), len(value), value)


class Known:
    """Values that are known as secret, taken out of text in every form that orchestrator/redact/value.h names."""

    def __init__(self):
        self._patterns = {}
        self._candidates = None
        self._seen = {}  # value: its kind
        self._done = {}
        self._beside = []
        self._told = None  # a descriptor that others learn from what comes to be known

    def tell(self, number):
        """From now on what comes to be known, and the names that values give way to, are told there too."""
        if number:
            self._told = int(number)
            os.set_inheritable(self._told, False)

    def tells(self):
        return self._told is not None

    def learn(self, kind, value):
        os.write(self._told, record(kind, value))
        self.add(kind, value)

    def read(self, number):
        """From the sealed descriptor: kind, length and bytes of each, with a NUL behind the first two."""
        if not number:
            return
        with open(int(number), 'rb') as stream:
            data = os.pread(stream.fileno(), os.fstat(stream.fileno()).st_size, 0)
        while data:
            kind, length, data = data.split(b'\0', 2)
            self.add(kind.decode('utf-8', 'replace'), data[:int(length)])
            data = data[int(length):]

    def add(self, kind, value):
        if kind.startswith('beside '):
            key = re.escape(kind[len('beside '):].encode('utf-8'))
            self._beside.append(re.compile(
                rb'(?<![A-Za-z0-9_])(%s(?:\\*["\'])?[ \t]{0,4}[:=][ \t]{0,4}(?:\\*["\'])?)%s(?![A-Za-z0-9_])' % (key, re.escape(value))))
            self._done.clear()
            return
        if len(value) < VALUE_LEAST:
            return
        self._add(kind, value)
        if b'\n' in value:
            for line in value.split(b'\n'):
                line = line.rstrip(b'\r')
                if len(line) >= LINE_LEAST and not line.startswith(b'-----'):
                    self._add(kind, line)

    def give_way(self, names):
        """What is a name that stands in the project anyway hides no event's name: it is known beside its key only."""
        if not self._seen:
            return
        for value in self._seen.keys() & {name.encode('utf-8', 'surrogatepass') for name in names}:
            kind = self._seen.pop(value)
            kept, self._seen, self._patterns = self._seen, {}, {}
            for other, its in kept.items():
                self._add(its, other)
            self.add('beside ' + kind.split(' ')[-1], value)
            if self.tells():
                os.write(self._told, record('name', value))

    def _add(self, kind, value):
        if value in self._seen:
            return
        self._seen[value] = kind
        self._candidates = None
        self._done.clear()
        wanted, gaps = self._text(value, False)
        if len(wanted) < VALUE_LEAST:
            wanted, gaps = self._text(value, True)
        tail = value[len(value.rstrip(bytes(NOISE))):]
        self._keep(Pattern(kind, wanted, gaps, False, False, False, re.split(rb'["\\]', tail)[0]))
        number, size = int.from_bytes(value, 'big'), 8 * len(value)
        for before in range(3):
            first, last = (8 * before + 5) // 6, 8 * (before + len(value)) // 6
            core = bytes(DIGITS64[self._six(number, size, 6 * digit - 8 * before)] for digit in range(first, last))
            self._keep(Pattern(kind, core, (), True, before > 0, 8 * (before + len(value)) % 6 != 0, b''))

    @staticmethod
    def _six(number, size, at):
        return number >> (size - at - 6) & 63

    @staticmethod
    def _text(value, whole):
        wanted, gaps, gap = bytearray(), set(), False
        breaks = {found.end() for found in BREAK.finditer(value)}
        for at, byte in enumerate(value):
            gap = gap or byte in BLANK or at in breaks
            if byte in NOISE and not whole:
                continue
            if gap:
                gaps.add(len(wanted))
            wanted.append(byte)
            gap = False
        return bytes(wanted), gaps

    def _keep(self, pattern):
        for first in {pattern.wanted[0]} | ({URL64.get(pattern.wanted[0], pattern.wanted[0])} if pattern.base64 else set()):
            self._patterns.setdefault(first, []).append(pattern)

    def _find_candidates(self):
        """Where a value can begin: at its first byte with what can stand behind that, or at what may be an escape."""
        parts = [rb'[\\&]']
        for first, patterns in self._patterns.items():
            seconds = NOISE | frozenset(b'&+')
            for pattern in patterns:
                seconds |= {pattern.wanted[1]} | ({URL64.get(pattern.wanted[1], pattern.wanted[1])} if pattern.base64 else set())
            parts.append(b'%s(?=[%s])' % (re.escape(bytes([first])), b''.join(re.escape(bytes([byte])) for byte in sorted(seconds))))
        return re.compile(b'|'.join(parts))

    def clear(self, text):
        """The text without them."""
        if not self._patterns and not self._beside:
            return text
        done = self._done.get(text)
        if done is None:
            done = self._clear(text)
            if len(text) <= TEXT_MAX:
                if len(self._done) > KEPT_MOST:
                    self._done.clear()
                self._done[text] = done
        return done

    def _clear(self, text):
        data = text.encode('utf-8', 'surrogatepass')
        for beside in self._beside:
            data = beside.sub(rb'\1[REDACTED vaulted]', data)
        if self._beside:
            text = data.decode('utf-8', 'replace')
        if self._candidates is None:
            self._candidates = self._find_candidates()
        spans = self._spans(data)
        plain, offsets = data, None
        for _level in range(3):
            if b'%' not in plain:
                break
            plain, offsets = unquoted(plain, offsets)
            spans += [(offsets[first], offsets[last], kind) for first, last, kind in self._spans(plain)]
        spans = joined(spans)
        if not spans:
            return text
        parts, at = [], 0
        for first, last, kind in spans:
            parts += [data[at:first], b'[REDACTED %s]' % kind.encode('utf-8')]
            at = last
        parts.append(data[at:])
        return b''.join(parts).decode('utf-8', 'replace')

    def _spans(self, data):
        spans, at = [], 0
        while True:
            found = self._candidates.search(data, at)
            if not found:
                return joined(spans)
            at = found.start()
            span = self._span(data, at)
            if span:
                spans.append(span)
            at += 1

    def _span(self, data, at):
        best = None
        for first in {text[0] for text, _length in readings(data, at)}:
            for pattern in self._patterns.get(first, ()):
                end = pattern.end(data, at)
                if not end:
                    continue
                start = at
                if pattern.base64:
                    end += pattern.behind and end < len(data) and data[end] in BASE64
                    start -= pattern.before and at > 0 and data[at - 1] in BASE64
                else:
                    for byte in pattern.tail:
                        if end >= len(data) or data[end] != byte:
                            break
                        end += 1
                if best is None or end > best[1]:
                    best = (start, end, pattern.kind)
        return best


KNOWN = Known()


class EventFile:
    """The event file, opened by and for the main process: forked workers close it at once."""

    def __init__(self, path):
        self.seq = 0
        self.fd = -1
        self.path = path
        try:
            self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except (OSError, ValueError) as error:
            self._trouble('cannot be opened', error)
        os.register_at_fork(after_in_child=self.close)

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _trouble(self, what, error):
        self.close()
        text = 'triphase: event file %r %s: %s; this run is not recorded any further\n' % (self.path, what, error)
        try:
            os.write(2, text.encode('utf-8', 'backslashreplace'))
        except OSError:
            pass

    def line(self, kind, rest):
        """rest: the object's further members as JSON text, each with a leading comma."""
        if self.fd < 0:
            return
        self.seq += 1
        data = ('{"v":1,"seq":%d,"t":%d,"m":%d,"kind":"%s"%s}\n' % (
            self.seq, time.time_ns(), time.monotonic_ns(), kind, rest)).encode('ascii')
        tries = 0
        while data:
            try:
                done = os.write(self.fd, data)
                data = data[done:]
                if data:
                    tries += 1
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EINTR, errno.EAGAIN) or tries >= WRITE_RETRIES:
                    self._trouble('cannot be written', error)
                    return
                tries += 1
                time.sleep(0.05)


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'aggregate'
    CALLBACK_NAME = 'triphase_events'

    def __init__(self, display=None):
        super().__init__(display=display)
        path = os.environ.pop('TRIPHASE_EVENTS', '')
        expect = os.environ.pop('TRIPHASE_EXPECT', '')
        pending = os.environ.pop('TRIPHASE_PENDING_HANDLERS', '')
        secrets = os.environ.pop('TRIPHASE_SECRETS', '')
        self._bounded = os.environ.pop('TRIPHASE_BEYOND', '') == 'refuse'
        told = os.environ.pop('TRIPHASE_VAULTED', '')
        self.disabled = not path
        if not path:
            return
        KNOWN.read(secrets)
        KNOWN.tell(told)
        self._events = EventFile(path)
        # Never TRIPHASE_RUN: what carries that is this side's, and ends with the worker, also where a host shares this kernel.
        self._marks = {key: os.environ[key] for key in ('TRIPHASE_STEP',) if os.environ.get(key)}
        self._expect, self._expect_error = self._load_expect(expect)
        self._plays, self._begun = [], set()  # of the playbook; uuids of those that began
        self._of_play, self._ran, self._broken, self._out, self._lost_now = {}, set(), '', set(), set()
        self._queue, self._batched, self._left, self._shared = None, set(), set(), ''
        self._made, self._given = set(), None  # hosts: of add_host, and what the inventories had before
        self._giving_way = {name for name, entry in self._expect.items() if entry.pop('triphase_gives_way', False)}
        self._keywords, self._looked_ahead = {}, False
        self._pending = self._load_pending(pending)
        self._gates = set()
        if self._pending:
            self.wants_implicit_tasks = True
        self._play = None
        self._play_name = '""'
        self._play_hosts = {}
        self._batches = {}
        self._fields = {}
        self._started = {}
        self._polled = {}
        self._hosts = {}

    # What the worker handed over

    @staticmethod
    def _load_expect(path):
        if not path:
            return {}, None
        try:
            with open(path, encoding='utf-8') as stream:
                expect = json.load(stream)
            if not isinstance(expect, dict) or not all(isinstance(entry, dict) for entry in expect.values()):
                raise ValueError('not an object of objects')
            return expect, None
        except (OSError, ValueError) as error:
            return {}, 'expected connection variables: %s: %s' % (path, error)

    def _load_pending(self, text):
        if not text:
            return []
        try:
            if text.lstrip()[:1] != '[':
                with open(text, encoding='utf-8') as stream:
                    text = stream.read()
            return [(entry['host'], entry['handler']) for entry in json.loads(text)]
        except (OSError, ValueError, TypeError, KeyError) as error:
            # The reader sees that they never ran; saying why is all that is left to do.
            self._display.warning('triphase: owed handlers could not be read: %s' % error)
            return []

    # Pieces of lines

    def _host(self, host):
        name = host.get_name()
        text = self._hosts.get(name)
        if text is None:
            text = self._hosts[name] = ',"host":' + quoted(name)
        return text

    def _describe(self, task):
        role = ''
        if getattr(task, '_role', None):
            KNOWN.give_way([task._role.get_name()])
            role = ',"role":' + quoted(task._role.get_name())
        action = getattr(task, 'resolved_action', None) or task.action
        text = ',"play":%s%s,"task":%s,"uuid":%s,"path":%s,"action":%s' % (
            self._play_name, role, self._title(task, task.name) if task.name else quoted(task.action or ''), quoted(task._uuid),
            quoted(task.get_path() or ''), quoted(action or ''))
        self._fields[task._uuid] = text
        return text

    def _task(self, task):
        return self._fields.get(task._uuid) or self._describe(task)

    @staticmethod
    def _async(task):
        wait = seconds(task.async_val)
        if not wait:
            return ''
        return ',"async":%d,"poll":%d' % (wait, seconds(task.poll))

    def _duration(self, host, task):
        start = self._started.pop((host.get_name(), task._uuid), None)
        return '' if start is None else ',"duration_ns":%d' % (time.monotonic_ns() - start)

    def _delegate(self, host, task, data):
        """Whom delegate_to meant; None where it does not say so, or it cannot be told any more."""
        if not task.delegate_to:
            return None
        broken = [item for item in listed_dicts(data.get('results')) if item.get('failed') or item.get('unreachable')]
        found = broken[0] if broken else data
        known = found.get('_ansible_delegated_vars') or {}
        name = known.get('ansible_delegated_host') or task.delegate_to
        if '{' in name:
            try:
                variables = self._play.get_variable_manager().get_vars(play=self._play, host=host, task=task)
                loop = found.get('ansible_loop_var', 'item')
                if loop in found:
                    variables[loop] = found[loop]
                name = Templar(loader=self._play.get_loader(), variables=variables).template(name)
            except Exception:  # it names what only the task itself knew
                return None
        return str(name)

    def _common(self, host, task, data):
        """What result and unreachable lines share beyond host and task."""
        rest = ''
        items = data.get('results')
        if task.loop is not None and isinstance(items, (list, tuple)):
            rest = ',"items":%d' % len(items)
        wait = seconds(task.async_val)
        if wait:
            rest += ',"async":%d,"poll":%d' % (wait, seconds(task.poll))
            jid = data.get('ansible_job_id')
            if jid:
                rest += ',"jid":' + quoted(jid)
        if isinstance(task, Handler):
            rest += ',"handler":true'
        delegate = self._delegate(host, task, data)
        if delegate:
            rest += ',"delegate":' + quoted(delegate)
        return rest

    def _tell(self, host, task, data):
        """What its module has to say."""
        left = TOLD_MOST
        for found in [data] + listed_dicts(data.get('results')):
            told = found.get('triphase_told')
            if not isinstance(told, dict) or not left or task.no_log or any(
                    one.get('_ansible_no_log') or 'censored' in one for one in (data, found)):
                continue
            subject, text, detail = told.get('subject'), told.get('text'), told.get('detail')
            if not isinstance(subject, str) or not isinstance(text, str):
                continue
            self._events.line('told', '%s%s,"subject":%s,"text":%s,"detail":%s' % (
                self._host(host), self._task(task), quoted(' '.join(subject.split()), TOLD_SUBJECT_MAX),
                quoted(' '.join(text[:WINDOW].split()), TOLD_MAX), told_detail(detail if isinstance(detail, dict) else {})))
            left -= 1

    def _passed_over(self, host, task):
        """Whether a condition did, asked anew: under no_log a result does not say why it was skipped."""
        try:
            variables = self._play.get_variable_manager().get_vars(play=self._play, host=host, task=task)
            if hasattr(task, 'evaluate_conditional'):
                return not task.evaluate_conditional(Templar(loader=self._play.get_loader(), variables=variables), variables)
            return not task._resolve_conditional(task.when, variables)  # from 2.19 on
        except Exception:  # of an item, or of what only the task itself knew
            return False

    def _unchecked(self, host, task, data, skipped):
        """Whether check mode alone kept the module from its work: what a condition passes over says so."""
        if not task.check_mode or (skipped and 'censored' in data and self._passed_over(host, task)):
            return ''
        items = data.get('results')
        found = [data] if skipped else []
        if task.loop is not None and isinstance(items, (list, tuple)):
            # Since 2.21 an item does not say any more that it was skipped, as the whole never did.
            found = [one for one in listed_dicts(items) if skipped or one.get('skipped') or not one.get('changed')
                     and isinstance(one.get('msg'), str) and 'check mode' in one['msg'].lower()]
        return '' if all(one.get('skip_reason') or one.get('skipped_reason') for one in found) else ',"unchecked":true'

    def _cause(self, host, task, data):
        message, delegate = self._message(task, data), self._delegate(host, task, data)
        if delegate and delegate != host.get_name():
            message = 'delegated to %s%s%s' % (clean(delegate), ': ' if message else '', message)
        return ',"cause_text":' + quoted(message, CAUSE_MAX) if message else ''

    @staticmethod
    def _message(task, data):
        if task.no_log or data.get('_ansible_no_log') or 'censored' in data:
            return ''
        found = data
        items = data.get('results')
        if isinstance(items, (list, tuple)):
            for item in items:
                if isinstance(item, dict) and (item.get('failed') or item.get('unreachable')):
                    if item.get('_ansible_no_log') or 'censored' in item:
                        return ''
                    found = item
                    break
        message = found.get('msg')
        if isinstance(message, (list, tuple, dict)):
            try:
                message = json.dumps(message, default=lambda value: '<%s>' % type(value).__name__)
            except (TypeError, ValueError):
                message = None
        if not message:
            return ''
        message = clean(message, CAUSE_MAX)
        died = last_words(found)
        if died:
            message = clean(died, CAUSE_MAX // 2)
        code = found.get('rc')
        if isinstance(code, int) and code:
            message = clean(message, CAUSE_MAX - 24) + ' (rc %d)' % code
        return message

    @staticmethod
    def _parts(result):
        # 2.19 makes a deep native copy for `result`, at a cost; the plain data is enough to look at.
        host = getattr(result, 'host', None) or result._host
        task = getattr(result, 'task', None) or result._task
        data = getattr(result, '_return_data', None)
        if data is None:
            data = result._result
        return host, task, data

    # Plays

    def v2_playbook_on_start(self, playbook):
        self._plays = playbook.get_plays()
        self._know_names_and_vaulted()
        for play in self._plays:
            # Later nothing tells a keyword that was written from one that is only the default.
            written = {word: getattr(play, '_' + word, None) for word in KEYWORDS}
            self._keywords[play._uuid] = {
                word: value for word, value in written.items() if isinstance(value, (str, int)) and value != ''}
        if not self._marks:
            return
        for play in self._plays:
            own = play.environment
            if own is None:
                own = []
            elif not isinstance(own, list):
                own = [own]
            play.environment = [dict(self._marks)] + own

    def v2_playbook_on_play_start(self, play):
        if play._uuid not in self._begun:
            self._tell_never_ran()
            self._begun.add(play._uuid)
            self._ran, self._broken, self._batched = set(), '', set()
            self._of_play = self._hosts_of(play, play.get_variable_manager())
            self._left = self._dropped()
        self._play = play
        self._fields.clear()
        self._started.clear()
        self._polled.clear()
        manager = play.get_variable_manager()
        KNOWN.give_way([*manager._inventory.hosts, *manager._inventory.groups, *(role.get_name() for role in play.roles)])
        self._play_name = self._title(play, play.get_name())
        hosts = manager._inventory.get_hosts(play.hosts)
        self._play_hosts = {host.get_name(): host for host in hosts}
        self._batched |= set(self._play_hosts)
        if self._bounded:
            self._refuse_beyond(play, manager._inventory)
        self._follow_keywords(play)
        self._verify(play, manager)

        shown, size = [], 0
        for name in self._play_hosts:
            text = quoted(name)
            size += len(text) + 1
            if len(shown) >= NAMES_MAX or size > LINE_SOFT_MAX:
                break
            shown.append(text)
        pattern = play.hosts
        if isinstance(pattern, (list, tuple)):
            pattern = ','.join(str(part) for part in pattern)
        batch = ''
        if play.serial:
            number = self._batches[play._uuid] = self._batches.get(play._uuid, 0) + 1
            batch = ',"batch":%d' % number
        self._events.line('play_start', ',"play":%s,"uuid":%s,"pattern":%s,"hosts_count":%d,"hosts":[%s]%s' % (
            self._play_name, quoted(play._uuid), quoted(pattern), len(self._play_hosts), ','.join(shown), batch))
        if self._pending:
            self._set_gate(play, manager)

    def _know_names_and_vaulted(self):
        """All at once, while nothing has been printed yet: whoever shows the log goes by it too."""
        if not self._plays:
            return
        inventory = self._plays[0].get_variable_manager()._inventory
        names = {*inventory.hosts, *inventory.groups}
        for play in self._plays:
            names.add(play.get_name())
            names.update(role.get_name() for role in play.roles)
            names.update(task.name for task in written_tasks(play) if getattr(task, 'name', None))
        vault = getattr(self._plays[0].get_loader(), '_vault', None)
        if KNOWN.tells() and getattr(vault, 'secrets', None):
            for kind, value in vaulted_records(vault, os.getcwd(), names):
                KNOWN.learn(kind, value)
        KNOWN.give_way(names)

    @staticmethod
    def _title(part, name):
        """The name of a play or task. One that the file says as it is hides no secret."""
        source = part.get_ds()
        written = source.get('name') or source.get('hosts') if isinstance(source, dict) else 'Gathering Facts'  # Ansible's own
        if isinstance(name, str) and (','.join(map(str, written)) if isinstance(written, list) else written) == name:
            KNOWN.give_way([name])
        return quoted(name)

    def v2_playbook_on_no_hosts_matched(self):
        self._events.line('no_hosts', ',"play":%s,"uuid":%s' % (
            self._play_name, quoted(self._play._uuid if self._play else '')))

    # Hosts that a play did not come to

    @staticmethod
    def _hosts_of(play, manager):
        hosts = manager._inventory.get_hosts(play.hosts, ignore_restrictions=True)
        return {host.get_name(): play.get_name() for host in hosts}

    def _dropped(self):
        """Whom Ansible takes no further, as the queue of its plays has it: be it without a result that says so. No callback is given that queue, and all are called by it."""
        frame, of_queues = sys._getframe(1), TaskQueueManager.run.__code__.co_filename
        while frame and not self._queue:
            # Who looks at a frame's variables, or holds a queue, holds every plugin back from its end: one frame, and weakly.
            if frame.f_code.co_filename == of_queues and isinstance(frame.f_locals.get('self'), TaskQueueManager):
                self._queue = weakref.ref(frame.f_locals['self'])
            frame = frame.f_back
        del frame
        queue = self._queue and self._queue()
        return {*queue._failed_hosts, *queue._unreachable_hosts} if queue else set()

    def _tell_never_ran(self):
        """A batch that is lost, or the host of a run_once, takes the rest along, and so does what any_errors_fatal made a failure of all, though it was
        rescued: Ansible names these nowhere."""
        dropped = self._dropped()
        broke = bool(self._play_hosts) and set(self._play_hosts) <= dropped  # then no batch and no play came behind it
        for name, play in sorted(self._of_play.items()):
            if name not in self._ran and name not in self._out and (name in dropped if name in self._batched else broke):
                self._tell_one(name, play)
        self._out |= self._lost_now
        self._lost_now = set()
        return broke

    def _tell_one(self, name, play):
        if name in self._left:
            text = "never ran: play '%s' left this host out, since %s" % (
                play, self._shared or 'Ansible counts it as failed in an earlier play')
        else:
            text = "never ran: play '%s' ended before it came to this host, %s" % (
                play, self._broken or 'since ' + (self._shared or 'Ansible counts all before it as failed'))
        self._events.line('never_ran', ',"host":%s,"play":%s,"cause_text":%s' % (
            quoted(name), quoted(play), quoted(text, CAUSE_MAX)))

    def _tell_plays_never_begun(self):
        self._ran, self._batched, self._left = set(), set(), set()
        for play in self._plays:
            if play._uuid in self._begun or not self._play or '{' in str(play.hosts):
                continue
            manager = self._play.get_variable_manager()
            self._of_play = {name: title for name, title in self._hosts_of(play, manager).items()
                             if name in manager._inventory.hosts}
            self._tell_never_ran()

    def _note_shared(self, host, task, how):
        """A failure that counts for all hosts, be it rescued."""
        if task.any_errors_fatal or task.run_once:
            self._shared = "%s %s in task '%s', which %s made a failure of all hosts" % (
                host.get_name(), how, task.name or task.action, 'any_errors_fatal' if task.any_errors_fatal else 'run_once')

    def _note_broken(self, host, task, how):
        name = host.get_name()
        self._ran.add(name)
        self._lost_now.add(name)
        self._broken = self._broken or "since %s %s in task '%s'" % (name, how, task.name or task.action)

    # Hosts beyond the target

    def _refuse_beyond(self, play, inventory):
        """All batches of a play are looked at before its first one."""
        if self._given is None:
            self._given = set(inventory.hosts)
        beyond = [host.get_name() for host in inventory.get_hosts(play.hosts, ignore_restrictions=True)
                  if host.get_name() not in self._expect and host.get_name() not in self._made
                  and not self._is_here(host, play.hosts)]
        if beyond and not self._expect_error:
            message = "play '%s' would reach %s%s, beyond the target and its peers: name their hosts in `hosts:`, keep the " \
                      "phase to them with `args: [--limit, HOST]`, or say `beyond: allow` for it" % (play.get_name(), ', '.join(beyond[:8]),
                                                         ' and %d more' % (len(beyond) - 8) if beyond[8:] else '')
            self._refuse(',"cause_text":' + quoted(message, CAUSE_MAX), message)

    @staticmethod
    def _is_here(host, patterns):
        """This machine: where no inventory has it, or the play names it by itself."""
        patterns = [patterns] if isinstance(patterns, str) else patterns
        words = [word.strip() for pattern in patterns for word in re.split(r'[,:]', str(pattern))]
        return getattr(host, 'implicit', False) or (
            host.get_name() in C.LOCALHOST and (host.get_name() in words or host.get_name() in patterns))

    def _note_made(self, data):
        """What add_host made in this run is none of an inventory's."""
        for entry in [data] + listed_dicts(data.get('results')):
            made = entry.get('add_host')
            name = made.get('host_name') if isinstance(made, dict) else None
            if name and name not in self._given:
                self._made.add(str(name))

    # Connection variables: what Ansible will really use against what was rendered

    def _follow_keywords(self, play):
        """remote_user, port and connection of a play count beside what triphase rendered, as they do where an inventory says nothing."""
        if not self._play_hosts or not set(self._play_hosts) <= self._giving_way:
            return
        own = dict(play.vars or {})
        for word, value in self._keywords.get(play._uuid, {}).items():
            variable = KEYWORDS[word]
            if any(self._expect[name].get(variable) is not None for name in self._play_hosts):
                own.setdefault(variable, value)
        play.vars = own

    def _verify(self, play, manager):
        if self._expect_error:
            self._refuse(',"cause_text":' + quoted(self._expect_error, CAUSE_MAX), self._expect_error)
        plays = [play]
        if not self._looked_ahead:
            self._looked_ahead = True
            for name in self._expect:
                self._verify_host(name, None, manager)
            plays += [later for later in self._plays if later._uuid != play._uuid]
        for each in plays:
            for name in self._expect:
                if name in self._play_hosts if each is play else self._plainly_has(each, name, manager._inventory):
                    self._verify_host(name, each, manager)

    @staticmethod
    def _plainly_has(play, name, inventory):
        """Whether a play to come has the host, as far as its pattern tells it without being resolved."""
        hosts = play.hosts if isinstance(play.hosts, (list, tuple)) else [play.hosts]
        parts = [part.strip() for text in hosts for part in re.split('[,:]', str(text))]
        if any(part[:1] in ('!', '&', '~') or '{' in part or '[' in part for part in parts):
            return False
        return any(part in ('all', '*', name) or part in inventory.groups and any(
            host.name == name for host in inventory.groups[part].get_hosts()) for part in parts)

    def _verify_host(self, name, play, manager):
        """Without a play: what inventories and extra variables say, all of it; with one, what no play may change."""
        host = manager._inventory.get_host(name)
        try:
            found = manager.get_vars(play=play, host=host)
        except Exception:  # a file of variables that is missing, say: Ansible meets it by itself, straight afterwards
            return
        templar = Templar(loader=manager._loader, variables=found)
        for variable, value in self._expect[name].items():
            if play is not None and variable in MAY_CHANGE:
                continue
            self._compare(name, variable, value, self._effective(templar, found, variable))
            for alias in ALIASES.get(variable, ()):
                if alias in found and alias not in self._expect[name]:
                    self._compare(name, alias, value, self._effective(templar, found, alias))

    @staticmethod
    def _effective(templar, variables, name):
        value = variables.get(name)
        if isinstance(value, str) and '{' in value:
            try:
                value = templar.template(value)
            except Exception as error:  # an undefined or broken template would fail each task anyway
                value = '%s (not to be templated: %s)' % (value, type(error).__name__)
        return value

    def _compare(self, host, variable, expected, found):
        if expected is None or found is None:
            same = (expected is None or expected == '') and (found is None or found == '')
        else:
            same = str(expected) == str(found)
        # A task on this machine leads to no other host.
        if same or (variable == 'ansible_connection' and found == 'local'):
            return
        if 'pass' in variable:
            expected, found = '(hidden)', '(hidden)'
        self._refuse(',"host":%s,"variable":%s,"expected":%s,"found":%s' % (
            quoted(host), quoted(variable), quoted('' if expected is None else expected, CAUSE_MAX),
            quoted('' if found is None else found, CAUSE_MAX)),
            'variable %s of host %s is %r, but %r was rendered' % (variable, host, found, expected))

    def _refuse(self, rest, message):
        """Ansible guards callbacks against exceptions, but not against an exit, which cleans up as ^C does."""
        self._events.line('refused', rest)
        self._display.error('triphase: refused: ' + clean(message, CAUSE_MAX), wrap_text=False)
        sys.exit(REFUSED_EXIT)

    # Handlers that an earlier attempt owed

    def _set_gate(self, play, manager):
        """Ends the play's tasks with one that does nothing, so that the moment before the flush can be seen."""
        block = Block.load([{'meta': 'noop'}], play=play, variable_manager=manager, loader=play.get_loader())
        for task in block.block:
            task.implicit = True
            task.tags = ['always']
            self._gates.add(task._uuid)
        play.tasks = list(play.tasks) + [block]

    def _notify_owed(self, only_host=None, topics=None):
        """Notifies what is owed, to all hosts of the play, or to one where a task with these topics ended on it."""
        left = []
        for name, wanted in self._pending:
            host = self._play_hosts.get(name)
            if host is None or (only_host is not None and name != only_host):
                left.append((name, wanted))
                continue
            handlers = self._find_handlers(wanted)
            if not handlers or (topics is not None and wanted not in topics and not any(
                    topic in handler_names(handler) for handler in handlers for topic in topics)):
                left.append((name, wanted))
                continue
            for handler in handlers:
                handler.notify_host(host)
            self._events.line('notify', '%s,"handlers":[%s],"owed":true' % (self._host(host), quoted(wanted)))
        self._pending = left

    def _find_handlers(self, wanted):
        """By name the last one wins, by topic all are meant: as Ansible has it."""
        named, listening = None, []
        for block in reversed(self._play.handlers):
            for handler in reversed(block.block):
                if not isinstance(handler, Handler):
                    continue
                if wanted in listed(handler.listen):
                    listening.append(handler)
                elif named is None and wanted in handler_names(handler):
                    named = handler
        return listening + ([named] if named is not None else [])

    # Tasks

    def _start(self, task, more=''):
        self._events.line('task_start', self._describe(task) + self._async(task) + more)

    def v2_playbook_on_task_start(self, task, is_conditional):
        if task.implicit:
            if self._pending and task._uuid in self._gates:
                self._notify_owed()
            return
        self._start(task)

    def v2_playbook_on_handler_task_start(self, task):
        self._start(task, ',"handler":true')
        self._events.line('handler', '%s,"names":[%s]%s' % (
            self._task(task), ','.join(quoted(name) for name in handler_names(task)),
            ',"once":true' if task.run_once else ''))

    def v2_runner_on_start(self, host, task):
        name = host.get_name()
        self._started[(name, task._uuid)] = time.monotonic_ns()
        self._events.line('host_start', self._host(host) + self._task(task) + self._async(task))
        if task.async_val:
            # Ansible reports each poll as a task of its own, without a name: a host runs one task at a time
            self._polled[name] = task

    def v2_runner_on_ok(self, result):
        host, task, data = self._parts(result)
        self._ran.add(host.get_name())
        if self._bounded and task.action.endswith('add_host'):
            self._note_made(data)
        self._tell(host, task, data)
        changed = result.is_changed()
        self._events.line('result', '%s%s,"status":"%s"%s%s%s' % (
            self._host(host), self._task(task), 'changed' if changed else 'ok', self._duration(host, task),
            self._common(host, task, data), self._unchecked(host, task, data, False)))
        if changed and task.notify:
            KNOWN.give_way(listed(task.notify))
            self._events.line('notify', '%s%s,"handlers":[%s]' % (
                self._host(host), self._task(task), ','.join(quoted(name) for name in listed(task.notify))))
        if self._pending and task.notify:
            self._notify_owed(host.get_name(), listed(task.notify))

    def v2_runner_on_skipped(self, result):
        host, task, data = self._parts(result)
        self._ran.add(host.get_name())
        self._events.line('result', '%s%s,"status":"skipped"%s%s%s' % (
            self._host(host), self._task(task), self._duration(host, task), self._common(host, task, data),
            self._unchecked(host, task, data, True)))
        if self._pending and task.notify:
            self._notify_owed(host.get_name(), listed(task.notify))

    def v2_runner_on_failed(self, result, ignore_errors=False):
        host, task, data = self._parts(result)
        saved = False if ignore_errors else rescuing(task)
        self._ran.add(host.get_name())
        if not ignore_errors and saved is False:
            self._note_broken(host, task, 'failed')
        if not ignore_errors:
            self._note_shared(host, task, 'failed')
        self._tell(host, task, data)
        self._events.line('result', '%s%s,"status":"failed","ignored":%s,"rescued":%s%s%s%s' % (
            self._host(host), self._task(task), 'true' if ignore_errors else 'false',
            'null' if saved is None else 'true' if saved else 'false',
            self._duration(host, task), self._common(host, task, data), self._cause(host, task, data)))

    def v2_runner_on_unreachable(self, result):
        host, task, data = self._parts(result)
        self._ran.add(host.get_name())
        if not task.ignore_unreachable:
            self._note_broken(host, task, 'was UNREACHABLE')
            self._note_shared(host, task, 'was UNREACHABLE')
        self._events.line('unreachable', '%s%s,"ignored":%s%s%s%s' % (
            self._host(host), self._task(task), 'true' if task.ignore_unreachable else 'false',
            self._duration(host, task), self._common(host, task, data), self._cause(host, task, data)))

    def v2_runner_on_async_poll(self, result):
        host, task, data = self._parts(result)
        task = self._polled.get(host.get_name(), task)
        jid = data.get('ansible_job_id')
        self._events.line('async_poll', '%s%s%s%s' % (
            self._host(host), self._task(task), self._async(task), ',"jid":' + quoted(jid) if jid else ''))

    # The end

    def v2_playbook_on_stats(self, stats):
        if self._tell_never_ran():
            self._tell_plays_never_begun()
        part, size = [], 0
        for name in sorted(stats.processed):
            counts = stats.summarize(name)
            entry = '%s:{%s}' % (quoted(name), ','.join('"%s":%d' % (key, counts.get(key, 0)) for key in (
                'ok', 'changed', 'failures', 'unreachable', 'skipped', 'rescued', 'ignored')))
            if part and size + len(entry) > LINE_SOFT_MAX:
                self._events.line('stats', ',"hosts":{%s}' % ','.join(part))
                part, size = [], 0
            part.append(entry)
            size += len(entry) + 1
        self._events.line('stats', ',"hosts":{%s}' % ','.join(part))
        self._events.line('end', ',"count":%d' % self._events.seq)


def main(folder, vault_ids, names):
    """For a bundle: what Ansible Vault holds in a project, to stdout, by the passwords that Ansible would take."""
    from ansible.cli import CLI
    from ansible.parsing.dataloader import DataLoader
    loader = DataLoader()
    files = [C.DEFAULT_VAULT_PASSWORD_FILE] if C.DEFAULT_VAULT_PASSWORD_FILE else []
    loader.set_vault_secrets(CLI.setup_vault_secrets(loader, list(C.DEFAULT_VAULT_IDENTITY_LIST) + vault_ids, files,
                                                     ask_vault_pass=False, auto_prompt=False))
    if os.path.isdir('roles'):
        names.update(os.listdir('roles'))
    for kind, value in vaulted_records(loader._vault, folder, names):
        sys.stdout.buffer.write(record(kind, value))


if __name__ == '__main__':
    main(os.getcwd(), sys.argv[1].split(), set(sys.argv[2:]))
