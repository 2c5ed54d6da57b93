#!/bin/bash
# That what documents and comments point at is there: the tests that hold a promise, by name, and other documents, with the section that is meant.
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/tally.sh

documents() { find . -maxdepth 1 -name '*.md' -printf '%f\n' && find docs -name '*.md'; }
# Everything that may cite one; what fuzzers begin with is anybody's bytes.
texts() { documents && find orchestrator callback launcher host setup tests docs \( -path tests/fuzz/corpus -o -name __pycache__ \) -prune -o -type f ! -name '*.md' -print; }

# Prints its input with a word before it and fails, unless there is none.
none() {
    local found
    found=$(cat)
    [ -z "$found" ] || {
        printf '%s\n' "$found" | sed "s|^|$1: |"
        return 1
    }
}

# A name may stand on the line after its suite.
tests_there() {
    local kind
    for kind in unit system; do
        cat tests/$kind/*.c | tr -s '\n' ' ' | grep -oE '\bTest\( *\w+, *\w+' | sed -E "s|^Test\( *(\w+), *|$kind \1/|"
    done | LC_ALL=C sort -u
}

# shellcheck disable=SC2016 # what is looked for has backticks
tests_named() { documents | xargs cat | tr -s '\n' ' ' | grep -oE '`(unit|system) [^`]*`' | tr -d '`' | LC_ALL=C sort -u; }

named_tests_exist() { LC_ALL=C comm -13 <(tests_there) <(tests_named) | none "a document names a test that does not exist"; }

# "file<TAB>document<TAB>section", the section empty where none is named. A citation may go on over the end of a comment's line.
citations() {
    local name='([a-z][a-z0-9_/-]*/)?[A-Z][A-Z_]+\.md|docs/[a-z][a-z0-9_-]*\.md'
    texts | xargs -d '\n' grep -lIE "\b($name)" | while IFS= read -r file; do
        tr '\n' ' ' <"$file" | sed -E 's, +(\*|#|//) , ,g' | { grep -oE "\b($name)(,? \"[^\"]*\")?" || true; } |
            sed -E "s|^([^ ,]*),? ?\"?([^\"]*)\"?$|$file\t\1\t\2|"
    done
}

cited_documents_exist() {
    citations | while IFS=$'\t' read -r file document section; do
        if [ ! -f "$document" ]; then
            echo "$file cites $document, which is not here"
        elif [ "$section" ] && ! grep -q . <(sed -nE 's/^#+ //p' "$document" | grep -xF "$section"); then
            echo "$file cites \"$section\" of $document, which has no such section"
        fi
    done | none docs
}

# Files of the program that the map and the tour lead to.
# shellcheck disable=SC2016
named_files_exist() {
    grep -oE '`[a-z_]+/[a-zA-Z0-9_]+\.([ch]|py|sh)`' README.md docs/tour.md | tr -d '`' | sort -u | while IFS=: read -r file named; do
        [ -e "$named" ] || [ -e "orchestrator/$named" ] || echo "$file names $named, which is not here"
    done | none docs
}

links_lead_somewhere() {
    documents | while IFS= read -r file; do
        { grep -oE '\]\([^)#]+' "$file" || true; } | cut -c 3- | { grep -vE '^(https?|mailto):' || true; } | while IFS= read -r to; do
            [ -e "$(dirname "$file")/$to" ] || echo "$file links to $to, which is not here"
        done
    done | none docs
}

check "docs: files that the map and the tour name are there" named_files_exist
check "docs: each test that is named exists" named_tests_exist
check "docs: each document and section that is cited exists" cited_documents_exist
check "docs: each link leads somewhere" links_lead_somewhere
tally_end
