#!/bin/bash
# Linters over everything that is not a test of behaviour. setup/install.sh check installs them.
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/tally.sh

lint=.venv-lint/bin
[ -x $lint/ansible-lint ] || {
    echo "lint: the linters are missing: run 'make setup-check'" >&2
    exit 69
}
PATH=$PWD/$lint:$PATH
export PATH

# Files of the checkout by name, without what was made or installed in it.
files() {
    find . \( -name .git -o -name '.venv*' -o -name build -o -name .triphase -o -name __pycache__ \) -prune -o \
        -type f -name "$1" -print | LC_ALL=C sort
}

shell_scripts() {
    files '*' | while IFS= read -r file; do
        case ${file##*/} in
        *.sh) echo "$file" ;;
        *.*) ;;
        *)
            if head -c 64 "$file" 2>/dev/null | head -n 1 | grep -aqE '^#!.*/(env )?(ba)?sh'; then
                echo "$file"
            fi
            ;;
        esac
    done
}

run_shellcheck() { shell_scripts | xargs -r -d '\n' shellcheck --external-sources; }
# What tests/cases holds is as users write it.
run_yamllint() { { files '*.yml' && files '*.yaml' && ls .yamllint .ansible-lint; } | grep -v '^\./tests/cases/' | xargs -d '\n' yamllint --strict; }
run_ansible_lint() {
    [ -d playbooks ] && [ -n "$(ls playbooks)" ] || return 0
    ansible-lint --offline --nocolor --profile production playbooks
}
run_mandoc() {
    find docs -name '*.[1-8]' -type f | LC_ALL=C sort | xargs -r -d '\n' mandoc -T lint -W warning
}
run_python() {
    files '*.py' | xargs -r -d '\n' /usr/bin/python3 -W error -c '
import ast, sys
for name in sys.argv[1:]:
    with open(name, "rb") as source:
        ast.parse(source.read(), name)'
}

# What it found, without the names of the files that are well.
run_analyzer() { "${MAKE:-make}" --no-print-directory -j"$(nproc)" -k analyze 2>&1 | { grep -v '^ANALYZE' || true; }; }

# What clang-format does not break: comments. A string may be longer.
run_width() { ! files '*.[ch]' | LC_ALL=C.UTF-8 xargs -r -d '\n' grep -nE '^.{111,}$' | grep -E '^[^:]*:[0-9]+: *(/\*|\*|//)|/\*.*\*/$'; }

check "gcc -fanalyzer" run_analyzer
check "comments: none beyond 110 columns" run_width
check "clang-format" "${MAKE:-make}" --no-print-directory format-check
check "shellcheck" run_shellcheck
check "yamllint" run_yamllint
check "ansible-lint, production profile" run_ansible_lint
check "python parses" run_python
if command -v mandoc >/dev/null; then
    check "mandoc" run_mandoc
fi
tally_end
