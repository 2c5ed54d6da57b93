#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A project whose playbook tells random secrets, quoted by real programs, wherever a playbook can tell something, and the search for what is left of them.

    secret_project.py make FOLDER SEED CASES    adds to the project in FOLDER: secrets, vaulted values, CASES texts for each place, a playbook
    secret_project.py check FOLDER TOLD         no piece of a secret may be in .triphase (but in the logs of phases) or below TOLD

A secret is words of random letters and digits with anything between them: no quoting changes those words, so that seven characters of one, or eight digits of its base64,
that are found anywhere have been left there.
"""
import base64
import json
import os
import random
import re
import subprocess
import sys

from ansible.parsing.vault import VaultLib, VaultSecret

import quoters

LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'
BETWEEN = list('\'"\\$`!#&*()[]{}<>|;:,.?/@%^+=~_- \n\t') + [
    '\\n', '\\x5c', '%25', '%n', '&amp;', "'\"'", ' \\ ', '\u00e4', '\u00f6', '\u20ac', '\U0001f600', '\u00a0', '\u2028', '\x1b', '\x7f', '\r\n', '  ']
WORD_WINDOW, BASE64_WINDOW = 7, 8
TOGETHER = 8  # cases in one name or message
OUTPUT_MOST = 150  # in one command's output: a line of a log has 1 MiB
SECRETS_MOST, VAULTED_EACH = 100, 4
VAULT_PASSWORD = 'pw-of-test'
MARKER = re.compile(rb'\[REDACTED (?:secret|vaulted) (s[0-9]+)\]')
PLAY = """- hosts: recipe_work
  gather_facts: false
  vars_files: [vars/cases.yml]
  tasks:
"""


def secret(chance):
    parts = []
    for number in range(chance.choice((1, 2, 3, 4))):
        if number:
            parts += [chance.choice(BETWEEN) for _ in range(chance.choice((1, 1, 2, 4)))]
        parts.append(''.join(chance.choice(LETTERS) for _ in range(chance.choice((8, 10, 14)))))
    text = ''.join(parts)
    # What Jinja would take for a template of its own is no matter of quoting.
    return text if not re.search(r'\{[{%#]|[%#}]\}', text) else secret(chance)


def case(chance, value):
    """The secret between two words, quoted once or twice; base64 is of the value alone."""
    how = [name for name in quoters.QUOTERS if name not in quoters.SLOW or chance.random() < 0.2]
    text = '%s %s %s' % (quoters.PREFIX, value, quoters.SUFFIX)
    if chance.random() < 0.15:
        text = quoters.BASE64[chance.choice(sorted(quoters.BASE64))](value)
        how = [name for name in how if name != 'html'] if chance.random() < 0.5 else []
    for _ in range(min(len(how), chance.choice((1, 2)))):
        name = chance.choice(how)
        try:
            text = str(quoters.QUOTERS[name](text))
        except (UnicodeError, subprocess.CalledProcessError):
            continue
        if name == 'html':  # a page is not quoted any further
            break
    return text.replace('\0', '')


def as_yaml(text):
    """Whatever reads YAML reads this as that text, and templates nothing of it."""
    return '!unsafe "%s"' % ''.join(
        c if ' ' <= c <= '~' and c not in '"\\' else '\\U%08x' % ord(c) for c in text)


def packed(texts):
    return [' | '.join(texts[at:at + TOGETHER]) for at in range(0, len(texts), TOGETHER)]


def write(folder, path, text):
    path = os.path.join(folder, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8', errors='surrogateescape', newline='') as stream:
        stream.write(text)


def make(folder, seed, count):
    chance = random.Random(seed)
    values = {'s%d' % number: secret(chance) for number in range(min(SECRETS_MOST, count))}
    vaulted = [name for number, name in enumerate(values) if number % VAULTED_EACH == VAULTED_EACH - 1]
    vault = VaultLib([('default', VaultSecret(VAULT_PASSWORD.encode()))])
    lines = ['    secrets:']
    for name, value in values.items():
        if name not in vaulted:
            write(folder, 'given/' + name, value)
            lines.append('      %s: {file: given/%s}' % (name, name))
    write(folder, 'given/vault', VAULT_PASSWORD)
    lines.append('    vault_passwords:\n      default: {file: given/vault}\n')
    with open(os.path.join(folder, 'triphase.yml'), 'a', encoding='utf-8') as stream:
        stream.write('\n'.join(lines))
    write(folder, 'playbooks/group_vars/all.yml', ''.join('%s: !vault |\n  %s\n' % (
        name, vault.encrypt(values[name]).decode().strip().replace('\n', '\n  ')) for name in vaulted))

    names = list(values)

    def cases(most):
        return [case(chance, values[names[number % len(names)]]) for number in range(most)]

    places = {'names': packed(cases(count)), 'messages': packed(cases(count)), 'printed': cases(count)}
    write(folder, 'playbooks/vars/cases.yml', ''.join('%s:\n%s' % (place, ''.join('  - %s\n' % as_yaml(text) for text in texts))
                                       for place, texts in places.items()))
    output = cases(min(count, OUTPUT_MOST))
    write(folder, 'output.txt', '\n'.join(output) + '\n')
    tasks = ['    - name: "{{ names[%d] }}"\n      ansible.builtin.debug: {msg: x}\n' % number for number in range(len(places['names']))]
    tasks += ['    - name: fails\n      ansible.builtin.fail: {msg: "{{ messages[%d] }}"}\n      ignore_errors: true\n' % number
              for number in range(len(places['messages']) - 1)]
    tasks += ['    - name: prints\n      ansible.builtin.debug: {msg: "{{ item }}"}\n      loop: "{{ printed }}"\n',
              '    - name: runs\n      ansible.builtin.command: {argv: [sh, -c, "cat $0; cat $0 >&2; exit 3", "%s/output.txt"]}\n'
              '      changed_when: false\n      ignore_errors: true\n' % os.path.abspath(folder)]
    for quote in ('quote', 'to_json', 'to_yaml', 'to_nice_yaml(width=20)', 'b64encode', 'urlencode', 'to_json | quote', 'regex_escape'):
        tasks.append('    - name: quotes\n      ansible.builtin.debug: {msg: "{{ lookup(\'ansible.builtin.vars\', item) | %s }}"}\n'
                     '      loop: %s\n' % (quote, json.dumps(names)))
    tasks.append('    - name: fails at last\n      ansible.builtin.fail: {msg: "{{ messages[-1] }}"}\n')
    write(folder, 'playbooks/work.yml', PLAY + ''.join(tasks))
    write(folder, 'secrets.json', json.dumps({'values': values, 'vaulted': vaulted,
                                              'cases': 3 * count + len(output), 'filtered': 8 * len(names)}))


def digits(value):
    """What the base64 of it must be made of, wherever it begins in a group of three."""
    raw = value.encode('utf-8')
    for before in range(3):
        behind = -(before + len(raw)) % 3
        text = base64.b64encode(b'\0' * before + raw + b'\0' * behind).decode('ascii')
        yield text[(8 * before + 5) // 6:8 * (before + len(raw)) // 6]


def windows(values):
    """{piece: name}, by length."""
    words, coded = {}, {}
    for name, value in values.items():
        for word in re.findall('[A-Za-z0-9]{%d,}' % WORD_WINDOW, value):
            words.update((word[at:at + WORD_WINDOW].encode(), name) for at in range(len(word) - WORD_WINDOW + 1))
        for text in digits(value):
            pieces = (text[at:at + BASE64_WINDOW].encode() for at in range(len(text) - BASE64_WINDOW + 1))
            # Of "aaaa…" or blanks base64 is not the secret's alone.
            coded.update((piece, name) for piece in pieces if len(set(piece)) > 4)
    return (WORD_WINDOW, words), (BASE64_WINDOW, coded)


def found_in(content, pieces):
    """(name, offset) of each stretch that is a secret's."""
    for length, table in pieces:
        behind = 0
        for at in range(len(content) - length + 1):
            name = table.get(content[at:at + length])
            if name and at > behind:
                yield name, at
            if name:
                behind = at + length


def files(*folders):
    for folder in folders:
        for place, _folders, names in os.walk(folder):
            for name in sorted(names):
                yield os.path.join(place, name)


def check(folder, told):
    with open(os.path.join(folder, 'secrets.json'), encoding='utf-8') as stream:
        made = json.load(stream)
    values = made['values']
    everything = windows(values)
    # attach knows of a run that is over what can still be read from files: SECURITY.md.
    given = windows({name: value for name, value in values.items() if name not in made['vaulted']})
    state = os.path.join(folder, '.triphase')
    wrong, markers, said = 0, {}, set()
    for path in files(state, told):
        with open(path, 'rb') as stream:
            content = stream.read()
        name = os.path.basename(path)
        if path.startswith(state) and re.fullmatch(r'[0-9]+-work\.[0-9]+\.log', name):
            said.update(name for name, at in found_in(content, everything))
            continue
        markers[os.path.relpath(path, folder)] = len(MARKER.findall(content))
        for secret_name, at in found_in(content, given if name.startswith('attach') else everything):
            wrong += 1
            if wrong <= 10:
                print('%s tells of %s %r at %d: %r' % (path, secret_name, values[secret_name], at, content[max(0, at - 300):at + 200]))
    if said != set(values):
        wrong += 1
        print('the playbook did not tell of: %s' % ', '.join(sorted(set(values) - said)))

    def least(part, number):
        nonlocal wrong
        there = sum(many for path, many in markers.items() if re.search(part, path))
        if there < number:
            wrong += 1
            print('%s: %d redactions, not %d' % (part, there, number))

    # Names and messages are cut, the rest of them is in the log.
    least(r'events\.ndjson$', made['cases'] // 4)
    least(r'told/create\.err$', made['cases'] + made['filtered'])
    least(r'/bundle/.*work\.[0-9]+\.log', made['cases'] + made['filtered'])
    print('%d rounds, %d redactions, %d wrong' % (made['cases'] + made['filtered'], sum(markers.values()), wrong))
    return 1 if wrong else 0


if __name__ == '__main__':
    if sys.argv[1] == 'make':
        make(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        sys.exit(check(sys.argv[2], sys.argv[3]))
