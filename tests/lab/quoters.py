#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random secrets as real programs quote them, and what is left of them.

    quoters.py make SEED ROUNDS CASES    one JSON object a line: secret, text, how, prefix
    quoters.py callback CASES LEFT       the texts as the event callback leaves them, each in a JSON list, in the same order
    quoters.py check CASES LEFT          nothing of a secret may be left but what quoting puts around characters

Each secret stands between two words, is quoted by one program, and the whole in every other round by a second one. In every third round what the first has written is folded,
mostly within its escapes, and the lines are then perhaps a list's, which may be quoted again.
"""
import base64
import html
import json
import os
import random
import re
import shlex
import subprocess
import sys
import urllib.parse

import yaml
from ansible.plugins.filter.core import FilterModule

PREFIX, SUFFIX = 'Anfang', 'Schluss'
MARKER = re.compile(r'\[REDACTED secret it\]')
KINDS = (
    'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789',
    'abcXYZ012 \'"\\$`!#&*()[]{}<>|;:,.?/@%^+=~_-',
    'nrtbfavexuU0123\\\'" NLP_%25&',
    'ab c d e',
    'a\u00e4\u00f6\u00fc\u20ac\u00df\U0001f600 \u00a0\u0085\u2028z9',
    'abc\n\t def ghi\r\n',
    'key\x01\x1b\x7f value',
)
FILTERS = FilterModule().filters()


def bash(format_):
    def quote(text):
        done = subprocess.run(['bash', '-c', format_, 'bash', text], capture_output=True, check=True,
                              env={'PATH': os.environ['PATH'], 'LC_ALL': 'C.UTF-8'})
        return done.stdout.decode('utf-8', 'surrogateescape')
    return quote


def as_yaml(style, width, unicode_):
    return lambda text: yaml.dump({'key': [{'deep': text}]}, default_style=style, width=width, allow_unicode=unicode_)


QUOTERS = {
    'as it is': lambda text: text,
    'json': json.dumps,
    'json, unicode': lambda text: json.dumps({'a': [text]}, ensure_ascii=False, indent=4),
    'json, slashes': lambda text: json.dumps(text).replace('/', '\\/').replace('<', '\\u003c').replace('&', '\\u0026'),
    'shlex': shlex.quote,
    'repr': repr,
    'ascii': ascii,
    'repr of bytes': lambda text: repr(text.encode('utf-8', 'surrogateescape')),
    'printf %q': bash('printf %q "$1"'),
    '${x@Q}': bash('echo "${1@Q}"'),
    '${x@A}': bash('x=$1; echo "${x@A}"'),
    'declare -p': bash('x=$1; declare -p x'),
    'url': urllib.parse.quote,
    'url, all': lambda text: urllib.parse.quote(text, safe=''),
    'form': urllib.parse.quote_plus,
    'query': lambda text: urllib.parse.urlencode({'q': text}),
    'html': html.escape,
    'to_json': FILTERS['to_json'],
    'to_nice_json': lambda text: FILTERS['to_nice_json']({'a': text}),
    'to_yaml': lambda text: FILTERS['to_yaml']({'a': text}),
    'to_nice_yaml': lambda text: FILTERS['to_nice_yaml']({'a': [text]}),
    'quote': FILTERS['quote'],
    'regex_escape': re.escape,
}
for _style in (None, "'", '"', '|', '>'):
    for _width in (10, 40, 80, 1000):
        for _unicode in (True, False):
            QUOTERS['yaml %s %d %s' % (_style, _width, _unicode)] = as_yaml(_style, _width, _unicode)
SLOW = {name for name in QUOTERS if name.startswith(('printf', '${x', 'declare'))}
BASE64 = {
    'base64': lambda text: base64.b64encode(text.encode('utf-8')).decode('ascii'),
    'base64, url': lambda text: base64.urlsafe_b64encode(text.encode('utf-8')).decode('ascii'),
    'base64, lines': lambda text: base64.encodebytes(text.encode('utf-8')).decode('ascii'),
    'base64, indented': lambda text: ''.join('    ' + line for line in base64.encodebytes(text.encode('utf-8')).decode('ascii').splitlines(True)),
    'b64encode': FILTERS['b64encode'],
}


def secret(chance):
    while True:
        kind = chance.choice(KINDS)
        length = chance.choice((4, 8, 12, 20, 40, 120, 400))
        text = ''.join(chance.choice(kind) for _ in range(length))
        # What has hardly any other characters is known as it stands and in JSON: SECURITY.md.
        if len(re.sub(r'[\x00-\x20\x7f\\\'"$]', '', text).encode('utf-8')) >= 4 and '\0' not in text:
            return text

ESCAPE = re.compile(r'(\\+)(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|[abefnrtvNLP_])')
LISTS = {
    'lines': '\n'.join,
    'lines, json': json.dumps,
    'lines, nice': lambda lines: json.dumps({'stdout_lines': lines}, indent=4),
    'lines, repr': repr,
    'lines, yaml': lambda lines: yaml.dump({'key': lines}, width=1000),
    "lines, yaml '": lambda lines: yaml.dump({'key': lines}, default_style="'", width=1000),
    'lines, yaml "': lambda lines: yaml.dump({'key': lines}, default_style='"', width=1000),
}
FOLDABLE = ('as it is', 'json, unicode', 'json', 'ascii', 'repr', 'repr of bytes', 'to_json', 'yaml " 1000 False', 'yaml None 1000 False')
BETWEEN_FOLDED = ('\x7f', '\x1b', '\n', '\t', '\u00e4', '\u20ac', '\U0001f600', '\u0085', '\u2028', '\\', '"', "'", '&')


def foldable(chance):
    """Words with what is escaped between them alone: whatever is left of it is in sight."""
    words = [''.join(chance.choice(KINDS[0]) for _ in range(chance.choice((2, 5, 9)))) for _ in range(chance.choice((2, 3, 6)))]
    return ''.join(word + chance.choice(BETWEEN_FOLDED) for word in words) + 'end'


def folds(chance, text):
    """Folded as what escapes backslashes does it: behind those of an escape, or between its digits."""
    indent = ' ' * chance.choice((0, 2, 4, 8))

    def fold(found):
        whole = found.group()
        if chance.random() < 0.3:
            return whole
        slashes = len(found.group(1))
        at = slashes if chance.random() < 0.6 else chance.randrange(slashes, len(whole))
        return whole[:at] + '\\\n' + indent + whole[at:]
    return ESCAPE.sub(fold, text)


def fold(chance, how, text):
    name = chance.choice(FOLDABLE)
    how.append(name)
    text = str(QUOTERS[name](text))
    if chance.random() < 0.5:
        how.append('json')
        text = json.dumps(text)
    text = folds(chance, text)
    how.append(chance.choice(sorted(LISTS)))
    text = LISTS[how[-1]](text.split('\n') if how[-1] == 'lines' else text.splitlines())
    if chance.random() < 0.3:
        how.append(chance.choice(('json', 'repr', 'to_nice_yaml', 'yaml " 80 False')))
        text = str(QUOTERS[how[-1]](text))
    return text


def make(seed, rounds, cases):
    chance = random.Random(seed)
    names = sorted(QUOTERS)
    for number in range(rounds):
        folding = number % 3 == 2
        value = foldable(chance) if folding else secret(chance)
        prefix = '%s%s ' % (PREFIX, 'x' * chance.randrange(4))
        text = prefix + value + ' ' + SUFFIX
        how = []
        if folding:
            text = fold(chance, how, text)
            cases.write(json.dumps({'secret': value, 'text': text, 'how': how, 'prefix': prefix.strip()}) + '\n')
            continue
        # A bash is slow to start: not in each round.
        chosen = [name for name in names if name not in SLOW or number % 4 == 0]
        if number % 5 == 4:
            name = chance.choice(sorted(BASE64))
            how.append(name)
            text = BASE64[name](text)
        for _ in range(chance.choice((1, 2)) if not how else chance.randrange(2)):
            # A page is not quoted any further.
            name = chance.choice(chosen if not how else [name for name in chosen if name != 'html'])
            try:
                text = str(QUOTERS[name](text))
            except (UnicodeError, subprocess.CalledProcessError):
                continue
            how.append(name)
            if len(text) > 200000 or name == 'html':
                break
        cases.write(json.dumps({'secret': value, 'text': text, 'how': how, 'prefix': prefix.strip()}) + '\n')


NOISE = re.compile(r'(?:\\+(?:[0-3][0-7]{2}|[abefnrtv0NLP_E\s"\'$\\]|x[01][0-9a-fA-F]|x20|x2[27]|x7[fF]|x5[cC]|u00(?:[01][0-9a-fA-F]|2[0247]|7[fF]|5[cC])|u202[89]|u0085|x85|#x?[0-9a-fA-F]+\\*;)'
                   r'|%(?:25)*(?:[01][0-9a-fA-F]|2[0247]|5[cC]|7[fF])|&(?:quot|apos|#x27|#39|#34);'
                   r'|[\x00-\x20\x7f\x85\u2028\u2029\\\'"$+!\-])*')


def left_over(case, left):
    """Why this is too much, or None."""
    if not MARKER.search(left):
        return 'it was not found'
    rest = MARKER.sub('', left)
    if any(name in BASE64 for name in case['how']):
        digits = len(re.findall('[A-Za-z0-9+/_-]', re.sub(r'%[0-9A-Fa-f]{2}|\\+[nr]', '+', rest)))
        whole = len(re.findall('[A-Za-z0-9+/_-]', re.sub(r'%[0-9A-Fa-f]{2}|\\+[nr]', '+', case['text'])))
        most = whole - 8 * len(case['secret'].encode('utf-8')) // 6
        # What whole lines of it may leave at their ends.
        return None if digits <= most + 4 else '%d digits are left, not %d' % (digits, most)
    at = rest.find(case['prefix'])
    end = rest.find(SUFFIX, at)
    if at < 0 or end < 0:
        return 'it took more than the secret'
    between = rest[at + len(case['prefix']):end]
    for _level in range(3):
        between = urllib.parse.unquote(between)
    for _level in range(3):
        between = re.sub(r'\\+(?:\r?\n|n)[ \t+]*\\*', r'\\', between)
    # Of an escape that can be read two ways a letter or two.
    if len(re.sub('[^A-Za-z0-9]', '', NOISE.sub('', between))) <= 2:
        return None
    return 'there is left: %r' % between


def check(cases, left):
    wrong = number = 0
    with open(cases, encoding='utf-8') as stream, open(left, encoding='utf-8') as results:
        for number, (case, result) in enumerate(zip(stream, results, strict=True), 1):
            case, result = json.loads(case), json.loads(result)[0]
            why = left_over(case, result)
            if why:
                wrong += 1
                print('%s: %s\n  secret %r\n  text   %r\n  left   %r' % (
                    ', '.join(case['how']), why, case['secret'], case['text'][:600], result[:600]))
            if wrong >= 10:
                break
    print('%d cases, %d wrong' % (number, wrong))
    return 1 if wrong or not number else 0


def callback(cases, left):
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..', 'callback'))
    from triphase_events import Known
    with open(cases, encoding='utf-8') as stream, open(left, 'w', encoding='utf-8') as results:
        for line in stream:
            case = json.loads(line)
            known = Known()
            known.add('secret it', case['secret'].encode('utf-8', 'surrogateescape'))
            results.write(json.dumps([known.clear(case['text'])]) + '\n')


if __name__ == '__main__':
    if sys.argv[1] == 'make':
        with open(sys.argv[4], 'w', encoding='utf-8') as made:
            make(int(sys.argv[2]), int(sys.argv[3]), made)
    elif sys.argv[1] == 'callback':
        callback(sys.argv[2], sys.argv[3])
    else:
        sys.exit(check(sys.argv[2], sys.argv[3]))
