#!/bin/sh
# Waits until one thing holds of this host, which triphase's key `ready` names. Sent to /bin/sh over stdin, behind lines that set
#   nonce   a word that nobody else can know    kind    cloud-init apt reboot rebooted systemd user command
#   budget  seconds to wait                     "$@"    of kind command: a program and its arguments
# It needs a POSIX shell, stat, tr and /proc. What goes on meanwhile goes to stderr, a line when it changes.
#
# Answers, a line each: triphase-ready NONCE, boot ID, now SECONDS, then word TEXT for each thing to say, status JSON and said JSON (cloud-init: its record of stages,
# what `cloud-init status` prints), finished SECONDS, state STATE (ok warned absent off failed late going), end NONCE.
set -u
LC_ALL=C
PATH=${PATH:-}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
: "${nonce:?}" "${kind:?}" "${budget:?}"
told=''

uptime_s() {
    read -r up _ </proc/uptime
    up=${up%%.*}
}

over() {
    uptime_s
    [ "$up" -ge "$latest" ]
}

rest() { sleep 0.5 2>/dev/null || sleep 1; }

# One line of at most 2000 bytes, without what moves a cursor.
line() { tr '\n\t' '  ' | tr -d '\000-\037' | cut -c 1-2000; }

word() { printf 'word %s\n' "$(printf '%s' "$1" | line)"; }

tell() {
    [ "$1" = "$told" ] || printf '%s\n' "$1" >&2
    told=$1
}

has_systemd() { [ -d /run/systemd/system ] && command -v systemctl >/dev/null; }

# ---- cloud-init

# Its last unit has run, or will not in this boot.
cloud_init_units_over() {
    has_systemd || return 1
    case $(systemctl show -p ActiveState cloud-final.service 2>/dev/null) in
    *=active | *=failed) return 0 ;;
    *=inactive) case $(systemctl is-system-running 2>/dev/null) in running | degraded) return 0 ;; esac ;;
    esac
    return 1
}

cloud_init() {
    command -v cloud-init >/dev/null || { state=absent && return; }
    state=ok
    while [ ! -e /run/cloud-init/result.json ] && [ ! -e /run/cloud-init/disabled ] && ! cloud_init_units_over; do
        over && state=late && break
        tell 'cloud-init is under way'
        rest
    done
    for record in /run/cloud-init/status.json /var/lib/cloud/data/status.json; do
        [ -r "$record" ] || continue
        printf 'status %s\n' "$(tr -d '\n' <"$record")"
        break
    done
    [ ! -e /run/cloud-init/disabled ] || state=off
    [ $state = ok ] || return
    # One that knows no formats says so on stderr, and its record is enough.
    printf 'said %s\n' "$(cloud-init status --format json 2>/dev/null | tr -d '\n')"
    finished=$(date -r /var/lib/cloud/instance/boot-finished +%s.%N 2>/dev/null) && printf 'finished %s\n' "$finished"
}

# ---- apt

# Who holds a lock on one of the files: those that /proc/locks names and that have it open, or, where that may not be looked at, those of that very inode.
lock_held() {
    for file in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock /run/unattended-upgrades.lock; do
        [ -e "$file" ] || continue
        device=$(stat -c %d "$file") || continue
        minor=$(((device >> 12 & 0xfff00) + (device & 0xff)))
        at=$(printf '%02x:%02x:%s' $((device >> 8 & 0xfff)) $minor "$(stat -c %i "$file")")
        while read -r _ lock _ mode pid where _; do
            case $lock$mode in POSIXWRITE | FLOCKWRITE) ;; *) continue ;; esac
            [ "$pid" -gt 0 ] 2>/dev/null || continue
            [ "$where" != "$at" ] || return 0
            for descriptor in "/proc/$pid/fd/"*; do
                # shellcheck disable=SC3013 # dash, bash and busybox know it
                [ ! "$descriptor" -ef "$file" ] || return 0
            done
        done </proc/locks
    done
    return 1
}

since() { # PID: how long it runs, in seconds
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    stat=${stat##*) }
    # shellcheck disable=SC2086
    set -f -- $stat
    set +f
    uptime_s
    echo $((up - ${20} / ticks))
}

apt_busy() {
    if lock_held; then
        command=$( (tr '\000' ' ' <"/proc/$pid/cmdline") 2>/dev/null | cut -c 1-200)
        busy="$file is locked by process $pid (${command:-unknown}), which runs for $(since "$pid" || echo '?') s"
        return 0
    fi
    has_systemd || return 1
    for unit in apt-daily.service apt-daily-upgrade.service; do
        case $(systemctl is-active "$unit" 2>/dev/null) in
        active | activating | reloading)
            busy="$unit is under way"
            return 0
            ;;
        esac
    done
    return 1
}

# Between two steps of the same work a lock is free for a moment: one that was seen held has to be free twice.
apt() {
    command -v apt-get >/dev/null || { state=absent && return; }
    wanted=1 free=0
    while [ $free -lt $wanted ]; do
        if apt_busy; then
            tell "$busy"
            wanted=2 free=0
        else
            free=$((free + 1))
            [ $free -lt $wanted ] || break
        fi
        if over; then
            state=late
            word "$busy"
            return
        fi
        rest
    done
    state=ok
}

# ---- reboot

pending() {
    for file in /run/reboot-required /var/run/reboot-required; do
        [ -e "$file" ] || continue
        why=$( (cat "$file.pkgs") 2>/dev/null | sort -u | head -n 8 | line)
        why="$file is there${why:+, for $why}"
        return 0
    done
    why='needs-restarting says so'
    command -v needs-restarting >/dev/null && ! needs-restarting -r >/dev/null 2>&1
}

reboot_once() {
    if ! pending; then
        state=ok
    elif [ "$(id -u)" -ne 0 ]; then
        state=failed
        word "a reboot is pending ($why), and this login may not do it: it is not root, and sudo asks for a password"
    else
        state=going
        word "$why"
        setsid sh -c 'sleep 1; systemctl reboot || shutdown -r now || reboot' </dev/null >/dev/null 2>&1 &
    fi
}

rebooted() {
    state=ok
    ! pending || { state=warned && word "a reboot is pending again: $why"; }
}

# ---- systemd

systemd() {
    has_systemd || { state=absent && return; }
    while :; do
        running=$(systemctl is-system-running 2>/dev/null)
        case $running in running | degraded) break ;; esac
        tell "the system is ${running:-not to be asked}"
        if over; then
            state=late
            word "it is '$running'; under way: $(systemctl list-jobs --plain --no-legend 2>/dev/null | head -n 8 | while read -r _ unit _; do printf '%s ' "$unit"; done)"
            return
        fi
        rest
    done
    state=ok
    [ "$running" = degraded ] || return
    state=warned
    word "$(systemctl list-units --state=failed --plain --full --no-legend 2>/dev/null | head -n 20 | while read -r unit _; do printf '%s ' "$unit"; done)"
}

# ---- user

user() {
    state=ok
    [ "$(id -u)" -ne 0 ] || return
    if ! command -v sudo >/dev/null; then
        state=failed
        word "$(id -un) is not root, and there is no sudo"
    elif ! said=$(sudo -n true 2>&1 </dev/null); then
        state=failed
        word "$(id -un) is not root, and sudo refuses: $said"
    fi
}

# ---- command

run() {
    if command -v timeout >/dev/null; then
        timeout -k 2 $((latest > up ? latest - up : 1)) "$@"
    else
        "$@"
    fi
}

command_once() {
    state=ok tries=0
    while :; do
        uptime_s
        tries=$((tries + 1))
        said=$(run "$@" 2>&1 </dev/null) && return
        code=$?
        tell "try $tries ended with $code"
        uptime_s
        if [ $((up + 2)) -ge "$latest" ]; then
            state=late
            word "try $tries ended with $code${said:+: $(printf '%s' "$said" | tail -c 1000)}"
            return
        fi
        sleep 2
    done
}

# Last, so that a script of which only a part came does nothing.
main() {
    ticks=$(getconf CLK_TCK 2>/dev/null) || ticks=100
    uptime_s
    latest=$((up + budget)) state=failed
    boot=unknown
    if { read -r stat </proc/1/stat && read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null; then
        stat=${stat##*) }
        boot=$boot.$(
            # shellcheck disable=SC2086
            set -f -- $stat
            echo "${20}"
        )
    fi
    printf '\ntriphase-ready %s\nboot %s\nnow %s\n' "$nonce" "$boot" "$(date +%s.%N)"
    case $kind in
    cloud-init) cloud_init ;;
    apt) apt ;;
    reboot) reboot_once ;;
    rebooted) rebooted ;;
    systemd) systemd ;;
    user) user ;;
    command) command_once "$@" ;;
    esac
    printf 'state %s\nend %s\n' "$state" "$nonce"
}

main "$@"
