#!/bin/sh
# What an ended step of triphase left running on this host: found by its marks, ended, counted. Sent to /bin/sh over stdin, behind lines that set
#   nonce   a word that nobody else can know    root    id of the first run of a chain: the folder of async jobs is called so
#   runs    ids of all runs of the chain, a word each: their async jobs are counted and waited for
#   grace   seconds from TERM to KILL           budget  seconds for all of it
#   looks   a word for each step: RUN/NN/SESSION/BOOT/SINCE; SINCE is when the step began, TICKS+SECONDS since this host's boot; "-": not known
#   wait    seconds to wait for async jobs; 0: only count them
# It needs a POSIX shell, grep, tr and /proc, and no Python: that may be the very thing that hangs.
#
# A step's processes are known by TRIPHASE_STEP=RUN/NN in their environment; by that assignment in the argv of a shell, sudo or the like (which do not have it in
# their environment); and by the logind session of the step's connection. Never a target: an async job, what systemd runs as a service or in a scope
# of its own, what carries another step's mark, what was in the session before the step, this script, and the session it runs in itself.
#
# Answers, a line each: triphase-sweep NONCE, who UID, boot ID, unit UNIT, then for each step
# look N FOUND KILLED LEFT JOBS UNITS SESSION (seen shared gone rebooted unknown) and left N PID NAME, then job ID and jobs COUNT, then end NONCE.
set -u
LC_ALL=C
: "${nonce:?}" "${root:?}" "${runs:?}" "${grace:?}" "${budget:?}" "${wait:?}" "${looks?}"
cd /proc || exit 1
nl='
'

uptime_s() {
    read -r up _ <uptime
    up=${up%%.*}
}

# Parent, state, session, flags and start time (clock ticks) of a process; fails when it is gone.
stat_of() {
    { read -r line <"$1/stat"; } 2>/dev/null || return 1
    line=${line##*) }
    # shellcheck disable=SC2086
    set -f -- $line
    set +f
    state=$1 parent=$2 leader=$4 flags=$7 start=${20}
}

# The unit of systemd that a process is in, "" for none.
unit_of() {
    unit=''
    { while IFS= read -r entry; do
        case $entry in 0::* | *:name=systemd:*) ;; *) continue ;; esac
        entry=${entry#*:}
        entry=${entry#*:}/
        while [ "$entry" ]; do
            case ${entry%%/*} in *.service | *.scope) unit=${entry%%/*} ;; esac
            entry=${entry#*/}
        done
    done <"$1/cgroup"; } 2>/dev/null
}

# Its environment and its argv, a line each word.
words_of() {
    environ=$nl$( (tr '\n\000' ' \n' <"$1/environ") 2>/dev/null)$nl
    argv=$( (tr '\n\000' ' \n' <"$1/cmdline") 2>/dev/null)
    name=''
    { read -r name <"$1/comm"; } 2>/dev/null
    case $name in *[!A-Za-z0-9_.+-]* | '') name=other ;; esac
}

# The async job of mitogen's that a process is or comes from: a fork of its interpreter (no exec: flag 0x40) that leads a session of its own. Neither has a mark
# in its environment. In a shell of its own: what stat_of said of the process stays.
mitogen_job() (
    at=$1
    while [ "$at" -gt 1 ] && stat_of "$at"; do
        if [ "$leader" = "$at" ] && [ $((flags / 64 % 2)) -eq 1 ]; then
            case $( (tr '\n\000' ' \n' <"$at/cmdline") 2>/dev/null) in
            *'(mitogen:'*) echo "$at" && return 0 ;;
            esac
        fi
        at=$parent
    done
    return 1
)

is_async() {
    case $environ in *"${nl}ANSIBLE_ASYNC_DIR="*) return 0 ;; esac
    mitogen_job "$1" >/dev/null
}
# By their folder where it is triphase's, else by their marks.
is_of_chain() {
    case $environ in *"${nl}ANSIBLE_ASYNC_DIR=~/.ansible_async/triphase-$root$nl"*) return 0 ;; esac
    for entry in $runs; do
        case $environ in *"${nl}TRIPHASE_STEP=$entry/"*) return 0 ;; esac
    done
    return 1
}

# systemd looks after it. A host without sessions has what came over SSH in sshd's own service.
is_service() {
    case $unit in
    '' | "$own_unit" | session-*.scope | ssh.service | sshd.service | ssh@*.service | sshd@*.service) return 1 ;;
    esac
}

# Shells and programs that change the user hand the mark on in their argv.
is_carrier() {
    set -- "${argv%%"$nl"*}"
    set -- "${1##*/}"
    case ${1#-} in
    sh | dash | bash | ash | ksh | mksh | zsh | fish | busybox | sudo | su | doas | runuser | pfexec | dzdo | ksu | pbrun | machinectl) ;;
    *) return 1 ;;
    esac
    case $argv in *"TRIPHASE_STEP=$mark "*) ;; *) return 1 ;; esac
}

# Whether a process belongs to the step; sets `found` to what it is.
judge() {
    stat_of "$1" || return 1
    case $state in Z | X) return 1 ;; esac
    case $own in *" $1 "*) return 1 ;; esac
    unit_of "$1"
    words_of "$1"
    if is_async "$1"; then
        found=job
    elif case $environ in *"${nl}TRIPHASE_STEP=$mark$nl"*) ;; *) false ;; esac; then
        found=target
    elif case $environ in *"${nl}TRIPHASE_STEP="*) ;; *) false ;; esac; then
        return 1
    elif is_carrier; then
        found=target
    elif [ "$use_session" ] && [ "$unit" = "session-$session.scope" ] && [ "$start" -ge "$begun" ]; then
        found=target
        case $name in sshd | sshd-session) found='link' ;; esac
    elif [ "$use_session" ] && [ "$unit" = "session-$session.scope" ]; then
        case $name in sshd | sshd-session) found='link' ;; *) return 1 ;; esac
    else
        return 1
    fi
    if [ $found = target ] && is_service; then found=unit; fi
}

# All of the step's processes that are there now, as PID:START.
look() {
    targets='' links='' jobs=0 units=0 members=''
    candidates=$(
        {
            grep -lF -e "TRIPHASE_STEP=$mark" [0-9]*/environ
            grep -lF -e "TRIPHASE_STEP=$mark " [0-9]*/cmdline
            if [ "$use_session" ]; then grep -lF -e "/session-$session.scope" [0-9]*/cgroup; fi
        } 2>/dev/null </dev/null
    )
    seen=' '
    for path in $candidates; do
        pid=${path%%/*}
        case $seen in *" $pid "*) continue ;; esac
        seen="$seen$pid "
        case $path in */cgroup) members=1 ;; esac
        judge "$pid" || continue
        case $found in
        target) targets="$targets $pid:$start:$name" ;;
        link) links="$links $pid:$start:$name" ;;
        job) jobs=$((jobs + 1)) ;;
        unit) units=$((units + 1)) ;;
        esac
    done
}

# A signal to each that is still the process it was.
signal() {
    number=$1 status=0
    shift
    for target; do
        pid=${target%%:*}
        since=${target#*:}
        if stat_of "$pid" && [ "$start" = "${since%%:*}" ]; then
            kill "-$number" "$pid" 2>/dev/null || status=1
        fi
    done
    return $status
}

rest() { sleep 0.1 2>/dev/null || sleep 1; }

sweep() {
    mark=$1 session=$2 boot=$3 begun=$4 use_session='' state_of_session=unknown
    told=' ' killed=' ' denied=' ' count=0 kills=0
    if [ "$session" != - ] && [ "$begun" != - ]; then
        begun=$((${begun%+*} + ${begun#*+} * ticks))
        state_of_session=shared
        if [ "$boot" != - ] && [ "$own_boot" != unknown ] && [ "$boot" != "$own_boot" ]; then
            state_of_session=rebooted
        elif [ "$own_unit" != "session-$session.scope" ]; then
            use_session=1 state_of_session=gone
        fi
    fi
    uptime_s
    until=$((up + grace))
    [ $until -lt "$latest" ] || until=$latest
    rounds=0
    while :; do
        look
        [ -z "$members" ] || state_of_session=seen
        [ "$targets" ] || break
        uptime_s
        for target in $targets; do
            case $told in *" $target "*) continue ;; esac
            told="$told$target "
            count=$((count + 1))
            # A stopped one takes note of TERM only when it goes on.
            signal TERM "$target" || denied="$denied$target "
            signal CONT "$target"
        done
        may=0
        for target in $targets; do
            case $denied in *" $target "*) ;; *) may=1 ;; esac
        done
        # Nobody waits for what this user may not end.
        [ $may = 1 ] || break
        if [ "$up" -ge $until ]; then
            rounds=$((rounds + 1))
            [ $rounds -le 20 ] || break
            for target in $targets; do
                case $killed in *" $target "*) ;; *) killed="$killed$target " kills=$((kills + 1)) ;; esac
            done
            # shellcheck disable=SC2086
            signal KILL $targets
        fi
        rest
    done
    # The connection that carried the step is over: what is left of it holds only the session open.
    # shellcheck disable=SC2086
    signal TERM $links
    # shellcheck disable=SC2086
    set -- $targets
    echo "look $index $count $kills $# $jobs $units $state_of_session"
    for target; do
        name=${target##*:}
        echo "left $index ${target%%:*} $name"
    done
}

# Async jobs of the run that have not ended: the wrapper of each lives as long as the job does. Of mitogen's there is none: its number is the job's name.
async_jobs() {
    ids=' ' running=0
    found=$(
        {
            grep -lF -e async_wrapper [0-9]*/cmdline
            for entry in $runs; do grep -lF -e "TRIPHASE_STEP=$entry/" [0-9]*/environ; done
        } 2>/dev/null </dev/null
    )
    for path in $found; do
        pid=${path%%/*}
        stat_of "$pid" || continue
        [ "$state" != Z ] || continue
        words_of "$pid"
        is_of_chain || continue
        case $path in
        */environ)
            id=$(mitogen_job "$pid") || continue
            ;;
        *)
            case $environ in *"${nl}ANSIBLE_ASYNC_DIR="*) ;; *) continue ;; esac
            id=${argv#*async_wrapper}
            id=${id#*"$nl"}
            id=${id%%"$nl"*}
            ;;
        esac
        case $id in *[!A-Za-z0-9.]* | '') id=other ;; esac
        case $ids in *" $id "*) continue ;; esac
        ids="$ids$id "
        running=$((running + 1))
    done
}

# The folders of their records, of whoever the tasks became: only what is empty goes. Others' are root's to take.
tidy() {
    rmdir "${HOME:-}/.ansible_async/triphase-$root"
    [ "$(id -u)" -ne 0 ] || while IFS=: read -r _ _ _ _ _ home _; do
        [ ! -d "$home/.ansible_async/triphase-$root" ] || rmdir "$home/.ansible_async/triphase-$root"
    done </etc/passwd
} 2>/dev/null

# Last, so that a script of which only a part came does nothing.
main() {
    ticks=$(getconf CLK_TCK 2>/dev/null) || ticks=100
    stat_of 1 && read -r own_boot <sys/kernel/random/boot_id && own_boot=$own_boot.$start || own_boot=unknown
    stat_of $$ || exit 1
    own=' ' pid=$$
    while [ "$pid" -gt 1 ]; do
        own="$own$pid "
        stat_of "$pid" || break
        pid=$parent
    done
    unit_of $$
    own_unit=$unit
    uptime_s
    latest=$((up + budget))

    echo "triphase-sweep $nonce"
    echo "who $(id -u)"
    echo "boot $own_boot"
    echo "unit ${own_unit:--}"
    index=0
    for entry in $looks; do
        rest_of=${entry#*/*/}
        step=${entry%"/$rest_of"}
        session=${rest_of%%/*}
        rest_of=${rest_of#*/}
        sweep "$step" "$session" "${rest_of%%/*}" "${rest_of#*/}"
        index=$((index + 1))
    done
    uptime_s
    patience=$((up + wait))
    async_jobs
    while [ $running -gt 0 ]; do
        uptime_s
        [ "$up" -lt $patience ] || break
        sleep 1
        async_jobs
    done
    for id in $ids; do echo "job $id"; done
    [ $running -gt 0 ] || tidy
    echo "jobs $running"
    echo "end $nonce"
}

main
