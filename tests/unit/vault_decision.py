#!/usr/bin/python3
"""Holds the table by which the recipe `vault` decides, and the looks that lead to it, without a host: each case is named by what it promises."""
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, 'playbooks/vault/roles/vault_converge/module_utils'))
import vault_decision as v  # noqa: E402

# Written down apart from the table that is tested, in the words of whoever operates it.
STOPS_BY_KEYS, STOPS_BY_HOST = 'keys-incoherent', 'host-incoherent'
EXPECTED = {
    '000': 'fresh-init', '001': 'store-without-keys', '002': 'store-without-keys',
    '010': 'host-without-keys', '011': 'host-without-keys', '012': 'host-without-keys',
    '020': STOPS_BY_HOST, '021': STOPS_BY_HOST, '022': STOPS_BY_HOST,
    '100': 'nothing-to-restore', '101': 'restore', '102': 'nothing-sound-to-restore',
    '110': 'initialise-store', '111': 'go-on', '112': 'repair-store',
    '120': STOPS_BY_HOST, '121': STOPS_BY_HOST, '122': STOPS_BY_HOST,
    '200': STOPS_BY_KEYS, '201': STOPS_BY_KEYS, '202': STOPS_BY_KEYS,
    '210': STOPS_BY_KEYS, '211': STOPS_BY_KEYS, '212': STOPS_BY_KEYS,
    '220': STOPS_BY_KEYS, '221': STOPS_BY_KEYS, '222': STOPS_BY_KEYS,
}
SHARES = ['AAAA', 'BBBB', 'CCCC']
OURS, OTHER = v.lineage_of(SHARES), 'f' * 64


def part(state, lineage=OURS, **more):
    return dict({'state': state, 'evidence': 'seen', 'lineage': lineage if state else '', 'staged': '', 'mend': 'mend it by hand'}, **more)


def decided(t, h, s, asked='', **parts):
    return v.decide(parts.get('keys') or part(t), parts.get('host') or part(h), parts.get('store') or part(s), '/kept', asked)


def look(**more):
    return dict({'receipt': {}, 'data': False, 'staged': '', 'staged_lineage': '', 'api': {'answers': False, 'initialized': False}}, **more)


def host_state(**more):
    found = v.look_at_host(look(**more), '/state')
    return found['state'], found['staged']


def each_of_the_27_has_the_action_that_is_written_down():
    assert len(v.TABLE) == len(EXPECTED) == 27
    for figures, expected in EXPECTED.items():
        got = decided(*map(int, figures))
        assert (got['reason'] if got['action'] == 'stop' else got['action']) == expected, (figures, got)


def nothing_goes_on_where_anything_kept_or_on_the_host_is_incoherent():
    for (t, h, _s), (action, _reason) in v.TABLE.items():
        assert action == 'stop' or (t < 2 and h < 2), (t, h)


def each_stop_says_what_a_person_can_do_and_how_to_begin_anew_where_that_leads_on():
    for t, h, s in v.TABLE:
        got = decided(t, h, s)
        if got['action'] != 'stop':
            continue
        assert len(got['text']) > 20 and len(got['advice']) > 10 and '{' not in got['text'] + got['advice'], got
        knows = t or s
        assert ('vault_begin_anew=' + OURS in got['advice']) == bool(knows and got['reason'] not in v.NO_WAY_ON), (t, h, s, got)


def a_host_of_another_lineage_is_refused():
    got = decided(1, 1, 1, host=part(1, OTHER))
    assert got['reason'] == 'other-lineage', got


def an_initialisation_that_was_cut_off_goes_on_where_its_shares_are_kept_or_nothing_is():
    staged = part(0, staged=OURS)
    for s in range(3):
        assert decided(0, 0, s, host=staged)['action'] == 'finish-init'
        assert decided(1, 0, s, host=staged)['action'] == 'finish-init'
        assert decided(1, 0, s, host=part(0, staged=OTHER))['reason'] == 'other-staged'
        assert decided(2, 0, s, host=staged)['reason'] == STOPS_BY_KEYS


def a_restore_that_was_cut_off_begins_again_and_is_never_begun_with():
    torn = part(0, restoring=True)
    assert v.look_at_host(look(data=True, restoring=True))['restoring']
    assert decided(1, 0, 1, host=torn)['action'] == 'restore'
    assert decided(0, 0, 0, host=torn)['reason'] == 'restoring-without-keys'
    assert decided(1, 0, 0, host=torn)['reason'] == 'nothing-to-restore'


def beginning_anew_is_for_the_lineage_that_is_named_and_an_empty_host():
    assert decided(1, 0, 0, OURS)['action'] == 'begin-anew'
    assert decided(1, 0, 1, OURS[:16])['action'] == 'begin-anew'
    assert decided(0, 0, 1, OURS)['action'] == 'begin-anew'
    assert decided(2, 0, 0, OURS)['action'] == 'begin-anew'
    assert decided(2, 0, 0, v.UNREADABLE, keys=part(2, ''))['action'] == 'begin-anew'
    assert decided(1, 0, 0, OURS[:15])['reason'] == 'anew-other'
    assert decided(1, 0, 0, OTHER)['reason'] == 'anew-other'
    for s in range(3):
        assert decided(1, 1, s, OURS)['reason'] == 'anew-with-host'
    assert decided(2, 1, 1, OURS)['reason'] == 'anew-with-host'
    assert decided(1, 0, 0, OURS, host=part(0, staged=OURS))['reason'] == 'anew-with-host'
    assert decided(1, 0, 1, OURS, host=part(0, restoring=True))['reason'] == 'anew-with-host'


def what_was_given_up_already_does_not_stop_the_life_that_came_after_it():
    for figures, action in (('000', 'fresh-init'), ('110', 'initialise-store'), ('111', 'go-on'), ('112', 'repair-store'), ('101', 'restore')):
        assert decided(*map(int, figures), OTHER)['action'] == action


def the_host_is_judged_by_receipt_data_and_staging():
    receipt = {'lineage': OURS}
    assert host_state() == (0, '')
    assert host_state(data=True) == (2, '')
    assert host_state(receipt=receipt, data=True) == (1, '')
    assert host_state(receipt=receipt) == (2, '')
    assert host_state(receipt={'broken': True}, data=True) == (2, '')
    assert host_state(receipt={'shares': 3}, data=True) == (2, '')
    assert host_state(data=True, staged='whole', staged_lineage=OURS) == (0, OURS)
    assert host_state(staged='whole', staged_lineage=OURS) == (2, '')
    assert host_state(data=True, staged='broken') == (2, '')
    assert host_state(staged='broken') == (0, '')
    assert host_state(receipt=receipt, data=True, staged='whole', staged_lineage=OURS) == (1, '')
    assert host_state(receipt=receipt, data=True, staged='whole', staged_lineage=OTHER) == (2, '')
    assert host_state(data=True, restoring=True) == (0, '')
    assert host_state(receipt=receipt, data=True, restoring=True) == (1, '')
    # A server that answers knows better than what its file looks like.
    assert host_state(data=True, api={'answers': True, 'initialized': False}) == (0, '')


def what_is_kept_is_judged_by_its_own_sums():
    with tempfile.TemporaryDirectory() as keep:
        def put(name, value):
            with open(os.path.join(keep, name), 'w', encoding='utf-8') as out:
                out.write(value if isinstance(value, str) else json.dumps(value))

        def state():
            return v.look_at_keys(keep)['state']

        good = {'lineage': OURS, 'host': 'vault', 'threshold': 2, 'keys_base64': SHARES}
        assert state() == 0
        put('ca.crt', 'is there before any initialisation')
        assert state() == 0
        put('init.json', good)
        assert v.look_at_keys(keep) == {'state': 1, 'evidence': '3 shares of lineage ' + OURS[:16], 'lineage': OURS}
        for wrong in ('', '{', '[]', '{}', dict(good, keys_base64=[]), dict(good, keys_base64=SHARES[:2]), dict(good, lineage=OTHER),
                      dict(good, threshold=4), dict(good, threshold='many'), dict(good, keys_base64='AAAA')):
            put('init.json', wrong)
            assert state() == 2, wrong
        put('init.json', good)
        put('receipt.json', {'lineage': OURS})
        put('tokens.json', {'lineage': OURS})
        assert state() == 1
        put('tokens.json', {'lineage': OTHER})
        assert state() == 2
        put('tokens.json', '{')
        assert state() == 2
        os.unlink(os.path.join(keep, 'tokens.json'))
        os.unlink(os.path.join(keep, 'init.json'))
        assert state() == 2


def the_store_counts_for_its_own_lineage_and_not_where_it_was_moved_aside():
    def found(keys, aside=(), **lineages):
        return v.look_at_store({'lineages': {name: {'state': state, 'evidence': 'x', 'latest': {}} for name, state in lineages.items()}}, keys, aside)['state']

    assert found(part(1), **{OURS: 1, OTHER: 2}) == 1
    assert found(part(1), **{OTHER: 1}) == 0
    assert found(part(0), **{OTHER: 1}) == 1
    assert found(part(0), **{OURS: 1, OTHER: 2}) == 2
    assert found(part(0), (OTHER,), **{OTHER: 2}) == 0
    assert v.look_at_store({}, part(0))['state'] == 0


if __name__ == '__main__':
    for name in sys.argv[1:]:
        globals()[name]()
