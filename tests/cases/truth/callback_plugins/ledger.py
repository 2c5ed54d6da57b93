"""What Ansible says, a line each, into the file `ledger` of its folder: which play and task, and of each host outcome and
result, with what is another each time (times, ids, temporary names) masked; and into the file `rows` what the store's rows of
it have to be: host, status (0 ok, 1 changed, 2 skipped, 3 failed, 4 unreachable), flags (1 ignored, 4 async, 8 handler), items,
task. Ansible without triphase has the same plugin."""
import json
import os
import re

from ansible.playbook.handler import Handler
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: ledger
type: aggregate
short_description: what Ansible says, as lines that can be compared
description: [what Ansible says, as lines that can be compared]
"""

EACH_TIME = {'start', 'end', 'delta', 'elapsed', 'ansible_job_id', 'jid', '_async_dir', 'results_file', 'erased', 'atime', 'mtime', 'ctime', 'inode', 'version', 'ansible_facts',
             'exception', 'module_stdout', 'module_stderr'}  # the last ones: where in what files it was
MASKED = [(re.compile(pattern), text) for pattern, text in (
    (r'/\S*?/ansible[-_](tmp|local|mitogen_action)[-_][^\s"\']*', 'TEMPORARY'),
    (r'^(\.|tmp)[a-z0-9_]{8}$', 'TEMPORARY'),
    (r'( at |\b)0x[0-9a-f]+', 'ADDRESS'))]


def masked(value, key=None):
    if key in EACH_TIME:
        return '...'
    if isinstance(value, dict):
        return {str(name): masked(entry, name) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(entry) for entry in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = str(value)
    for pattern, with_text in MASKED:
        text = pattern.sub(with_text, text)
    return text


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'aggregate'
    CALLBACK_NAME = 'ledger'

    def __init__(self):
        super().__init__()
        self._ledger, self._rows = [os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
                                    for name in ('ledger', 'rows')]

    def _line(self, *words):
        os.write(self._ledger, (' '.join(words) + '\n').encode('utf-8', 'replace'))

    @staticmethod
    def _parts(result):
        host = getattr(result, 'host', None) or result._host
        task = getattr(result, 'task', None) or result._task
        return host.get_name(), task, result.result if hasattr(result, 'result') else result._result

    def _of(self, result, outcome, *words):
        host, task, data = self._parts(result)
        data = masked(data)
        if task.action.endswith('async_status'):  # how often it asks is the job's matter
            data.pop('attempts', None)
        self._line(host, '[%s]' % (task.name or task.action), outcome, *words, json.dumps(data, sort_keys=True))

    def _row(self, result, status, ignored=False):
        host, task, data = self._parts(result)
        flags = (1 if ignored else 0) + (4 if task.async_val else 0) + (8 if isinstance(task, Handler) else 0)
        os.write(self._rows, ('%s %d %d %d %s\n' % (
            host, status, flags, len(data.get('results') or []) if task.loop is not None else 0, task.name or task.action)).encode('utf-8'))

    def v2_playbook_on_play_start(self, play):
        self._line('- play', play.get_name())

    def v2_playbook_on_no_hosts_matched(self):
        self._line('- no hosts')

    def v2_playbook_on_no_hosts_remaining(self):
        self._line('- no hosts left')

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._line('- task', task.get_name())

    def v2_playbook_on_handler_task_start(self, task):
        self._line('- handler', task.get_name())

    def v2_playbook_on_include(self, included_file):
        self._line('- includes', os.path.basename(str(included_file._filename)))

    def v2_playbook_on_notify(self, handler, host):
        self._line(host.get_name(), 'notifies', handler.get_name())

    def v2_runner_on_ok(self, result):
        self._of(result, 'ok')
        self._row(result, 1 if result.is_changed() else 0)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._of(result, 'failed', *(['ignored'] if ignore_errors else []))
        self._row(result, 3, ignore_errors)

    def v2_runner_on_skipped(self, result):
        self._of(result, 'skipped')
        self._row(result, 2)

    def v2_runner_on_unreachable(self, result):
        self._of(result, 'unreachable')
        self._row(result, 4, bool(self._parts(result)[1].ignore_unreachable))

    def v2_runner_item_on_ok(self, result):
        self._of(result, 'item ok')

    def v2_runner_item_on_failed(self, result):
        self._of(result, 'item failed')

    def v2_runner_item_on_skipped(self, result):
        self._of(result, 'item skipped')

    def v2_runner_retry(self, result):
        if not self._parts(result)[1].action.endswith('async_status'):
            self._of(result, 'tries again')

    def v2_runner_on_async_ok(self, result):
        self._of(result, 'job ok')

    def v2_runner_on_async_failed(self, result):
        self._of(result, 'job failed')

    def v2_on_file_diff(self, result):
        self._of(result, 'differs')

    def v2_playbook_on_stats(self, stats):
        for name in sorted(stats.processed):
            self._line(name, 'recap', json.dumps(stats.summarize(name), sort_keys=True))
