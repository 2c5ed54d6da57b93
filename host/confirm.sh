#!/bin/sh
# Commit-confirm: puts this host back to what it was when a phase of triphase began, unless somebody who came in over a new connection says in time that the
# way in stands. Laid down as /var/lib/triphase-confirm/program (root, 0700); needs systemd, nft, flock, ip, awk and diff. Called
#   program arm NONCE ID SECONDS REBOOTS   keeps what is so now, and starts the time (REBOOTS 1: a boot starts it anew instead of putting back at once)
#   program renew|disarm NONCE ID          the time begins anew, or is over: nothing is left here
#   program settle NONCE ID                of an ID that nobody will confirm any more: puts back now what is armed still; tells what was put back, and forgets it
#   program restore timer|boot             what the units call
# Answers, a line each: triphase-confirm NONCE, state STATE, word TEXT for each thing to say, at SECONDS (when it was put back, since 1970), why timer|boot|asked,
# line TEXT for each line of the difference, end NONCE. States: armed renewed disarmed, restored (difference and words say what was), busy (another ID is
# armed), refused, absent (nothing of that ID is here). A person may call `program restore timer` too.
set -u
LC_ALL=C
export LC_ALL
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 077
dir=/var/lib/triphase-confirm
armed=$dir/armed restored=$dir/restored
# What is made here is whole before it stands below $dir; in memory, since a disk may be full.
work=/run/triphase-confirm
units=/etc/systemd/system
most=32768
# What others make by themselves, by its begin: chains and tables, then devices.
foreign_names='^(DOCKER|docker|ts-|tailscale|KUBE-|kube|CNI-|cni|FLANNEL|flannel|cali|LIBVIRT|libvirt|NETAVARK|netavark|f2b-|lxd|incus)'
foreign_devices='^(docker|br-|veth|tailscale|cni|flannel|cali|virbr|podman|lxdbr|incusbr)'
# What decides at the next boot what is so now, in the order in which it is told.
sshd_files='/etc/ssh/sshd_config /etc/ssh/sshd_config.d'
other_files='/etc/nftables.conf /etc/nftables.d /etc/nftables /etc/iptables /etc/sysconfig/nftables.conf /etc/sysconfig/iptables /etc/sysconfig/ip6tables
/etc/network/interfaces /etc/network/interfaces.d /etc/netplan /etc/systemd/network'
sshd_units='ssh.service sshd.service ssh.socket sshd.socket'
packet_tables='filter nat mangle raw security'

# Hundredths of a second since the boot, and which boot that is.
clock() {
    read -r up _ </proc/uptime
    now=${up%.*}${up#*.}
    read -r boot </proc/sys/kernel/random/boot_id
    read -r stat </proc/1/stat
    stat=${stat##*) }
    # shellcheck disable=SC2086
    set -f -- $stat
    set +f
    boot=$boot.${20}
}

word() { printf 'word %s\n' "$(printf '%s' "$1" | tr '\n\t' '  ' | tr -d '\000-\037' | cut -c 1-500)"; }
said() { printf '%s\n' "$1" >>"$work/words"; }
failed() { said "not put back: $1"; }

# ---- what is so now, as files below $1

legacy_in_use() { [ -s "/proc/net/$1" ] && command -v "$2-save" >/dev/null; }

# Tables of the packet filter that belong to iptables, as "TOOL FAMILY TABLE".
iptables_tables() {
    nft list tables 2>/dev/null | while read -r _ family name; do
        case $family in ip) tool=iptables-nft ;; ip6) tool=ip6tables-nft ;; *) continue ;; esac
        command -v "$tool-save" >/dev/null || continue
        case " $packet_tables " in *" $name "*) ;; *) continue ;; esac
        text=$("$tool-save" -t "$name" 2>&1) || continue
        case $text in *incompatible*) ;; *"*$name"*) echo "$tool $family $name" ;; esac
    done
    for pair in ip_tables_names:iptables-legacy ip6_tables_names:ip6tables-legacy; do
        legacy_in_use "${pair%:*}" "${pair#*:}" || continue
        while read -r name; do echo "${pair#*:} - $name"; done <"/proc/net/${pair%:*}"
    done
}

save_filter() {
    nft list tables >/dev/null || return 1
    iptables_tables >"$1/iptables.list"
    while read -r tool family name; do "$tool-save" -t "$name" | sed 's/ \[[0-9]*:[0-9]*\]$//; /^#/d' >"$1/$tool.$name"; done <"$1/iptables.list"
    number=0
    nft list tables | while read -r _ family name; do
        ! grep -q "^[^ ]* $family $name\$" "$1/iptables.list" || continue
        number=$((number + 1))
        nft -s list table "$family" "$name" >"$1/nft.$number" && echo "$number $family $name"
    done >"$1/nft.list"
    nft -s list ruleset | grep -v '^# Warning' >"$1/ruleset"
    for tool in iptables-legacy ip6tables-legacy; do cat "$1/$tool".* 2>/dev/null >"$1/$tool"; done
    return 0
}

save_network() {
    ip -o link show | awk -v foreign="$foreign_devices" '{
        name = $2; sub(/:$/, "", name); sub(/@.*/, "", name)
        if (name !~ foreign) print name, ($3 ~ /[<,]UP[,>]/ ? "up" : "down"), $5 }' >"$1/links" || return 1
    ip -o addr show | awk -v foreign="$foreign_devices" '$2 !~ foreign && !/ temporary/ && !/ scope link / {
        if ($5 == "brd") print $3, $4, $2, $6; else print $3, $4, $2 }' >"$1/addresses" || return 1
    for family in 4 6; do
        ip -o -$family route show table all 2>/dev/null | sed 's/\\/ /g; s/ linkdown//g; s/ dead//g; s/ expires [0-9]*sec//; s/ r\{0,1\}t\{0,1\}_\{0,1\}offload//; s/[ \t]*$//' |
            awk -v foreign="$foreign_devices" '$1 !~ /^(local|broadcast|multicast|anycast)$/ && !/ table local( |$)/ {
                for (i = 1; i < NF; i++) if ($i == "dev" && $(i + 1) ~ foreign) next
                print }' >"$1/routes$family" || return 1
        # Those of Tailscale have these numbers.
        ip -$family rule show 2>/dev/null | sed 's/^\([0-9]*\):[ \t]*/pref \1 /; s/[ \t]*$//' | awk '$2 < 5200 || $2 > 5300' >"$1/rules$family" || return 1
    done
}

save_files() {
    mkdir -p "$1/files"
    for path in $sshd_files $other_files; do
        [ -e "$path" ] || continue
        mkdir -p "$1/files${path%/*}" && cp -a "$path" "$1/files${path%/*}/" || return 1
    done
    # Asked once for all: "active" has a line for each, what is enabled for those that there are.
    # shellcheck disable=SC2086
    { systemctl is-active $sshd_units 2>/dev/null; systemctl list-unit-files --no-legend --no-pager $sshd_units 2>/dev/null; } |
        awk -v units="$sshd_units" 'BEGIN { n = split(units, name) }
            NR <= n { active[NR] = $1; next }
            { enabled[$1] = $2 }
            END { for (i = 1; i <= n; i++) print name[i], active[i], enabled[name[i]] }' >"$1/sshd"
}

save() {
    rm -rf "$1"
    mkdir -p "$1" && save_filter "$1" && save_network "$1" && save_files "$1"
}

# ---- what differs, and what of it cut the way off

difference() {
    for part in ruleset iptables-legacy ip6tables-legacy links addresses routes4 routes6 rules4 rules6 sshd; do
        diff -U 1 -L "$part before" -L "$part" "$armed/$part" "$work/$part"
    done
    for path in $sshd_files; do
        [ -e "$armed/files$path" ] || [ -e "$work/files$path" ] || continue
        diff -N -r -U 1 "$armed/files$path" "$work/files$path" | sed "s,$armed/files,,g; s,$work/files,,g; /^diff /d"
    done
    for path in $other_files; do
        [ -e "$armed/files$path" ] || [ -e "$work/files$path" ] || continue
        diff -r -q "$armed/files$path" "$work/files$path" >/dev/null 2>&1 || echo "changed: $path"
    done
}

# Seen before anything is put back.
blame() {
    read -r peer port <"$armed/peer"
    [ "$peer" = - ] || ip route get "$peer" >/dev/null 2>&1 || said "there was no route to $peer, where the run came from"
    [ "$port" = - ] || [ "$(ss -Hltn "sport = :$port" 2>/dev/null)" ] || said "nothing listened on port $port, on which the run came in"
    sshd -t 2>/dev/null || ! command -v sshd >/dev/null || said "sshd took its configuration no more: $(sshd -t 2>&1 | head -n 1)"
    awk '/^\+\+\+ /{ part = $2 } /^\+[^+]/ && part == "ruleset" && /drop|reject/ { sub(/^\+[ \t]*/, ""); print "new in the packet filter: " $0 }
        /^-[^-]/ && part ~ /^routes/ && /^-default/ { sub(/^-/, ""); print "gone from the routes: " $0 }
        /^\+[^+]/ && part ~ /^\/etc\/ssh/ { sub(/^\+[ \t]*/, ""); if ($0 !~ /^#/ && $0 != "") print "new in " part ": " $0 }' "$work/difference" | head -n 5 >>"$work/words"
}

# ---- putting back

# A table of iptables: what was there is as it was; new chains stay, and nothing that was there leads to them; what is others' stays where it is.
iptables_script() { # SAVED NOW TABLE
    awk -v foreign="$foreign_names" -v devices="$foreign_devices" -v table="$3" '
        function others(rule,   i, n, words, plain) {
            n = split(rule, words, " ")
            for (i = 3; i < n; i++) {
                if (words[i] ~ /^-[jg]$/ && words[i + 1] ~ foreign) return 1
                if (words[i] ~ /^-[io]$/ && words[i + 1] ~ devices) {
                    plain = words[i - 1] != "!"
                    if (plain || rule !~ /-j (DROP|REJECT|DNAT|REDIRECT|NFQUEUE)/) return 1
                }
            }
            return 0
        }
        /^:/ { name = substr($1, 2)
            if (FNR == NR) { if (!(name in policy)) order[++count] = name; policy[name] = $2 }
            else { present[name] = 1; is[name] = $2; if ($2 != "-" && !(name in policy)) { order[++count] = name; policy[name] = "ACCEPT" } } }
        /^-A/ { if (FNR == NR) { rules[$2] = rules[$2] $0 "\n"; known[$0] = 1 } else { filled[$2] = 1; if (!($0 in known) && $2 !~ foreign && others($0)) kept[$2] = kept[$2] $0 "\n" } }
        END {
            print "*" table
            for (i = 1; i <= count; i++) {
                name = order[i]
                if (name ~ foreign && name != "DOCKER-USER" && present[name] && filled[name]) { policy[name] = "leave"; continue }
                # Who forwards for others says what is forwarded; nobody comes in that way.
                if (name == "FORWARD" && kept[name] != "") policy[name] = is[name]
                print ":" name " " policy[name] " [0:0]"
            }
            for (i = 1; i <= count; i++) if (policy[order[i]] != "leave") print "-F " order[i]
            for (i = 1; i <= count; i++) if (policy[order[i]] != "leave") printf "%s%s", kept[order[i]], rules[order[i]]
            print "COMMIT"
        }' "$1" "$2"
}

restore_iptables() {
    iptables_tables >"$work/iptables.again"
    sort -u "$armed/iptables.list" "$work/iptables.again" | while read -r tool family name; do
        before=$armed/$tool.$name
        [ -e "$before" ] || before=/dev/null
        if ! grep -q "^$tool $family $name\$" "$work/iptables.again"; then
            # Gone, or no longer iptables' own.
            [ "$family" = - ] || nft delete table "$family" "$name" 2>/dev/null
            : >"$work/table"
        else
            "$tool-save" -t "$name" | sed 's/ \[[0-9]*:[0-9]*\]$//; /^#/d' >"$work/table"
        fi
        # An empty first file has no line by which awk could tell it from the second.
        [ "$before" != /dev/null ] || { before=$work/nothing && echo '#' >"$before"; }
        iptables_script "$before" "$work/table" "$name" >"$work/script"
        "$tool-restore" --noflush <"$work/script" 2>"$work/error" || failed "table $name of $tool: $(head -n 1 "$work/error")"
    done
}

# What is others' in a table that was there: their chains, and the rules that lead to them.
others_of_table() { # FILE FAMILY NAME SAVED
    awk -v foreign="$foreign_names" -v family="$2" -v name="$3" '
        FNR == NR { if ($1 == "chain") had[$2] = 1; next }
        $1 == "chain" && /^\tchain / { chain = $2; mine = chain ~ foreign && !(chain in had); if (mine) text = text $0 "\n"; next }
        /^\t}/ { if (mine) text = text $0 "\n"; mine = 0; chain = ""; next }
        mine { text = text $0 "\n"; next }
        chain != "" && chain in had { for (i = 1; i < NF; i++) if ($i ~ /^(jump|goto)$/ && $(i + 1) ~ foreign && !($(i + 1) in had)) {
            line = $0; sub(/^[ \t]+/, "", line); insert = "insert rule " family " " name " " chain " " line "\n" insert } }
        END { if (text != "") printf "table %s %s {\n%s}\n%s", family, name, text, insert }' "$4" "$1"
}

holds_packets() { grep -q ' hook ' "$1" && grep -Eq '\<(drop|reject|queue|dnat|redirect|tproxy)\>' "$1"; }

nft_script() { # with others' chains in tables that were there, unless $1 is "alone"
    while read -r number family name; do
        echo "table $family $name {}"
        echo "delete table $family $name"
        cat "$armed/nft.$number"
        [ "$1" = alone ] || ! nft -s list table "$family" "$name" >"$work/table" 2>/dev/null || others_of_table "$work/table" "$family" "$name" "$armed/nft.$number"
    done <"$armed/nft.list"
    while read -r number family name; do
        ! grep -q "^[0-9]* $family $name\$" "$armed/nft.list" || continue
        # One that was iptables' is put back by iptables.
        ! grep -q "^[^ ]* $family $name\$" "$armed/iptables.list" || continue
        ! printf '%s\n' "$name" | grep -Eq "$foreign_names" || continue
        ! holds_packets "$work/nft.$number" || echo "delete table $family $name"
    done <"$work/nft.list"
}

# In one step: there is no moment without.
restore_nft() {
    nft_script with >"$work/script.nft"
    nft -f "$work/script.nft" 2>"$work/error" && return
    nft_script alone >"$work/script.nft"
    nft -f "$work/script.nft" 2>"$work/error" && return
    failed "the packet filter at once: $(grep -m 1 Error "$work/error")"
    while read -r number family name; do
        { echo "table $family $name {}" && echo "delete table $family $name" && cat "$armed/nft.$number"; } >"$work/script.nft"
        nft -f "$work/script.nft" 2>"$work/error" || failed "table $family $name: $(grep -m 1 Error "$work/error")"
    done <"$armed/nft.list"
    nft_script alone | grep '^delete table' | while read -r line; do
        set -f
        # shellcheck disable=SC2086
        nft $line 2>/dev/null
        set +f
    done
}

lacking() { grep -Fvx -f "$2" "$1"; } # lines of the first that the second has not

restore_network() {
    while read -r name state mtu; do
        [ -e "/sys/class/net/$name" ] || continue
        ip link set dev "$name" mtu "$mtu" 2>/dev/null
        [ "$state" = down ] || ip link set dev "$name" up 2>/dev/null
    done <"$armed/links"
    save_network "$work/after"
    lacking "$armed/addresses" "$work/after/addresses" | while read -r _ address device broadcast; do
        ip addr add "$address" ${broadcast:+brd "$broadcast"} dev "$device" 2>/dev/null || failed "address $address on $device"
    done
    for family in 4 6; do
        for round in near far; do
            lacking "$armed/routes$family" "$work/after/routes$family" | while read -r line; do
                case $line in *' via '* | *nexthop*) [ $round = far ] || continue ;; *) [ $round = near ] || continue ;; esac
                # shellcheck disable=SC2086
                ip -$family route replace $line 2>/dev/null || failed "route $line"
            done
        done
        lacking "$work/after/routes$family" "$armed/routes$family" | grep -v ' proto kernel' | while read -r line; do
            # shellcheck disable=SC2086
            ip -$family route del $line 2>/dev/null
        done
        # shellcheck disable=SC2086
        lacking "$armed/rules$family" "$work/after/rules$family" | while read -r line; do ip -$family rule add $line 2>/dev/null || failed "rule $line"; done
        # shellcheck disable=SC2086
        lacking "$work/after/rules$family" "$armed/rules$family" | while read -r line; do ip -$family rule del $line 2>/dev/null; done
    done
}

# What is put in its place is whole before it stands there.
restore_files() {
    changed=''
    for path in $sshd_files $other_files; do
        kept=$armed/files$path
        if [ -e "$kept" ]; then
            [ ! -e "$path" ] || ! diff -r -q "$kept" "$path" >/dev/null 2>&1 || continue
            rm -rf "$path.triphase-new" "$path.triphase-old"
            mkdir -p "${path%/*}"
            cp -a "$kept" "$path.triphase-new" || { failed "$path" && continue; }
            [ ! -d "$path" ] || mv "$path" "$path.triphase-old"
            mv "$path.triphase-new" "$path" || failed "$path"
            rm -rf "$path.triphase-old"
        elif [ -e "$path" ]; then
            rm -rf "$path"
        else
            continue
        fi
        changed="$changed $path"
    done
    sync
}

restore_sshd() {
    case $changed in *' /etc/ssh/'*) again=1 ;; *) again='' ;; esac
    systemctl daemon-reload
    while read -r name active enabled; do
        if [ "$enabled" = enabled ] && [ "$(systemctl is-enabled "$name" 2>/dev/null)" != enabled ]; then
            systemctl unmask "$name" 2>/dev/null
            systemctl enable "$name" 2>/dev/null
        fi
        case $active.$enabled in *.alias) continue ;; active.*) ;; *) continue ;; esac
        case $name in *.socket) how=restart ;; *) how=reload-or-restart ;; esac
        if [ "$(systemctl is-active "$name" 2>/dev/null)" != active ]; then
            systemctl reset-failed "$name" 2>/dev/null
            systemctl start "$name" 2>/dev/null || failed "$name"
        elif [ "$again" ]; then
            systemctl $how "$name" 2>/dev/null || systemctl restart "$name" 2>/dev/null || failed "$name"
        fi
    done <"$armed/sshd"
}

# Once it is known what differs this is brought to its end, by whoever comes next where it is cut off.
is_begun() { [ -e "$armed/difference" ]; }

tell_difference() { # WHY
    difference 2>/dev/null | head -c $most >"$work/difference"
    [ "$1" = boot ] || blame
    cp "$work/words" "$armed/words"
    cp "$work/difference" "$armed/difference.new"
    mv "$armed/difference.new" "$armed/difference"
}

# Early in a boot there is neither a network nor an sshd yet: those come up as the files say.
restore_all() { # WHY
    save "$work"
    mkdir -p "$work/after"
    : >"$work/words"
    is_begun || tell_difference "$1"
    cat "$armed/words" >"$work/words"
    restore_nft
    restore_iptables
    [ "$1" = boot ] || restore_network
    restore_files
    [ "$1" = boot ] || restore_sshd
    awk '!seen[$0]++' "$work/words" >"$armed/words"
    rm -rf "$work"
}

remove_units() {
    systemctl stop triphase-confirm.timer 2>/dev/null
    # By hand: systemctl would read all units anew for this, and once more for the files.
    rm -f "$units/timers.target.wants/triphase-confirm.timer" "$units/sysinit.target.wants/triphase-confirm-boot.service"
    rm -f "$units/triphase-confirm.timer" "$units/triphase-confirm.service" "$units/triphase-confirm-boot.service"
    systemctl daemon-reload
}

# At once: of what is half gone no boot puts anything back.
forget() {
    rm -rf "$dir/gone"
    mv "$armed" "$dir/gone" || return 1
    rm -rf "$dir/gone"
}

restore_final() { # WHY
    restore_all "$1"
    why=$1
    [ ! -e "$armed/booted" ] || why=boot
    echo "$why" >"$armed/why"
    date +%s >"$armed/at"
    rm -rf "$restored"
    mv "$armed" "$restored"
    for path in "$restored"/*; do
        case ${path##*/} in id | why | at | words | difference) ;; *) rm -rf "$path" ;; esac
    done
    remove_units
}

is_due() {
    clock
    until_boot='' until_at=0
    read -r until_boot until_at <"$armed/until"
    [ "$until_boot" != "$boot" ] || [ "$now" -ge "$until_at" ]
}

restore() { # timer, boot
    if [ ! -d "$armed" ]; then
        # What was cut off before it was armed, or behind that.
        rm -rf "$dir/gone" "$armed.new"
        [ "$1" = boot ] || remove_units
    elif [ "$1" = boot ]; then
        restore_all boot
        : >"$armed/booted"
    elif is_begun || is_due; then
        restore_final "$1"
    fi # else it was renewed while the timer went off
}

# ---- what is asked from outside

refuse() {
    echo 'state refused'
    word "$1"
}

start_time() {
    clock
    echo "$boot $((now + seconds * 100))" >"$armed/until.new" && mv "$armed/until.new" "$armed/until"
    systemctl restart triphase-confirm.timer
}

write_units() {
    cat >"$units/triphase-confirm.service" <<UNIT || return 1
[Unit]
Description=triphase: puts this host back, since its way in was not proven in time
StartLimitIntervalSec=0
[Service]
Type=oneshot
ExecStart=/bin/sh $dir/program restore timer
UNIT
    cat >"$units/triphase-confirm.timer" <<UNIT || return 1
[Unit]
Description=triphase: the time that this host goes without a proven way in
StartLimitIntervalSec=0
[Timer]
OnActiveSec=$seconds
OnUnitInactiveSec=15
AccuracySec=50ms
RemainAfterElapse=no
[Install]
WantedBy=timers.target
UNIT
    enabled=triphase-confirm.timer
    [ "$reboots" = 1 ] || {
        enabled="$enabled triphase-confirm-boot.service"
        cat >"$units/triphase-confirm-boot.service" <<UNIT || return 1
[Unit]
Description=triphase: puts this host back in a boot that came before its way in was proven
DefaultDependencies=no
RequiresMountsFor=$dir /etc
After=local-fs.target
Wants=network-pre.target
Before=network-pre.target nftables.service netfilter-persistent.service networking.service systemd-networkd.service ssh.service sshd.service ssh.socket sshd.socket
[Service]
Type=oneshot
ExecStart=/bin/sh $dir/program restore boot
[Install]
WantedBy=sysinit.target
UNIT
    }
    # This reads all units anew too.
    # shellcheck disable=SC2086
    systemctl enable $enabled >/dev/null 2>&1
}

# Where the run came from, and to which port: as the login knows it, or what sudo was called with.
peer_of() {
    came=${SSH_CONNECTION:-}
    [ "$came" ] || came=$( (tr '\000' '\n' <"/proc/$PPID/environ") 2>/dev/null | sed -n 's/^SSH_CONNECTION=//p')
    # shellcheck disable=SC2086
    set -- $came
    echo "${1:--} ${4:--}"
}

# What cannot be put back is known before anything is changed.
tried() {
    while read -r number family name; do
        { echo "table $family $name {}" && echo "delete table $family $name" && cat "$work/nft.$number"; } >"$work/trial"
        nft -c -f "$work/trial" 2>"$work/error" || { echo "table $family $name: $(grep -m 1 Error "$work/error")" && return 1; }
    done <"$work/nft.list"
    while read -r tool _ name; do
        iptables_script "$work/$tool.$name" "$work/$tool.$name" "$name" >"$work/trial"
        "$tool-restore" --test --noflush <"$work/trial" 2>"$work/error" || { echo "table $name of $tool: $(head -n 1 "$work/error")" && return 1; }
    done <"$work/iptables.list"
    rm -f "$work/trial" "$work/error"
}

left_s() {
    is_due
    left=$(((until_at - now + 99) / 100))
    [ $left -gt 0 ] || left=0
}

# An earlier attempt of the same run never began, since its answer got lost; of one whose time is over the timer was cut off.
is_over() {
    other=$(cat "$armed/id")
    [ "${other%/*}" = "${id%/*}" ] || is_due
}

arm() {
    seconds=$1 reboots=$2
    if [ -d "$armed" ] && is_over; then
        restore_final asked
        [ "${other%/*}" != "${id%/*}" ] || rm -rf "$restored"
    elif [ -d "$armed" ]; then
        left_s
        echo 'state busy'
        word "$other, of which $left s are left"
        return
    fi
    # Another one's end may have taken it away since it was written.
    [ -f "$dir/program" ] || { refuse "another phase's way back was just taken away there: try again" && return; }
    for program in nft ip awk diff grep; do
        command -v $program >/dev/null || { refuse "there is no $program on the host: install it there" && return; }
    done
    save "$work" || { refuse "what is so there cannot be kept" && return; }
    why=$(tried) || { refuse "this could not be put back: $why" && return; }
    echo "$id" >"$work/id"
    echo "$seconds" >"$work/seconds"
    peer_of >"$work/peer"
    rm -rf "$armed.new"
    why=$(cp -a "$work" "$armed.new" 2>&1) || { refuse "what is so there cannot be kept: $why" && return; }
    # It is on the disk, and whole, before there is anything that goes by it; units without it do nothing.
    sync
    if ! write_units || ! mv "$armed.new" "$armed" || ! start_time; then
        [ ! -d "$armed" ] || forget
        remove_units
        refuse "its units cannot be started"
        return
    fi
    sync
    echo 'state armed'
}

is_ours() { [ -d "$1" ] && [ "$(cat "$1/id" 2>/dev/null)" = "$id" ]; }

tell_restored() {
    echo 'state restored'
    # A disk that was full kept nothing of them.
    why=$(cat "$restored/why")
    at=$(cat "$restored/at")
    echo "why ${why:-timer}"
    echo "at ${at:-$(date -r "$restored" +%s)}"
    [ ! -e "$restored/words" ] || while read -r line; do word "$line"; done <"$restored/words"
    tr -d '\000-\010\013-\037' <"$restored/difference" | sed 's/^/line /'
}

# A boot that put back early does the rest when somebody comes or its time is over, whichever is first.
renew() {
    if is_ours "$armed" && is_begun; then
        restore_final asked
    fi
    if is_ours "$armed"; then
        read -r seconds <"$armed/seconds"
        if start_time; then echo 'state renewed'; else refuse 'its timer cannot be started anew'; fi
    elif is_ours "$restored"; then
        tell_restored
    else
        echo 'state absent'
    fi
}

disarm() {
    if is_ours "$armed" && ! is_begun; then
        forget || { refuse "what is kept there cannot be taken away" && return; }
        remove_units
        echo 'state disarmed'
    else
        renew
    fi
}

settle() {
    ! is_ours "$armed" || restore_final asked
    if is_ours "$restored"; then
        tell_restored
        rm -rf "$restored"
    else
        echo 'state absent'
    fi
}

# Last, so that a script of which only a part came does nothing.
main() {
    # Whoever asked may be gone: what was begun is brought to its end.
    trap '' HUP PIPE
    [ "$1" = restore ] || printf '\ntriphase-confirm %s\n' "$2"
    if [ "$(id -u)" -ne 0 ]; then
        refuse "this login is not root, and sudo asks for a password"
    elif [ ! -d /run/systemd/system ] || ! command -v systemctl >/dev/null; then
        refuse "no systemd runs the host"
    elif ! command -v flock >/dev/null; then
        refuse "there is no flock on the host: install util-linux there"
    elif [ "$1" != arm ] && [ ! -e "$dir/lock" ]; then
        echo 'state absent'
    else
        # Whoever comes late makes nothing anew.
        [ "$1" != arm ] || : >>"$dir/lock"
        exec 9<"$dir/lock"
        flock -w 30 9 || { [ "$1" = restore ] || refuse "another one of its kind has run for 30 s"; exit 1; }
        id=${3:-}
        case $1 in
        arm) arm "$4" "$5" ;;
        renew | disarm | settle | restore) "$1" "$2" ;;
        esac
        rm -rf "$work"
        if [ ! -d "$armed" ] && [ ! -d "$restored" ] && [ "$2" != boot ]; then
            # Another end may have been cut off.
            [ ! -e "$units/triphase-confirm.timer" ] || remove_units
            rm -rf "$dir"
        fi
    fi
    [ "$1" = restore ] || echo "end $2"
}

main "$@"
