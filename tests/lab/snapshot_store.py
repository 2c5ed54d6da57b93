#!/usr/bin/python3
"""The store of snapshots of the recipe vault, held to what it promises: one case for each name, on each kind of store.

    snapshot_store.py CASE KIND     KIND: directory, loose, versitygw (its program in VERSITYGW)

Run from the top of the checkout. Exit 0: held; anything else is a failure, told on stderr.
"""
import contextlib
import hashlib
import io
import json
import multiprocessing
import os
import secrets
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

sys.dont_write_bytecode = True
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, 'playbooks/vault/roles/vault_common/module_utils'))
import snapshot_file  # noqa: E402
import snapshot_store as store  # noqa: E402

LINEAGE, OTHER = hashlib.sha256(b'one').hexdigest(), hashlib.sha256(b'other').hexdigest()
KEYS = {'access_key': 'AKIA' + secrets.token_hex(8).upper(), 'secret_key': secrets.token_urlsafe(30) + '"\\'}


def snapshot(folder, index, wrong=''):
    """A file as the server makes them, of random bytes and that Raft index. The sum of the part `wrong` is another's."""
    path = os.path.join(folder, 'made-%s' % secrets.token_hex(6))
    parts = {'meta.json': json.dumps({'Index': index, 'Term': 3}).encode(), 'state.bin': secrets.token_bytes(5000)}
    parts['SHA256SUMS'] = b''.join(b'%s  %s\n' % (hashlib.sha256(b'' if name == wrong else data).hexdigest().encode(), name.encode()) for name, data in parts.items())
    with tarfile.open(path, 'w:gz') as archive:
        for name, data in parts.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


@contextlib.contextmanager
def served(folder, argv, environment=None):
    """A service that writes its port to the file `port`, and ends with its stdin."""
    port = os.path.join(folder, 'port')
    child = subprocess.Popen([word.replace('PORT', port) for word in argv], stdin=subprocess.PIPE, env=environment)
    try:
        until = time.monotonic() + 20
        while not os.path.exists(port):
            assert child.poll() is None and time.monotonic() < until, 'the service does not listen'
            time.sleep(0.02)
        with open(port, encoding='ascii') as stream:
            yield int(stream.read())
    finally:
        os.path.exists(port) and os.unlink(port)
        child.stdin.close()
        child.wait(20)


@contextlib.contextmanager
def versitygw(folder):
    """The real one. It says nothing of its port, so the port is looked for first."""
    import socket
    kept = os.path.join(folder, 'versitygw')
    os.makedirs(os.path.join(kept, 'bucket'))
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    environment = dict(os.environ, ROOT_ACCESS_KEY=KEYS['access_key'], ROOT_SECRET_KEY=KEYS['secret_key'])
    with open(os.path.join(folder, 'versitygw.log'), 'wb') as log:
        child = subprocess.Popen([os.environ['VERSITYGW'], '--port', '127.0.0.1:%d' % port, '--quiet', 'posix', kept], env=environment,
                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 30
        while True:
            assert child.poll() is None and time.monotonic() < until, open(os.path.join(folder, 'versitygw.log'), encoding='utf-8').read()
            with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', port), 1):
                break
            time.sleep(0.02)
        yield port
    finally:
        child.terminate()
        child.wait(20)


def bucket_settings(port, **more):
    return dict({'kind': 's3', 'url': 'http://127.0.0.1:%d' % port, 'bucket': 'bucket', 'region': 'us-east-1', 'style': 'path',
                 'prefix': 'vault/snapshots'}, **dict(KEYS, **more))


@contextlib.contextmanager
def kept_in(kind, folder, *options):
    """Settings of an empty store of that kind."""
    if kind == 'directory':
        yield {'kind': 'directory', 'directory': os.path.join(folder, 'store'), 'prefix': ''}
    elif kind == 'loose':
        with served(folder, [sys.executable, os.path.join(TOP, 'tests/lab/s3/loose.py'), 'PORT', *options]) as port:
            yield bucket_settings(port)
    else:
        with versitygw(folder) as port:
            yield bucket_settings(port)


def put(kept, key, data):
    """Whatever is there, by the back end's own means."""
    with tempfile.NamedTemporaryFile() as source:
        source.write(data)
        source.flush()
        folder, name = kept.folder(LINEAGE), key
        tag = kept.back_end.listing(folder).get(name, (None, 0))[0]
        assert kept.back_end.write_if(folder + name, source.name, tag) is not None


def refused(call, *words):
    try:
        got = call()
    except snapshot_file.StoreError as error:
        for word in words:
            assert word in str(error), (word, str(error))
        assert KEYS['secret_key'] not in str(error)
        return
    raise AssertionError('not refused: %r' % (got,))


def what_is_kept_comes_back_and_the_slots_take_turns(kind, folder):
    with kept_in(kind, folder) as settings:
        kept = store.open_store(settings)
        assert kept.look(LINEAGE)['state'] == store.EMPTY and kept.lineages() == []
        for number in range(1, 5):
            path, back = snapshot(folder, 100 + number), os.path.join(folder, 'back')
            done = kept.keep(LINEAGE, path)
            assert done['result'] == 'kept' and done['conditional'], done
            assert done['latest']['sequence'] == number and done['latest']['slot'] == store.SLOTS[1 - number % 2], done
            found = kept.look(LINEAGE, back)
            assert found['state'] == store.COHERENT and found['latest'] == done['latest'], found
            assert snapshot_file.digest(back) == snapshot_file.digest(path)
            assert 'snapshot %d' % number in found['evidence'] and snapshot_file.age(found['latest']['at']) in range(60)
        assert kept.lineages() == [LINEAGE]
        assert sorted(kept.back_end.listing(kept.folder(LINEAGE))) == ['latest.json', 'slot-a', 'slot-b']
        assert kept.look(OTHER)['state'] == store.EMPTY
        kept.keep(OTHER, snapshot(folder, 7))
        assert kept.lineages() == sorted([LINEAGE, OTHER])


def what_has_the_same_raft_index_is_not_written_again(kind, folder):
    with kept_in(kind, folder) as settings:
        kept = store.open_store(settings)
        kept.keep(LINEAGE, snapshot(folder, 5))
        before = kept.back_end.listing(kept.folder(LINEAGE))
        done = kept.keep(LINEAGE, snapshot(folder, 5))
        assert done['result'] == 'unchanged' and kept.back_end.listing(kept.folder(LINEAGE)) == before, done
        # A renewal of the job itself has raised it, and the server had that one before.
        assert kept.keep(LINEAGE, snapshot(folder, 6), before=5)['result'] == 'unchanged'
        assert kept.keep(LINEAGE, snapshot(folder, 6), before=6)['result'] == 'kept'


def write_at_once(settings, path, barrier, told):
    barrier.wait(30)
    try:
        done = store.open_store(settings).keep(LINEAGE, path)
        told.put(done['result'] if done['conditional'] is not False else 'not heeded')
    except Exception as error:  # pylint: disable=broad-except
        told.put('%s: %s' % (type(error).__name__, error))


def of_two_writers_one_wins(kind, folder):
    with kept_in(kind, folder) as settings:
        rounds = 12 if kind == 'directory' else 3
        for index in range(1, rounds + 1):
            barrier, told = multiprocessing.Barrier(2), multiprocessing.Queue()
            paths = [snapshot(folder, index), snapshot(folder, index)]
            writers = [multiprocessing.Process(target=write_at_once, args=(settings, path, barrier, told)) for path in paths]
            for writer in writers:
                writer.start()
            results = sorted(told.get(timeout=60) for _writer in writers)
            for writer in writers:
                writer.join(30)
            # unchanged: it began to look only when the other was through.
            assert results in (['kept', 'overtaken'], ['kept', 'unchanged']), results
            found = store.open_store(settings).look(LINEAGE)
            assert found['state'] == store.COHERENT and found['latest']['index'] == index, found
            # In a bucket the one that won may have had to mend what the other wrote meanwhile.
            assert found['latest']['sequence'] == index or kind != 'directory', found
            assert found['latest']['sha256'] in [snapshot_file.digest(path)[0] for path in paths]


class Meddling:
    """A back end in whose `at`th write another writer comes first (or afterwards)."""

    def __init__(self, back_end, at, meddle, after=False):
        self.back_end, self.at, self.meddle, self.after = back_end, at, meddle, after

    def __getattr__(self, name):
        return getattr(self.back_end, name)

    def write_if(self, key, source, tag):
        self.at -= 1
        if self.at == 0 and not self.after:
            self.meddle()
        done = self.back_end.write_if(key, source, tag)
        if self.at == 0 and self.after:
            self.meddle()
        return done


def a_writer_that_comes_between_leaves_a_coherent_store(kind, folder):
    with kept_in(kind, folder) as settings:
        # A claim is the first write, the slot the second, the pointer the third; whoever comes between takes the claim over.
        for at, after in ((1, False), (1, True), (2, True)):
            for theirs, expected in ((50, 'kept'), (1000, 'overtaken')):
                kept, other = store.open_store(settings), store.open_store(settings)
                kept.prefix = other.prefix = '%s%d%d%d/' % (settings['prefix'], at, after, theirs)
                other.claim_lasts = 0
                kept.keep(LINEAGE, snapshot(folder, 1))
                kept.back_end = Meddling(kept.back_end, at, lambda: other.keep(LINEAGE, snapshot(folder, theirs)), after)
                mine = snapshot(folder, 100)
                done = kept.keep(LINEAGE, mine)
                found = other.look(LINEAGE)
                assert found['state'] == store.COHERENT, (at, after, theirs, done, found)
                assert done['result'] == expected, (at, after, theirs, done)
                assert found['latest']['index'] == max(theirs, 100), found


class CutOff(Exception):
    """The writer is gone, with its power."""


class Stalling:
    """A back end that calls `before` and `after` with the last part of a key around each write, and `looked` after each look at the pointer."""

    def __init__(self, back_end, before=None, after=None, looked=None):
        self.back_end, self.before, self.after, self.looked = back_end, before, after, looked
        self.written = []

    def __getattr__(self, name):
        return getattr(self.back_end, name)

    def read(self, key):
        found = self.back_end.read(key)
        if self.looked and key.endswith('latest.json'):
            self.looked()
        return found

    def write_if(self, key, source, tag):
        name = os.path.basename(key)
        if self.before:
            self.before(name)
        done = self.back_end.write_if(key, source, tag)
        self.written.append(name)
        if self.after:
            self.after(name)
        return done


def keep_and_tell(kept, path, told):
    """For a thread of its own, whose failure nobody else would hear."""
    try:
        told.append(kept.keep(LINEAGE, path)['result'])
    except Exception as error:  # pylint: disable=broad-except
        told.append(repr(error))


def a_writer_that_stalls_before_its_slot_never_spoils_one_that_counts(kind, folder):
    """It has seen the slot that another one filled but not yet that it counts, writes only when it does, and is cut off."""
    with kept_in(kind, folder) as settings:
        for third in (False, True):
            stall_between_look_and_slot(dict(settings, prefix='third-%d' % third), folder, third)


def stall_between_look_and_slot(settings, folder, third):
    first, second, others = [store.open_store(settings) for _writer in range(3)]
    first.keep(LINEAGE, snapshot(folder, 1))
    # Whoever comes takes the other's claim over at once.
    first.claim_lasts = second.claim_lasts = others.claim_lasts = 0
    filled, seen, told = threading.Event(), threading.Event(), []

    def stop_when_filled(name):
        if name == 'slot-b' and not filled.is_set():
            filled.set()
            assert seen.wait(60), 'the second writer never came to its slot'

    first.back_end = Stalling(first.back_end, after=stop_when_filled)
    writer = threading.Thread(target=keep_and_tell, args=(first, snapshot(folder, 100), told))

    def stall(name):
        if name.startswith('slot-'):
            seen.set()
            writer.join(60)
            if third:
                told.append(others.keep(LINEAGE, snapshot(folder, 200))['result'])

    def cut(name):
        if name.startswith('slot-'):
            raise CutOff()

    writer.start()
    try:
        assert filled.wait(60), told
        second.back_end = Stalling(second.back_end, before=stall, after=cut)
        with contextlib.suppress(CutOff):
            second.keep(LINEAGE, snapshot(folder, 50))
    finally:
        seen.set()
        writer.join(60)
    found = others.look(LINEAGE)
    assert found['state'] == store.COHERENT, (told, found)
    # What the first one wrote can no longer count without being in danger, and it says so.
    assert 'take a new snapshot' in told[0] and told[1:] == ['kept'] * third, told
    assert found['latest']['index'] == (200 if third else 1), found


def a_claim_is_waited_for_and_one_that_is_old_is_taken_over(kind, folder):
    with kept_in(kind, folder) as settings:
        # A writer that is cut off behind its claim: readers see what was there, which is nothing at first.
        for index, state in ((1, store.EMPTY), (2, store.COHERENT)):
            lost = store.open_store(settings)
            lost.back_end = Stalling(lost.back_end, after=cut_off)
            try:
                lost.keep(LINEAGE, snapshot(folder, 90 + index))
                raise AssertionError('not cut off')
            except CutOff:
                assert lost.back_end.written == ['latest.json'], lost.back_end.written
            claim = json.loads(lost.back_end.read(lost.folder(LINEAGE) + 'latest.json')[0])['claim']
            assert sorted(claim) == ['at', 'by', 'sequence', 'slot'] and claim['sequence'] == index, claim
            found = lost.look(LINEAGE)
            assert found['state'] == state and found['latest'].get('index', 0) == index - 1 and 'claim' not in found['latest'], found
            # Who comes then sees the claim grow old.
            begun, after = time.monotonic(), store.open_store(settings)
            after.claim_lasts = 1
            assert after.keep(LINEAGE, snapshot(folder, index))['latest']['sequence'] == index
            assert time.monotonic() - begun >= 0.9
            assert b'claim' not in after.back_end.read(after.folder(LINEAGE) + 'latest.json')[0]
        # One that lives: whoever comes second writes nothing as long as it does.
        claimed, looks, told = threading.Event(), threading.Semaphore(0), []
        first, second = store.open_store(settings), store.open_store(settings)

        def stop_when_claimed(name):
            if name == 'latest.json' and not claimed.is_set():
                claimed.set()
                for _look in range(4):
                    assert looks.acquire(timeout=60), 'the second writer does not look again'

        first.back_end = Stalling(first.back_end, after=stop_when_claimed)
        writer = threading.Thread(target=keep_and_tell, args=(first, snapshot(folder, 100), told))
        writer.start()
        try:
            assert claimed.wait(60), told
            second.back_end = Stalling(second.back_end, looked=looks.release)
            done = second.keep(LINEAGE, snapshot(folder, 50))
        finally:
            for _look in range(4):
                looks.release()
            writer.join(60)
        assert told == ['kept'] and done['result'] == 'overtaken' and second.back_end.written == [], (told, done, second.back_end.written)


def a_reader_that_a_writer_overtakes_looks_again(kind, folder):
    with kept_in(kind, folder) as settings:
        kept, other = store.open_store(settings), store.open_store(settings)
        kept.keep(LINEAGE, snapshot(folder, 1))
        listing, writes = kept.back_end.listing, [3, 2]

        def overtaken(key):
            found = listing(key)
            while writes:
                assert other.keep(LINEAGE, snapshot(folder, writes.pop()))['result'] == 'kept'
            return found

        kept.back_end.listing = overtaken
        found = kept.look(LINEAGE)
        assert found['state'] == store.COHERENT and found['latest']['index'] == 3, found


def cut_off(_name):
    raise CutOff()


def a_slot_that_a_slow_writer_spoils_is_written_anew(kind, folder):
    """It was asleep between its look and its write, and the store does not heed its condition."""
    with kept_in(kind, folder) as settings:
        kept, other = store.open_store(settings), store.open_store(settings)
        kept.keep(LINEAGE, snapshot(folder, 1))
        kept.back_end = Meddling(kept.back_end, 3, lambda: put(other, 'slot-b', b'spoilt'), after=True)
        done = kept.keep(LINEAGE, snapshot(folder, 2))
        found = other.look(LINEAGE)
        assert done['result'] == 'kept' and done['latest']['sequence'] == 3, done
        assert found['state'] == store.COHERENT and found['latest'] == done['latest'], found


def what_was_cut_off_harms_nothing(kind, folder):
    with kept_in(kind, folder) as settings:
        kept = store.open_store(settings)
        put(kept, 'slot-a', b'half of the first one')
        found = kept.look(LINEAGE)
        assert found['state'] == store.INCOHERENT and 'slot-a is there, but no latest.json' in found['evidence'], found
        assert kept.keep(LINEAGE, snapshot(folder, 1))['latest']['sequence'] == 1
        put(kept, 'slot-b', b'half of the next one')
        found = kept.look(LINEAGE)
        assert found['state'] == store.COHERENT and found['latest']['sequence'] == 1, found
        assert kept.keep(LINEAGE, snapshot(folder, 2))['latest'] == kept.look(LINEAGE)['latest']
        assert kept.look(LINEAGE)['latest']['slot'] == 'slot-b'


def what_does_not_fit_is_incoherent_and_says_why(kind, folder):
    with kept_in(kind, folder) as settings:
        kept = store.open_store(settings)
        path = snapshot(folder, 1)
        latest = kept.keep(LINEAGE, path)['latest']
        with open(path, 'rb') as stream:
            good = stream.read()
        flipped = bytearray(good)
        flipped[len(good) // 2] ^= 1
        other = dict(latest, sha256=hashlib.sha256(bytes(flipped)).hexdigest())
        rows = (
            ({'slot-a': bytes(flipped)}, 'another SHA-256'),
            ({'slot-a': good[:-1]}, 'bytes, not %d' % len(good)),
            ({'slot-a': bytes(flipped), 'latest.json': json.dumps(other).encode()}, 'slot-a'),
            ({'latest.json': b'{"lineage": '}, 'latest.json cannot be read'),
            ({'latest.json': b''}, 'latest.json cannot be read'),
            ({'latest.json': b'[]'}, 'latest.json cannot be read'),
            ({'latest.json': json.dumps(dict(latest, slot='../x')).encode()}, 'names the slot ../x'),
            ({'latest.json': json.dumps(dict(latest, slot='slot-b')).encode()}, 'slot-b is not there'),
            ({'latest.json': json.dumps(dict(latest, lineage=OTHER)).encode()}, 'is of the lineage ' + OTHER[:16]),
        )
        for files, words in rows:
            for name, data in files.items():
                put(kept, name, data)
            found = kept.look(LINEAGE)
            assert found['state'] == store.INCOHERENT and words in found['evidence'], (words, found)
            put(kept, 'slot-a', good)
            put(kept, 'latest.json', json.dumps(latest).encode())
            assert kept.look(LINEAGE)['state'] == store.COHERENT
        put(kept, 'latest.json', json.dumps(dict(latest, lineage=OTHER)).encode())
        before = kept.back_end.listing(kept.folder(LINEAGE))
        refused(lambda: kept.keep(LINEAGE, snapshot(folder, 2)), 'nothing was written')
        assert kept.back_end.listing(kept.folder(LINEAGE)) == before
        put(kept, 'latest.json', b'{')
        assert kept.keep(LINEAGE, snapshot(folder, 3))['result'] == 'kept' and kept.look(LINEAGE)['state'] == store.COHERENT


def a_damaged_snapshot_is_never_kept(kind, folder):
    with kept_in(kind, folder) as settings:
        kept = store.open_store(settings)
        path = snapshot(folder, 1)
        with open(path, 'rb') as stream:
            good = stream.read()
        others = [open(snapshot(folder, 2, wrong), 'rb').read() for wrong in ('meta.json', 'state.bin')]
        for bad in (*others, b'', b'no archive', good[:-20], good[:len(good) // 2] + b'\0' + good[len(good) // 2 + 1:]):
            with open(path, 'wb') as stream:
                stream.write(bad)
            try:
                kept.keep(LINEAGE, path)
                raise AssertionError('kept: %r' % bad[:20])
            except snapshot_file.DamagedError:
                pass
        assert kept.look(LINEAGE)['state'] == store.EMPTY


def what_cannot_be_asked_is_never_empty(kind, folder):
    if kind == 'directory':
        path = os.path.join(folder, 'store')
        settings = {'kind': 'directory', 'directory': path}
        with open(path, 'wb'):
            pass
        refused(lambda: store.open_store(settings).look(LINEAGE), 'cannot read')
        refused(lambda: store.open_store(settings).lineages(), 'cannot list')
        os.unlink(path)
        os.mkdir(path)
        os.symlink(LINEAGE, os.path.join(path, LINEAGE))
        refused(lambda: store.open_store(settings).look(LINEAGE), 'cannot')
        refused(lambda: store.open_store({'kind': 'directory', 'directory': 'store'}), 'no absolute path')
        refused(lambda: store.open_store(settings).look('../x'), 'is no lineage')
        return
    if kind == 'versitygw':
        with versitygw(folder) as port:
            for more, word in (({'bucket': 'nobodys'}, 'NoSuchBucket'), ({'secret_key': 'wrong'}, 'SignatureDoesNotMatch'),
                               ({'access_key': 'NOBODY'}, '40'), ({'region': 'eu-west-1'}, '400')):
                kept = store.open_store(bucket_settings(port, **more))
                for call in (lambda: kept.look(LINEAGE), kept.lineages, lambda: kept.pointer(LINEAGE), lambda: kept.keep(LINEAGE, snapshot(folder, 1))):
                    refused(call, word)
            assert store.open_store(bucket_settings(port)).look(LINEAGE)['state'] == store.EMPTY
        refused(lambda: store.open_store(bucket_settings(port)).look(LINEAGE), 'no answer')
        return
    for answer in ('404:NoSuchBucket', '404:', '404:XAdminUserNotFound', '403:AccessDenied', '403:', '400:', '301:PermanentRedirect', '500:', '200:', '204:'):
        with kept_in(kind, folder, '--refuse', answer) as settings:
            kept = store.open_store(settings)
            refused(lambda: kept.look(LINEAGE), answer.partition(':')[2])
            if answer[:3] in ('404', '204'):
                refused(kept.lineages)
            if answer[:3] in ('404', '403'):
                refused(lambda: kept.pointer(LINEAGE), answer.partition(':')[0])


def a_store_that_does_not_heed_conditions_is_found_and_said(kind, folder):
    with kept_in(kind, folder, '--ignore-conditions') as settings:
        kept = store.open_store(settings)
        done = kept.keep(LINEAGE, snapshot(folder, 1))
        assert done['result'] == 'kept' and done['conditional'] is False and 'does not heed conditions' in done['evidence'], done
        assert kept.back_end.listing(kept.prefix + 'probe/') == {}
        for at in (2, 3):
            other = store.open_store(settings)
            kept.back_end = Meddling(store.open_store(settings).back_end, at - 1, lambda: other.keep(LINEAGE, snapshot(folder, at * 10)), after=True)
            done = kept.keep(LINEAGE, snapshot(folder, at * 10 - 1))
            found = other.look(LINEAGE)
            assert found['state'] == store.COHERENT and found['latest'] == done['latest'], (done, found)


def an_absent_object_is_404_or_412_and_409_is_tried_again(kind, folder):
    for options in (['--absent-is-404'], [], ['--conflicts', '3']):
        with kept_in(kind, folder, *options) as settings:
            kept = store.open_store(settings)
            if '--conflicts' not in options:
                assert kept.back_end.write_if(kept.folder(LINEAGE) + 'slot-a', __file__, '"none"') is None
            done = kept.keep(LINEAGE, snapshot(folder, 1))
            assert done['result'] == 'kept' and done['conditional'], done


def credentials_stand_on_no_command_line_and_in_no_environment(kind, folder):
    shim, log = os.path.join(folder, 'bin'), os.path.join(folder, 'log')
    os.mkdir(shim)
    with open(os.path.join(shim, 'curl'), 'w', encoding='ascii') as script:
        script.write('#!/bin/sh\n{ printf "%%s\\n" "$@"; tr "\\0" "\\n" </proc/self/environ; ls /tmp; } >>%s\nexec %s "$@"\n' % (log, shutil.which('curl')))
    os.chmod(os.path.join(shim, 'curl'), 0o755)
    with kept_in(kind, folder) as settings:
        os.environ['PATH'] = shim + ':' + os.environ['PATH']
        assert store.open_store(settings).keep(LINEAGE, snapshot(folder, 1))['result'] == 'kept'
        with open(log, encoding='utf-8') as stream:
            said = stream.read()
        assert '--config\n-\n' in said, said
        assert KEYS['secret_key'] not in said and KEYS['access_key'] not in said


def the_token_is_renewed_only_below_half_of_its_period(_kind, _folder):
    sys.path.insert(0, os.path.join(TOP, 'playbooks/vault/roles/vault_snapshots/files'))
    import snapshot_take

    class Server:
        """Whatever is asked is written down."""

        def __init__(self, ttl):
            self.asked, self.ttl = [], ttl

        def call(self, method, path, _token=''):
            self.asked.append((method, path))
            return 200, {'data': {'ttl': self.ttl, 'period': 1000}}

    look, renewal = ('GET', '/v1/auth/token/lookup-self'), ('PUT', '/v1/auth/token/renew-self')
    for ttl, asked in ((1000, [look]), (500, [look]), (499, [look, renewal]), (1, [look, renewal])):
        server = Server(ttl)
        assert snapshot_take.renew(server, 'token') == (len(asked) == 2) and server.asked == asked, (ttl, server.asked)


def main():
    case, kind = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix='snapshot-cases-') as folder:
        globals()[case](kind, folder)


if __name__ == '__main__':
    main()
