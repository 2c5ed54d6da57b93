#!/bin/bash
# Runs the fuzzers of a folder and counts them: each first over the corpus it has in the repository, then for so many
# seconds on from there. A finding is kept in build/fuzzing/findings, to be run again by giving it to the fuzzer as a file.
#   setup/fuzz.sh [--jobs N] [--seconds N] FOLDER [NAME]    NAME may hold * and ?
# FUZZ_TABLE=FILE gets a row of figures for each; FUZZ_KEEP=1 adds what was found worth keeping to the repository's corpus.
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/tally.sh

jobs=2
seconds=20
while [ $# -gt 0 ]; do
    case $1 in
    --jobs) jobs=$2 ;;
    --seconds) seconds=$2 ;;
    *) break ;;
    esac
    shift 2
done
programs=$(realpath "$1")
wanted=${2:-*}
findings=$(dirname "$programs")/findings
mkdir -p "$findings"

# Files of a fuzzer are written in memory where there is such a folder: no disk is asked a million times.
memory=/dev/shm
[ -w $memory ] || memory=${TMPDIR:-/tmp}
work=$(mktemp -d "$memory/triphase-fuzz.XXXXXX")
trap 'jobs -p | xargs -r kill 2>/dev/null; wait; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

start() { # NAME: in the background, in a folder of its own
    local name=$1 options=() corpus=$PWD/tests/fuzz/corpus/$1
    [ ! -e "$corpus.dict" ] || options+=("-dict=$corpus.dict")
    mkdir -p "$work/$name/files" "$work/$name/corpus"
    (
        cd "$work/$name/files"
        exec env ASAN_OPTIONS=abort_on_error=0:detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1 \
            "$programs/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
            -artifact_prefix="$findings/$name-" "${options[@]}" "$work/$name/corpus" "$corpus"
    ) >"$work/$name/log" 2>&1 </dev/null &
    pids[$name]=$!
}

figure() { # NAME WORD: the last figure behind it in the log
    sed -nE "s/.*\\b$2:? +([0-9]+).*/\\1/p" "$work/$1/log" | tail -n 1
}

end() { # NAME
    local name=$1 found=0 executions edges
    wait "${pids[$name]}" || found=1
    executions=$(figure "$name" stat::number_of_executed_units)
    edges=$(figure "$name" cov)
    printf '| %s | %s s | %s | %s | %s | %d |\n' "$name" "$seconds" "${executions:-0}" "${edges:-0}" \
        "$(find "tests/fuzz/corpus/$name" -type f | wc -l)" "$found" >>"$work/table"
    if [ $found = 0 ] && [ "${executions:-0}" -gt 0 ]; then
        tally ok "fuzz $name ($executions executions, $edges edges)"
    else
        tally fail "fuzz $name"
        grep -vE '^#[0-9]+' "$work/$name/log" | tail -n 60 | sed 's/^/     /'
    fi
    [ -z "${FUZZ_KEEP:-}" ] || keep "$name"
}

# What is kept: the inputs with a name of their own, and the fewest others that reach what these do not, under names that
# are their content's.
keep() { # NAME
    local corpus=$PWD/tests/fuzz/corpus/$1
    find "$corpus" -type f -regextype posix-extended -regex '.*/[0-9a-f]{40}' -exec mv -t "$work/$1/corpus" {} +
    (cd "$work/$1/files" && "$programs/$1" -set_cover_merge=1 -use_counters=0 -timeout=10 "$corpus" "$work/$1/corpus" >/dev/null 2>&1)
}

declare -A pids
names=()
for program in "$programs"/*; do
    name=${program##*/}
    # shellcheck disable=SC2053 # a pattern
    if [ -x "$program" ] && [ -d "tests/fuzz/corpus/$name" ] && [[ $name == $wanted ]]; then
        names+=("$name")
    fi
done
[ ${#names[@]} -gt 0 ] || tally fail "fuzz: there is no fuzzer '$wanted'"

for ((i = 0; i < ${#names[@]}; i += jobs)); do
    for name in "${names[@]:i:jobs}"; do
        start "$name"
    done
    for name in "${names[@]:i:jobs}"; do
        end "$name"
    done
done
if [ -n "${FUZZ_TABLE:-}" ]; then
    { echo '| fuzzer | ran | executions | edges | inputs kept | findings |' && echo '|---|---|---|---|---|---|' && cat "$work/table"; } >"$FUZZ_TABLE"
fi
tally_end
