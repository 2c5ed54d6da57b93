#!/bin/bash
# The order of the layers, and that each third-party library can be replaced in one place.
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/tally.sh

layers=orchestrator/LAYERS
stems() { sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$layers"; }
sources() { (cd orchestrator && find . -type f -name '*.[ch]' | sed 's|^\./||' | LC_ALL=C sort); }

# Prints its input with a word before it and fails, unless there is none.
none() {
    local found
    found=$(cat)
    [ -z "$found" ] || {
        printf '%s\n' "$found" | sed "s|^|$1: |"
        return 1
    }
}

named_once() { stems | LC_ALL=C sort | uniq -d | none "named twice in $layers"; }
all_named() { LC_ALL=C comm -23 <(sources | sed 's/\.[ch]$//' | sort -u) <(stems | LC_ALL=C sort -u) | none "not named in $layers"; }
all_there() { LC_ALL=C comm -13 <(sources | sed 's/\.[ch]$//' | sort -u) <(stems | LC_ALL=C sort -u) | none "named in $layers, but there is no such file"; }

folders_in_order() {
    stems | awk -F/ '
        BEGIN { split("base mechanism data action view command", list, " "); for (i in list) rank[list[i]] = i }
        !($1 in rank) || NF != 2 { print $0 " is in no layer"; next }
        rank[$1] + 0 < last + 0 { print $0 " stands after a higher folder" }
        rank[$1] + 0 > last + 0 { last = rank[$1] }' | none "$layers"
}

includes() { # "file<TAB>header" of every quoted include
    local file
    sources | while IFS= read -r file; do
        sed -nE 's|^[[:space:]]*#[[:space:]]*include[[:space:]]*"([^"]*)".*|'"$file"'\t\1|p' "orchestrator/$file"
    done
}

downwards_only() {
    includes | awk -F'\t' -v layers="$layers" '
        BEGIN {
            while ((getline line < layers) > 0) {
                sub(/#.*/, "", line); gsub(/[ \t]+$/, "", line)
                if (line != "" && !(line in place)) place[line] = ++count
            }
        }
        {
            from = $1; sub(/\.[ch]$/, "", from)
            to = $2; sub(/\.h$/, "", to)
            if (!(to in place)) print $1 " includes \"" $2 "\", which is no file of the layers (write it relative to orchestrator/)"
            else if ((from in place) && place[to] > place[from]) print $1 " includes \"" $2 "\", which stands above it"
        }' | none "orchestrator"
}

# Header patterns of each library. A library that is linked has exactly one file; one that is not yet has at most one.
one_file() { # NAME PATTERN
    local users count
    users=$(find orchestrator -type f -name '*.[ch]' -print0 |
        { xargs -0 grep -lE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]$2" || true; } | LC_ALL=C sort)
    count=$(printf '%s' "$users" | grep -c . || true)
    case $users in
    *.h*)
        echo "$1 is included by a header: $users"
        return 1
        ;;
    esac
    if [ "$count" = 1 ] || { [ "$count" = 0 ] && ! grep -qE "^LIBRARIES :=.*\b$3\b" Makefile; }; then
        return 0
    fi
    echo "$1 is included by $count files, not by one: $users"
    return 1
}

check "layers: each file is named once" named_once
check "layers: every file is named" all_named
check "layers: every name is a file" all_there
check "layers: folders stand in order" folders_in_order
check "layers: files include only what stands below" downwards_only
check "libraries: libyaml by one file" one_file libyaml 'yaml\.h' yaml-0.1
check "libraries: jansson by one file" one_file jansson 'jansson\.h' jansson
check "libraries: SQLite by one file" one_file SQLite 'sqlite3\.h' sqlite3
check "libraries: libcurl by one file" one_file libcurl 'curl/' libcurl
check "libraries: libssh by one file" one_file libssh 'libssh/' libssh
check "libraries: libarchive by one file" one_file libarchive 'archive(_entry)?\.h' libarchive
check "libraries: Criterion by tests alone" bash -c '! grep -rnE "include[[:space:]]*<criterion" orchestrator'
tally_end
