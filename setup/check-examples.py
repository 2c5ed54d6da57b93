#!/usr/bin/env python3
"""What CONTRIBUTING.md shows of adding a thing, put into a copy of the tree, built, and used.

check-examples.py PROGRAM: PROGRAM is the one built from the tree as it is, which knows none of the examples."""

import contextlib
import getpass
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile

NEEDED = ("Makefile", "orchestrator", "setup", "triphase.yml", "phases", "playbooks", "inventory-templates", "callback", "launcher", "host", "projects", "examples")
EXAMPLES = 13
BLOCK = re.compile(r"^```c (row of )?(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LONGEST = 10


def put(tree, is_row, name, code):
    file = tree / name
    if not is_row:
        if file.exists():
            sys.exit(f"{name} exists already: the example is none any more")
        file.write_text(code)
        return
    text = file.read_text()
    declared = "".join(line + "\n" for line in code.splitlines() if line.startswith("extern"))
    row = "".join(line + "\n" for line in code.splitlines() if not line.startswith("extern"))
    # The first table of the file; what counts the rows of an enum stays its last.
    table = re.search(r"^[^\n]*(= |^enum \w+ )\{\n.*?(?=\w+_KINDS|^\};)", text, re.MULTILINE | re.DOTALL)
    if not table:
        sys.exit(f"{name}: no table to put a row into")
    first = re.search(r"^(static const|enum|extern)", text, re.MULTILINE).start()
    file.write_text(text[:first] + declared + text[first : table.end()] + row + text[table.end() :])


def run(program, *words, folder):
    done = subprocess.run([program, *words], cwd=folder, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


@contextlib.contextmanager
def host(folder):
    """A host to act on: an sshd of ours on this machine. Gives its port and what it is known by."""
    pathlib.Path("/run/sshd").mkdir(exist_ok=True) if getpass.getuser() == "root" else None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for key in ("key", "host_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nAuthorizedKeysFile {folder}/key.pub\n"
        "PidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n"
    )
    with (folder / "sshd.log").open("w") as log:
        sshd = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", folder / "sshd_config"], stdin=subprocess.DEVNULL, stderr=log)
    try:
        yield port, (folder / "host_key.pub").read_text().strip()
    finally:
        sshd.terminate()
        sshd.wait()


def lay_down(project, port, host_key):
    """`x` is for what is only asked; `loud` is a host, and its phase goes on for longer than its watchdog lets it."""
    (project / "phases").mkdir(parents=True)
    (project / "triphase.yml").write_text(
        "project: p\ntargets:\n  x:\n    recipe: work\n    address: 192.0.2.1\n  loud:\n    provider: static\n    recipe: loud\n"
        f"    address: 127.0.0.1\n    port: {port}\n    key: ../key\n    python: /usr/bin/python3\n    host_keys: ['{host_key}']\n"
    )
    (project / "phases/work.yml").write_text("phases:\n  - name: a\n    playbook: a.yml\n")
    (project / "phases/loud.yml").write_text("phases:\n  - name: a\n    playbook: loud.yml\n    attempts: 1\n    deadline: 20s\n")
    (project / "a.yml").write_text("- hosts: all\n  tasks: []\n")
    (project / "loud.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug: {msg: more}\n      loop: '{{ range(20000) | list }}'\n"
    )


LIMIT = "phases.loud.a.most_output=1000"


def strikes(program, folder):
    """The watchdog ends its phase, with its outcome, its cause and its words."""
    code, said = run(program, "--set", LIMIT, "create", "loud", folder=folder)
    row = run(program, "report", "loud", "--format", "json", folder=folder)[1]
    seen = [word in row for word in ('"too-much-output"', '"output"', "it wrote more than most_output in task")]
    if code not in (5, 64) or (code == 5 and not all(seen)):
        print(code, said, row, sep="\n")
    return code == 5 and all(seen)


def use(program, folder):
    """What each example is to change, as the program tells it."""
    yield "command", run(program, "greet", folder=folder) == (0, "hello\n")
    yield "provider", run(program, "--set", "targets.x.provider=nothing", "config", "x", folder=folder)[0] == 0
    yield "transport", run(program, "--set", "targets.x.transport=beside", "config", "x", folder=folder)[0] == 0
    yield "subscriber", b"the bell" in program.read_bytes()  # nothing but its row brings it in
    yield "format", "there is no format" not in run(program, "report", "--format", "lines", folder=folder)[1]
    yield "watchdog", strikes(program, folder)


def main():
    before = pathlib.Path(sys.argv[1]).resolve()
    blocks = BLOCK.findall(pathlib.Path("CONTRIBUTING.md").read_text())
    long = [name for _, name, code in blocks if len(code.strip().splitlines()) > LONGEST]
    if len(blocks) != EXAMPLES or long:
        sys.exit(f"CONTRIBUTING.md: {len(blocks)} examples of {EXAMPLES}; longer than {LONGEST} lines: {long}")
    with tempfile.TemporaryDirectory(prefix="triphase-examples-") as top:
        tree = pathlib.Path(top) / "tree"
        for name in NEEDED:
            source = pathlib.Path(name)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, (tree.mkdir(exist_ok=True), tree / name)[1])
        for is_row, name, code in blocks:
            put(tree, is_row, name, code)
        built = subprocess.run(["make", "-j2", "WERROR=1", "CFLAGS=-O0", "all"], cwd=tree, capture_output=True, text=True)
        if built.returncode != 0:
            sys.exit(built.stdout + built.stderr)
        project = pathlib.Path(top) / "project"
        with host(pathlib.Path(top)) as (port, host_key):
            lay_down(project, port, host_key)
            wrong = [f"the example of a {what} has no effect" for what, is_seen in use(tree / "build/triphase", project) if not is_seen]
            wrong += [f"the {what} of the example is known without it" for what, is_seen in use(before, project) if is_seen]
        if "most_output" not in run(before, "--set", LIMIT, "config", "loud", folder=project)[1]:
            wrong.append("the key of the watchdog is not refused without its row")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


sys.exit(main())
