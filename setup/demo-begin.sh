# shellcheck shell=bash
# Sourced by the demos. Says what they install and change, asks, installs it and builds the program; `run` are the words
# before what needs root.

demo_begin() { # TITLE LINES: what it is, and what it changes beyond packages
    printf '%s. It installs and changes:\n' "$1"
    setup/install.sh --plan demo
    printf '%s\n' "$2"
    if [ "${YES:-}" = 1 ]; then
        echo "YES=1: going on."
    elif [ -t 0 ]; then
        local answer
        read -r -p "Go on? [y/N] " answer
        case $answer in
        y | Y | yes) ;;
        *)
            echo "Nothing was changed."
            exit 1
            ;;
        esac
    else
        echo "No terminal to ask on: going on."
    fi
    setup/install.sh demo
    "${MAKE:-make}" --no-print-directory -j"$(nproc)"
    run=()
    if [ "$(id -u)" != 0 ]; then
        # shellcheck disable=SC2034 # of whoever sources this
        run=(sudo)
    fi
}
