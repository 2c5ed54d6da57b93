# SPDX-License-Identifier: MIT
"""What to do with a server, from three looks: T, what the operator keeps; H, the host; S, the store of snapshots. Nothing here touches anything.

Each is 0 (empty), 1 (coherent) or 2 (incoherent). TABLE has a row for each of the 27; what the figures cannot tell (whose lineage each is, and an
initialisation that was cut off) is asked behind it. Whatever is in doubt is `stop`.
"""
from __future__ import annotations

import hashlib
import json
import os

EMPTY, COHERENT, INCOHERENT = 0, 1, 2

# T, H, S: what is done, and why it is not.
TABLE = {
    (0, 0, 0): ('fresh-init', ''),
    (0, 0, 1): ('stop', 'store-without-keys'),
    (0, 0, 2): ('stop', 'store-without-keys'),
    (0, 1, 0): ('stop', 'host-without-keys'),
    (0, 1, 1): ('stop', 'host-without-keys'),
    (0, 1, 2): ('stop', 'host-without-keys'),
    (0, 2, 0): ('stop', 'host-incoherent'),
    (0, 2, 1): ('stop', 'host-incoherent'),
    (0, 2, 2): ('stop', 'host-incoherent'),
    (1, 0, 0): ('stop', 'nothing-to-restore'),
    (1, 0, 1): ('restore', ''),
    (1, 0, 2): ('stop', 'nothing-sound-to-restore'),
    (1, 1, 0): ('initialise-store', ''),
    (1, 1, 1): ('go-on', ''),
    (1, 1, 2): ('repair-store', ''),
    (1, 2, 0): ('stop', 'host-incoherent'),
    (1, 2, 1): ('stop', 'host-incoherent'),
    (1, 2, 2): ('stop', 'host-incoherent'),
    (2, 0, 0): ('stop', 'keys-incoherent'),
    (2, 0, 1): ('stop', 'keys-incoherent'),
    (2, 0, 2): ('stop', 'keys-incoherent'),
    (2, 1, 0): ('stop', 'keys-incoherent'),
    (2, 1, 1): ('stop', 'keys-incoherent'),
    (2, 1, 2): ('stop', 'keys-incoherent'),
    (2, 2, 0): ('stop', 'keys-incoherent'),
    (2, 2, 1): ('stop', 'keys-incoherent'),
    (2, 2, 2): ('stop', 'keys-incoherent'),
}

# Why, and what a person can do. BEGIN_ANEW is said where it leads on.
REASONS = {
    'store-without-keys': (
        'the store has snapshots, but the shares that open them are not in {keep}',
        'Put that folder back from a copy, or run this from the execution host that has it.'),
    'host-without-keys': (
        'the host was initialised, but its shares are not in {keep}',
        'Put that folder back from a copy, or run this from the execution host that has it.'),
    'host-incoherent': (
        'what lies on the host does not fit together: {host}',
        '{mend}'),
    'nothing-to-restore': (
        'shares are kept in {keep}, but the host has no data and the store no snapshot of them',
        'Bring back the host that they belong to, or the store.'),
    'nothing-sound-to-restore': (
        'the host has no data, and what the store has is no sound snapshot: {store}',
        'Mend the store, or put an older snapshot back.'),
    'restoring-without-keys': (
        'the host has {host}, and neither shares nor a snapshot are there to begin it again',
        'Put back {keep} and the store, or make the host anew.'),
    'keys-incoherent': (
        'what is kept in {keep} does not fit together: {keys}',
        'Put that folder back from a copy; nothing in it was changed.'),
    'other-lineage': (
        'the host and what is kept in {keep} are not of the same initialisation: {host}; {keys}',
        'Put back the folder that belongs to this host, or make the host anew.'),
    'other-staged': (
        '{keep} does not hold the shares that are staged on the host: {host}; {keys}',
        'Put back the folder that belongs to this host; if the staged shares are worth nothing, make the host anew.'),
    'anew-with-host': (
        'vault_begin_anew was given, but the host still has what it would begin with: {host}',
        'Make the host anew first (triphase destroy, then triphase create with vault_begin_anew). Nothing was moved.'),
    'anew-other': (
        'vault_begin_anew names {asked}, which is neither kept in {keep} nor in the store: {keys}; {store}',
        'Give the lineage that is to be given up, or leave it out. Nothing was moved.'),
}
BEGIN_ANEW = 'To give up what is there and begin anew on a new host: -e vault_begin_anew={lineage}'
NO_WAY_ON = ('host-without-keys', 'other-lineage', 'other-staged', 'anew-with-host', 'anew-other')
UNREADABLE = 'unreadable'


def lineage_of(shares):
    return hashlib.sha256(','.join(shares).encode('utf-8')).hexdigest()


def short(lineage):
    return (lineage or '?')[:16]


def read_object(path):
    """(object, ''); (None, '') where there is no file; (None, why) where it holds no object."""
    try:
        with open(path, 'rb') as stream:
            value = json.loads(stream.read(1 << 20))
    except FileNotFoundError:
        return None, ''
    except (OSError, ValueError) as error:
        return None, '%s cannot be read (%s)' % (os.path.basename(path), type(error).__name__)
    return (value, '') if isinstance(value, dict) else (None, '%s is no object' % os.path.basename(path))


def look_at_keys(keep):
    """T: {'state', 'evidence', 'lineage'} of a folder on this machine."""
    def said(state, evidence, lineage=''):
        return {'state': state, 'evidence': evidence, 'lineage': lineage}

    init, wrong = read_object(os.path.join(keep, 'init.json'))
    if wrong:
        return said(INCOHERENT, wrong)
    if init is None:
        left = [name for name in ('admin.token', 'receipt.json', 'tokens.json') if os.path.lexists(os.path.join(keep, name))]
        return said(INCOHERENT, 'init.json is gone, but there is ' + ', '.join(left)) if left else said(EMPTY, 'nothing is kept')
    shares, threshold = init.get('keys_base64'), init.get('threshold')
    if not isinstance(shares, list) or not shares or not all(isinstance(share, str) and share for share in shares):
        return said(INCOHERENT, 'init.json has no shares')
    if not str(threshold).isdigit() or not 0 < int(threshold) <= len(shares):
        return said(INCOHERENT, 'init.json has %d shares and a threshold of %s' % (len(shares), threshold))
    lineage = lineage_of(shares)
    if init.get('lineage') != lineage:
        return said(INCOHERENT, 'the shares in init.json are not those of its lineage %s' % short(init.get('lineage')))
    for name in ('receipt.json', 'tokens.json'):
        other, wrong = read_object(os.path.join(keep, name))
        if wrong:
            return said(INCOHERENT, wrong, lineage)
        if other is not None and other.get('lineage', lineage) != lineage:
            return said(INCOHERENT, '%s is of lineage %s, init.json of %s' % (name, short(other['lineage']), short(lineage)), lineage)
    return said(COHERENT, '%d shares of lineage %s' % (len(shares), short(lineage)), lineage)


def look_at_host(look, state_dir='the state folder'):
    """H from what openbao_info saw: {'state', 'evidence', 'lineage', 'staged', 'mend', 'restoring'}. Staged shares without a receipt are an
    initialisation that was cut off, which goes on: that is empty (0) with `staged`; so is a restore that was cut off, with `restoring`."""
    receipt, staged = look.get('receipt') or {}, look.get('staged') or ''
    data = look['api']['initialized'] if look['api']['answers'] else look['data']
    lineage = str(receipt.get('lineage') or '')

    def said(state, evidence, mend='', begun='', restoring=False):
        return {'state': state, 'evidence': evidence, 'lineage': lineage or begun, 'staged': begun, 'mend': mend, 'restoring': restoring}

    if receipt.get('broken') or (receipt and not lineage):
        return said(INCOHERENT, 'the receipt %s/receipt.json cannot be read' % state_dir,
                    'Put the right one back (receipt.json of what the operator keeps is a copy), or make the host anew.')
    if receipt and not data:
        return said(INCOHERENT, 'there is a receipt of lineage %s, but the data in %s/data is gone' % (short(lineage), state_dir),
                    'Move %s/receipt.json away to have it restored, or put the data back.' % state_dir)
    if receipt:
        if staged == 'whole' and look.get('staged_lineage') != lineage:
            return said(INCOHERENT, 'a receipt of lineage %s beside staged shares of %s' % (short(lineage), short(look.get('staged_lineage'))),
                        'Keep %s/bootstrap/init.json safe elsewhere, then move it away.' % state_dir)
        return said(COHERENT, 'initialised, a receipt of lineage %s' % short(lineage))
    if look.get('restoring'):
        return said(EMPTY, 'a restore that was cut off, whose data is worth nothing yet', restoring=True)
    if staged == 'whole' and data:
        return said(EMPTY, 'an initialisation that was cut off, with staged shares of lineage %s' % short(look.get('staged_lineage')),
                    begun=str(look.get('staged_lineage')))
    if staged == 'whole':
        return said(INCOHERENT, 'shares of lineage %s are staged, but the data in %s/data is gone' % (short(look.get('staged_lineage')), state_dir),
                    'Move %s/bootstrap/init.json away to begin anew, or put the data back.' % state_dir)
    if data and staged:
        return said(INCOHERENT, 'the initialisation was cut off while its shares were written: they are lost and nothing can unseal this data',
                    'Nothing was ever written into it: stop the server, empty %s/data and run this phase again, or make the host anew.' % state_dir)
    if data:
        return said(INCOHERENT, 'there is initialised data in %s/data, but no receipt of an initialisation by this playbook' % state_dir,
                    'Put back %s/receipt.json if it was lost (receipt.json of what the operator keeps is a copy), or move the data away.' % state_dir)
    return said(EMPTY, 'never initialised')


def look_at_store(found, keys, aside=()):
    """S from what snapshot_store_info found: for what is kept its own lineage alone counts, else whatever is there and was not moved aside."""
    lineages = {name: entry for name, entry in (found.get('lineages') or {}).items()
                if not any(name.startswith(gone) for gone in aside if gone)}
    if keys['lineage']:
        lineages = {name: entry for name, entry in lineages.items() if name == keys['lineage']}
    name, worst = max(lineages.items(), key=lambda entry: entry[1].get('state', INCOHERENT), default=('', None))
    if worst is None or worst.get('state') == EMPTY:
        return {'state': EMPTY, 'evidence': 'no snapshot', 'lineage': ''}
    return {'state': worst.get('state', INCOHERENT), 'lineage': name,
            'evidence': '%s (lineage %s)' % (worst.get('evidence') or 'a snapshot', short(name))}


def fits(asked, lineage):
    return bool(lineage) and len(asked) >= 16 and lineage.startswith(asked)


def to_give_up(keys, store):
    """What vault_begin_anew would be given."""
    return keys['lineage'] or store['lineage'] or (UNREADABLE if keys['state'] == INCOHERENT else '')


def decide(keys, host, store, keep='', asked=''):
    """{'action', 'reason', 'text', 'advice'}; action is fresh-init, finish-init, restore, go-on, initialise-store, repair-store, begin-anew, stop."""
    states = (keys['state'], host['state'], store['state'])
    action, reason = TABLE[states]
    staged = host['staged']
    if keys['state'] != INCOHERENT and staged:
        # Before anything else the only copy of shares is saved, whatever the store has.
        action, reason = ('finish-init', '') if keys['state'] == EMPTY or keys['lineage'] == staged else ('stop', 'other-staged')
    elif states[:2] == (COHERENT, COHERENT) and keys['lineage'] != host['lineage']:
        action, reason = 'stop', 'other-lineage'
    if action == 'fresh-init' and host.get('restoring'):
        action, reason = 'stop', 'restoring-without-keys'
    if asked and action != 'fresh-init':
        given_up = to_give_up(keys, store)
        if not (asked == given_up or fits(asked, given_up)):
            # It stays in a target's vars: what it named is aside already, and another life goes on.
            if action == 'stop':
                action, reason = 'stop', 'anew-other'
        elif host['state'] != EMPTY or staged or host.get('restoring'):
            action, reason = 'stop', 'anew-with-host'
        else:
            action, reason = 'begin-anew', ''
    if action != 'stop':
        return {'action': action, 'reason': '', 'text': '', 'advice': ''}
    words = {'keep': keep or 'the operator\'s folder', 'keys': keys['evidence'], 'host': host['evidence'], 'store': store['evidence'],
             'mend': host.get('mend', ''), 'asked': asked}
    text, advice = (part.format(**words) for part in REASONS[reason])
    lineage = to_give_up(keys, store)
    if reason not in NO_WAY_ON and lineage:
        advice = '%s %s' % (advice, BEGIN_ANEW.format(lineage=lineage))
    return {'action': 'stop', 'reason': reason, 'text': text, 'advice': advice}
