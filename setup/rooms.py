#!/usr/bin/env python3
"""What orchestrator/LAYERS says of the rooms, held against what the files include.

rooms.py RULE: prints what breaks the rule, a line each, and ends with 1 if anything does. Rules: the functions below that have a docstring."""

import collections
import pathlib
import re
import sys

TOP = pathlib.Path("orchestrator")
LIBRARIES = {  # header pattern: the libraries that the Makefile may link, as its LIBRARIES has them
    r"yaml\.h": "yaml-0.1",
    r"jansson\.h": "jansson",
    r"sqlite3\.h": "sqlite3",
    r"curl/": "libcurl",
    r"libssh/": "libssh",
    r"archive(_entry)?\.h": "libarchive",
}
LIBRARY_ROOMS = ("format", "net")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)

Room = collections.namedtuple("Room", "uses doors")


def read_layers():
    rooms = {}
    for line in (TOP / "LAYERS").read_text().splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        name, rest = line.split(":")
        uses, doors = rest.split(";")
        if name.strip() in rooms:
            sys.exit(f"LAYERS: {name.strip()} has two lines")
        rooms[name.strip()] = Room(uses.split(), doors.split())
    return rooms


def sources():
    return sorted(file for file in TOP.rglob("*.[ch]"))


def includes(mark='"'):
    """(file, header) of each include, relative to orchestrator/."""
    for file in sources():
        for quote, header in INCLUDE.findall(file.read_text()):
            if quote == mark:
                yield file.relative_to(TOP).as_posix(), header


def room_of(path):
    return path.split("/")[0]


def stem(path):
    return path.rsplit(".", 1)[0]


def order(rooms):
    """each folder is a room with a line of its own, and uses only rooms above it"""
    folders = {room_of(file.relative_to(TOP).as_posix()) for file in sources()}
    for name in sorted(folders - rooms.keys()):
        yield f"orchestrator/{name} has no line in LAYERS"
    for name in rooms.keys() - folders:
        yield f"LAYERS names the room {name}, and there is no such folder"
    above = set()
    for name, room in rooms.items():
        for used in room.uses:
            if used not in above:
                yield f"LAYERS: {name} is to use {used}, which does not stand above it"
        above.add(name)
    for file in sources():
        if len(file.relative_to(TOP).parts) != 2:
            yield f"{file} is not a file of a room"


def uses(rooms):
    """files include headers only of rooms that their room may use, and LAYERS names no room that is not used (base: every room may)"""
    used = collections.defaultdict(set)
    for file, header in includes():
        mine, other = room_of(file), room_of(header)
        if not (TOP / header).is_file():
            yield f'{file} includes "{header}", which is no file (write it relative to orchestrator/)'
        elif other != mine and other != "base":
            used[mine].add(other)
            if mine in rooms and other not in rooms[mine].uses:
                yield f'{file} includes "{header}": {mine} may not use {other}'
    for name, room in rooms.items():
        for other in room.uses:
            if other not in used[name]:
                yield f"LAYERS: {name} may use {other}, and does not"


def doors(rooms):
    """other rooms include only a room's doors, and each door is used by another room"""
    used = collections.defaultdict(set)
    for file, header in includes():
        mine, other = room_of(file), room_of(header)
        if other == mine or other not in rooms:
            continue
        name = stem(header.split("/", 1)[1])
        used[other].add(name)
        if name not in rooms[other].doors:
            yield f'{file} includes "{header}", which is no door of {other}'
    for name, room in rooms.items():
        for door in room.doors:
            if door not in used[name]:
                yield f"LAYERS: {door} is a door of {name} that no other room uses"


def circles(rooms):
    """no includes run in a circle within a room"""
    graph = collections.defaultdict(set)
    for file, header in includes():
        if room_of(file) == room_of(header) and stem(file) != stem(header):
            graph[stem(file)].add(stem(header))
    done, path = set(), []

    def walk(node):
        if node in path:
            yield " -> ".join(path[path.index(node) :] + [node])
        elif node not in done:
            path.append(node)
            for below in sorted(graph[node]):
                yield from walk(below)
            path.pop()
            done.add(node)

    for node in sorted(graph):
        yield from walk(node)


def libraries(rooms):
    """each third-party library that is linked is included by one file, of format or net"""
    linked = re.search(r"^LIBRARIES := (.*)$", pathlib.Path("Makefile").read_text(), re.MULTILINE).group(1).split()
    for pattern, name in LIBRARIES.items():
        users = sorted({file for mark in '<"' for file, header in includes(mark) if re.match(pattern, header)})
        if len(users) > 1:
            yield f"{name} is included by {' and '.join(users)}"
        if not users and name in linked:
            yield f"{name} is linked and included by no file"
        for file in users:
            if room_of(file) not in LIBRARY_ROOMS or file.endswith(".h"):
                yield f"{name} is included by {file}"


TABLES = {  # where the names of a kind stand, what each is told by there, and the rooms that have nothing to do with the kind
    "config/provider_facts.c": (r'\.name = "([^"]+)"', ()),
    "config/transport_kind.c": (r"= \{\"([^\"]+)\", '", ()),
    "report/*.c": (r'report_format \w+ = \{\.name = "([^"]+)"', ("sandbox",)),  # nft has tables
}
COMPARED = r'(?:text_is|text_is_one_of|text_starts|str[n]?(?:case)?cmp)\([^;{]*"(%s)"'


def names(rooms):
    """no provider, transport or report format is told by its name but in the table of them"""
    for table, (row, others) in TABLES.items():
        own = set(TOP.glob(table))
        found = [name for file in sorted(own) for name in re.findall(row, file.read_text())]
        if not found:
            yield f"{table} has no row that is told by {row}"
            continue
        pattern = re.compile(COMPARED % "|".join(map(re.escape, found)))
        for file in sources():
            if file not in own and file.parent.name not in others:
                text = file.read_text()
                # "command" is also a kind of secret and one of Ansible's modules: where nobody speaks of providers.
                for hit in pattern.finditer(text):
                    if hit.group(1) == "command" and "provider" not in text:
                        continue
                    yield f'{file} compares with "{hit.group(1)}", a name that only {table} knows'


MARKS = re.compile(r'"(?:run|machine)-%s|"TRIPHASE_(?:RUN|STEP|MACHINE)\b')
MAKERS = {TOP / "config/marks.c", TOP / "process/marked.c"}  # the second stands below the first, and only compares


def marks(rooms):
    """scope names and marks of runs, steps and machines are made in one place"""
    for file in sources():
        for hit in MARKS.findall(file.read_text()) if file not in MAKERS else ():
            yield f"{file} has {hit}…, which config/marks.h gives"


ENDING = re.compile(r"^(?:static )?void (\w+)_(free|clear|init|destroy)\(([^)]*?)(\w+)[,)][^{;]*\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)


def endings(rooms):
    """the ending of a function's name says what it does with what it is given (CONTRIBUTING)"""
    for file in sources():
        for name, ending, before, given, body in ENDING.findall(file.read_text()):
            function = f"{file}: {name}_{ending}"
            frees = re.search(rf"(?:free|decref)\((?:in\()?\*?{given}[),]", body)
            if ending not in ("free", "clear"):
                yield f"{function}: there is no such ending"
            elif ending == "free" and "**" not in before and not frees:
                yield f"{function} leaves what it is given: it is a clear"
            elif ending == "clear" and frees:
                yield f"{function} frees what it is given: it is a free"


RULES = {rule.__name__: rule for rule in (order, uses, doors, circles, libraries, names, marks, endings)}


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in RULES:
        sys.exit(__doc__)
    found = list(RULES[sys.argv[1]](read_layers()))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


sys.exit(main())
