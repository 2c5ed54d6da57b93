# SPDX-License-Identifier: MIT
"""The store of Raft snapshots: a directory, or a bucket of an S3-compatible service. Standard library and curl alone.

Of each lineage there are two slots and latest.json, which says what is in the one that counts. A writer fills the other slot and
then swaps latest.json, both only if they are still as it read them; so of two writers one wins, and what was cut off harms nothing.
In a bucket, where no lock keeps others out between its looks and its writes, it first puts a claim into latest.json.
What is absent and what could not be asked are never the same here: the latter is a StoreError.

The same files serve the modules of these roles and, laid down on the host, the job of the timer: this one, snapshot_directory.py and
snapshot_bucket.py, where a store is, and snapshot_file.py, what is kept. Python 3.9 and newer.
"""
from __future__ import annotations

import json
import os
import re
import shutil
import socket
import tempfile
import time
import uuid

try:
    from ansible.module_utils.snapshot_bucket import Bucket
    from ansible.module_utils.snapshot_directory import Directory
    from ansible.module_utils.snapshot_file import DamagedError, StoreError, check_snapshot, digest, now
except ImportError:
    from snapshot_bucket import Bucket
    from snapshot_directory import Directory
    from snapshot_file import DamagedError, StoreError, check_snapshot, digest, now

SLOTS = ('slot-a', 'slot-b')
POINTER = 'latest.json'
LINEAGE = re.compile(r'^[0-9a-f]{64}$')
EMPTY, COHERENT, INCOHERENT = 0, 1, 2
TRIES = 8
NOT_YET = 'the first snapshot was begun and is not there yet'

# What a store is told by, as an option of a module.
STORE_OPTIONS = {
    'kind': {'type': 'str', 'required': True, 'choices': ['directory', 's3']},
    'prefix': {'type': 'str', 'default': ''},
    'directory': {'type': 'path'},
    'url': {'type': 'str'},
    'bucket': {'type': 'str'},
    'region': {'type': 'str', 'default': 'us-east-1'},
    'style': {'type': 'str', 'choices': ['path', 'virtual'], 'default': 'path'},
    'access_key': {'type': 'str', 'no_log': True},
    'secret_key': {'type': 'str', 'no_log': True},
    'ca': {'type': 'path'},
    'timeout': {'type': 'int', 'default': 600},
}


class Snapshots:
    """What the slots and the pointer of each lineage hold."""

    def __init__(self, back_end, prefix=''):
        prefix = prefix.strip('/')
        if prefix and not re.match(r'^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$', prefix) or '..' in prefix:
            raise StoreError('%s is no prefix: letters, digits, . _ - and / alone' % prefix)
        self.back_end, self.prefix = back_end, prefix + '/' if prefix else ''
        # Seconds for which another one's claim is waited for; and who this one is in its own.
        self.claim_lasts, self.name = 60, '%s %s' % (socket.gethostname(), uuid.uuid4().hex)

    def folder(self, lineage):
        if not LINEAGE.match(lineage):
            raise StoreError('%s is no lineage: 64 digits and letters a to f' % (lineage or '(nothing)'))
        return '%s%s/' % (self.prefix, lineage)

    def pointer(self, lineage):
        """(what latest.json says, its tag, what is wrong with it, who claims the next snapshot)."""
        data, tag = self.back_end.read(self.folder(lineage) + POINTER)
        if data is None:
            return None, None, '', ''
        claimed = ''
        try:
            latest = json.loads(data)
            claimed = self.claimed_by(latest)
            if claimed and set(latest) == {'claim'}:
                return None, tag, NOT_YET, claimed
            latest = {'lineage': str(latest['lineage']), 'sequence': int(latest['sequence']), 'slot': str(latest['slot']),
                      'sha256': str(latest['sha256']), 'size': int(latest['size']), 'index': int(latest['index']), 'at': str(latest['at'])}
        except (ValueError, KeyError, TypeError) as error:
            return None, tag, '%s cannot be read (%s)' % (POINTER, error), claimed
        if latest['slot'] not in SLOTS:
            return None, tag, '%s names the slot %s' % (POINTER, latest['slot']), claimed
        if latest['lineage'] != lineage:
            return latest, tag, '%s is of the lineage %.16s' % (POINTER, latest['lineage']), claimed
        return latest, tag, '', claimed

    @staticmethod
    def claimed_by(latest):
        claim = latest.get('claim') if isinstance(latest, dict) else None
        return str(claim.get('by') or '') if isinstance(claim, dict) else ''

    def trouble_of(self, lineage, latest, entries, path):
        """What keeps the slot that counts from being the snapshot that was kept; it is in the file `path` if nothing."""
        entry = entries.get(latest['slot'])
        if entry is None:
            return '%s is not there' % latest['slot']
        if entry[1] != latest['size']:
            return '%s has %d bytes, not %d' % (latest['slot'], entry[1], latest['size'])
        if not self.back_end.fetch(self.folder(lineage) + latest['slot'], path):
            return '%s is not there' % latest['slot']
        sha256, _size = digest(path)
        if sha256 != latest['sha256']:
            return 'the bytes of %s have another SHA-256 than %s says' % (latest['slot'], POINTER)
        try:
            check_snapshot(path)
        except DamagedError as error:
            return str(error).replace(path, latest['slot'])
        return ''

    def look(self, lineage, path=None):
        """{'state', 'evidence', 'latest'}; the snapshot is in the file `path`, where one is named and all is coherent."""
        for _attempt in range(TRIES):
            tag, found = self.look_once(lineage, path)
            # What does not fit may be of before and behind another one's write.
            if found['state'] != INCOHERENT or self.back_end.read(self.folder(lineage) + POINTER)[1] == tag:
                break
        return found

    def look_once(self, lineage, path):
        """(the pointer's tag, what look() gives)."""
        where = self.back_end.where(self.folder(lineage))
        latest, tag, trouble, _claimed = self.pointer(lineage)
        entries = self.back_end.listing(self.folder(lineage))
        if not entries:
            return tag, {'state': EMPTY, 'evidence': 'nothing is kept in %s' % where, 'latest': {}}
        if trouble == NOT_YET and set(entries) == {POINTER}:
            return tag, {'state': EMPTY, 'evidence': 'nothing is kept in %s: %s' % (where, trouble), 'latest': {}}
        if not trouble and tag is None:
            trouble = '%s is there, but no %s' % (', '.join(sorted(entries)), POINTER)
        if not trouble:
            with tempfile.TemporaryDirectory(prefix='snapshot-store-') as folder:
                whole = os.path.join(folder, 'snapshot')
                trouble = self.trouble_of(lineage, latest, entries, whole)
                if not trouble and path:
                    shutil.copyfile(whole, path)
        if trouble:
            return tag, {'state': INCOHERENT, 'evidence': '%s: %s' % (where, trouble), 'latest': latest or {}}
        return tag, {'state': COHERENT, 'latest': latest, 'evidence': 'snapshot %d in %s, of %s, %d bytes, Raft index %d' % (
            latest['sequence'], where, latest['at'], latest['size'], latest['index'])}

    def lineages(self):
        return [name for name in self.back_end.names(self.prefix) if LINEAGE.match(name)]

    def keep(self, lineage, path, at=None, before=None):
        """Keeps a snapshot: {'result', 'evidence', 'latest', 'conditional'}; result is kept, unchanged or overtaken.

        unchanged: what counts has its Raft index, or `before`, the one that the server had before the job wrote anything itself; overtaken: another writer kept one that is as new meanwhile."""
        fresh = check_snapshot(path)
        with self.back_end.alone():
            return self.keep_fresh(lineage, path, fresh, at, before)

    def outlives(self, folder, tag):
        """Whether latest.json, with another one's claim in it, stays as it is for as long as a claim is waited for."""
        until = time.monotonic() + self.claim_lasts
        while time.monotonic() < until:
            time.sleep(0.2)
            if self.back_end.read(folder + POINTER)[1] != tag:
                return False
        return True

    def claim(self, folder, latest, mine, tag):
        """The tag of latest.json with the claim in it; None where another writer came first. Readers do not heed it."""
        claim = {'by': self.name, 'slot': mine['slot'], 'sequence': mine['sequence'], 'at': now()}
        return self.write_pointer(folder, dict(latest or {}, claim=claim), tag)

    def keep_fresh(self, lineage, path, fresh, at, before):
        folder = self.folder(lineage)
        conditional, mine = None, None
        for attempt in range(TRIES):
            # The slots are listed after the pointer: with a claim that replaces just that pointer, no slot in the list can count by then.
            latest, tag, trouble, claimed = self.pointer(lineage)
            entries = self.back_end.listing(folder)
            if trouble and latest:
                raise StoreError('%s: %s; nothing was written. Move that folder away if it is not wanted' % (
                    self.back_end.where(folder), trouble))
            sound = latest is not None and self.is_sound(lineage, latest, entries, whole=attempt > 0)
            if sound and latest == mine:
                return self.kept('kept', latest, conditional)
            if sound and (latest['index'] >= fresh['index'] if attempt else latest['index'] in (fresh['index'], before)):
                return self.kept('overtaken' if attempt else 'unchanged', latest, conditional)
            if conditional is None:
                conditional = self.back_end.probe(self.prefix)
                if self.back_end.kind == 's3':
                    # It took a while: what was looked at before may be another's by now.
                    continue
            # The directory's lock, and a store that does not heed conditions, make a claim needless and worthless.
            claims = self.back_end.kind == 's3' and conditional
            if claims and claimed not in ('', self.name):
                if not self.outlives(folder, tag):
                    continue
                entries = self.back_end.listing(folder)
            # The slot that is not the last whole one.
            slot = SLOTS[1] if latest and (latest['slot'] == SLOTS[0]) == sound else SLOTS[0]
            mine = {'lineage': lineage, 'sequence': latest['sequence'] + 1 if latest else 1, 'slot': slot, 'sha256': fresh['sha256'],
                    'size': fresh['size'], 'index': fresh['index'], 'at': at or now()}
            if claims:
                tag = self.claim(folder, latest, mine, tag)
                if tag is None:
                    continue
            was = entries.get(slot, (None, 0))[0]
            slot_tag = self.back_end.write_if(folder + slot, path, was)
            if claims and slot_tag is not None and slot_tag == was:
                # The same bytes, the same tag: who stalled behind a claim of old could still write there once they count.
                raise StoreError('%s: %s had these very bytes from a writer whose claim was taken over; take a new snapshot' % (
                    self.back_end.where(folder), slot))
            pointer_tag = self.write_pointer(folder, mine, tag) if slot_tag is not None else None
            if pointer_tag is not None and self.is_mine(lineage, mine, slot_tag, conditional):
                return self.kept('kept', mine, conditional)
            time.sleep(0.05 * 2 ** attempt)
        raise StoreError('%s: other writers came first %d times; see who else writes there' % (self.back_end.where(folder), TRIES))

    def is_sound(self, lineage, latest, entries, whole):
        if not whole:
            return entries.get(latest['slot'], (None, -1))[1] == latest['size']
        with tempfile.TemporaryDirectory(prefix='snapshot-store-') as folder:
            return not self.trouble_of(lineage, latest, entries, os.path.join(folder, 'snapshot'))

    def write_pointer(self, folder, latest, tag):
        with tempfile.NamedTemporaryFile(prefix='snapshot-store-') as source:
            source.write(json.dumps(latest, sort_keys=True).encode('ascii') + b'\n')
            source.flush()
            return self.back_end.write_if(folder + POINTER, source.name, tag)

    def is_mine(self, lineage, mine, slot_tag, conditional):
        """Read back: pointer and slot are what was written; byte by byte where the store does not heed conditions."""
        latest, _tag, _trouble, _claimed = self.pointer(lineage)
        if latest != mine:
            return False
        entries = self.back_end.listing(self.folder(lineage))
        return entries.get(mine['slot'], (None, 0))[0] == slot_tag if conditional else self.is_sound(lineage, mine, entries, True)

    def kept(self, result, latest, conditional):
        words = {'kept': 'kept as snapshot %d in %s', 'unchanged': 'nothing new since snapshot %d in %s',
                 'overtaken': 'another writer kept snapshot %d in %s, which is as new'}
        evidence = words[result] % (latest['sequence'], self.back_end.where(self.folder(latest['lineage'])))
        if conditional is False:
            evidence += '; this store does not heed conditions: lineage, sequence and bytes were read back and compared'
        return {'result': result, 'evidence': evidence, 'latest': latest, 'conditional': conditional}


def open_store(settings):
    """Of settings as the roles write them: kind, prefix, and directory, or url, bucket, region, style, access_key, secret_key, ca."""
    kind = settings.get('kind')
    if kind == 'directory':
        if not os.path.isabs(settings.get('directory') or ''):
            raise StoreError('%s is no absolute path of a directory' % (settings.get('directory') or '(nothing)'))
        back_end = Directory(settings['directory'])
    elif kind == 's3':
        back_end = Bucket(*(str(settings.get(name) or '') for name in ('url', 'bucket', 'region', 'style', 'access_key', 'secret_key', 'ca')),
                          timeout=int(settings.get('timeout') or 600))
    else:
        raise StoreError('%s is no kind of store: directory or s3' % (kind or '(nothing)'))
    return Snapshots(back_end, str(settings.get('prefix') or ''))
