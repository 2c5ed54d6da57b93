# SPDX-License-Identifier: MIT
"""docs/provider.schema.json against what there is, by a validator of JSON Schema: provider_schema.py requests FILE (a line each, as programs were told them) | calls FILE (a line
each: request and answer of a call) | table FILE (a list: call, answer, good) | manual PAGE (the objects it shows, and what its program answers). Says what is not as it has to be,
and how many were looked at."""
import json
import os
import re
import subprocess
import sys
import tempfile

import jsonschema

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ANSWERS = {'make': 'answer_make', 'verify': 'answer_state', 'remove': 'answer_state', 'list': 'answer_list'}
with open(os.path.join(TOP, 'docs', 'provider.schema.json'), encoding='utf-8') as text:
    SCHEMA = json.load(text)
jsonschema.Draft202012Validator.check_schema(SCHEMA)


def fault_of(value, part=None):
    """What a part of the schema, or all of it, has against the value; None: nothing."""
    schema = {'$schema': SCHEMA['$schema'], '$defs': SCHEMA['$defs'], '$ref': '#/$defs/' + part} if part else SCHEMA
    found = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(value))
    return found.message if found else None


def lines(path):
    with open(path, encoding='utf-8') as file:
        return [json.loads(line) for line in file]


def requests(path):
    for request in lines(path):
        yield request, fault_of(request, 'request')


def calls(path):
    for call in lines(path):
        yield call, fault_of(call)


def table(path):
    with open(path, encoding='utf-8') as file:
        for row in json.load(file):
            fault = fault_of(row['answer'], ANSWERS[row['call']])
            yield row, fault if row['good'] else None if fault else 'the schema takes it'


def shown(page):
    """Blocks of a manual's page that stand as they are, with the word of the comment before each."""
    for word, block in re.findall(r'^\.\\" schema: (\w+)\n(?:\.PP\n)?\.nf\n(.*?)^\.fi$', page, re.S | re.M):
        yield word, block.replace('\\(aq', "'").replace('\\-', '-').replace('\\(dq', '"').replace('\\e', '\\')


def manual(path):
    with open(path, encoding='utf-8') as file:
        for word, block in shown(file.read()):
            if word != 'program':
                yield block, fault_of(json.loads(block), word)
                continue
            with tempfile.TemporaryDirectory() as folder:
                with open(os.path.join(folder, 'web.pub'), 'w', encoding='ascii') as key:
                    key.write('ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJu1Cw9kZ8pVfQmT3sXyLh2nD5rE7gBvKq4oWtYcMaNb\n')
                for call in ('make', 'verify', 'remove'):
                    said = subprocess.run(['sh', '-c', block], input=json.dumps({'call': call}).encode(), stdout=subprocess.PIPE, check=True, cwd=folder).stdout
                    yield said, fault_of(json.loads(said), ANSWERS[call])


def main(kind, path):
    looked_at = failed = 0
    for what, fault in {'requests': requests, 'calls': calls, 'table': table, 'manual': manual}[kind](path):
        looked_at += 1
        if fault:
            failed += 1
            print('%s\n  in %.2000s' % (fault, what if isinstance(what, (str, bytes)) else json.dumps(what)))
    print(looked_at)
    return 1 if failed or not looked_at else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
