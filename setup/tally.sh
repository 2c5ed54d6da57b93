# shellcheck shell=bash
# Counting checks. A script sources this, calls `check NAME COMMAND...` and ends with `tally_end`. Each result is also
# appended to the file $TALLY, when a caller set it, so that scripts that call others can add up: "ok<TAB>NAME" lines.
tally_passed=0
tally_failed=0

tally() { # ok|fail NAME
    if [ "$1" = ok ]; then
        tally_passed=$((tally_passed + 1))
    else
        tally_failed=$((tally_failed + 1))
    fi
    printf '%-4s %s\n' "$1" "$2"
    [ -z "${TALLY:-}" ] || printf '%s\t%s\n' "$1" "$2" >>"$TALLY"
}

# Silent when the command succeeds; its output when it fails.
check() { # NAME COMMAND...
    local name=$1 output start=$SECONDS
    shift
    if output=$("$@" 2>&1 </dev/null); then
        tally ok "$name ($((SECONDS - start)) s)"
    else
        tally fail "$name ($((SECONDS - start)) s)"
        printf '%s\n' "$output" | tail -n 60 | sed 's/^/     /'
    fi
}

tally_end() {
    printf '%d passed, %d failed\n' "$tally_passed" "$tally_failed"
    [ "$tally_failed" = 0 ]
}
