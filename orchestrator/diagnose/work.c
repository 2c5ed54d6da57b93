#include "diagnose/work.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <string.h>

/* Of a second that a channel says nothing by itself more is never a stall. */
enum {
    MEBI = 1 << 20,
    DISK_MOST = 64 * MEBI, /* what is ever written on a host at once */
    COUNT_MOST = 100000,
};

struct kind {
    const char *name;
    void (*make)(const struct cell *cell, struct work *work, struct text *script);
    bool changes;
};

static int64_t parameter(const struct cell *cell, const char *name, int64_t otherwise)
{
    int64_t value = cell_parameter(cell, name, otherwise);
    return value < 0 ? 0 : value;
}

static void make_echo(const struct cell *cell, struct work *work, struct text *script)
{
    (void)cell;
    text_add(script, "echo ok");
    work->expects = 3;
}

static void make_idle(const struct cell *cell, struct work *work, struct text *script)
{
    int64_t seconds = parameter(cell, "seconds", 30);
    text_addf(script, "sleep %ld; echo ok", (long)seconds);
    work->expects = 3;
    work->quiet_ns = seconds * NS_PER_S;
}

/* A second's bytes each second, until the time is over: on a busy host a round is longer than its sleep. */
static void make_trickle(const struct cell *cell, struct work *work, struct text *script)
{
    int64_t seconds = parameter(cell, "seconds", 30), rate = parameter(cell, "rate", 64);
    text_addf(script,
              "e=$(($(date +%%s)+%ld)); i=0; while [ $i -lt %ld ] && [ $(date +%%s) -lt $e ]; do "
              "head -c %ld /dev/zero; sleep 1; i=$((i+1)); done",
              (long)seconds + 1, (long)seconds, (long)rate);
    work->expects = (uint64_t)(seconds * rate / 2);
    work->quiet_ns = NS_PER_S;
}

/* Written as blocks of one size, the last one smaller. */
static void add_bytes(const struct cell *cell, int64_t bytes, struct work *work, struct text *script)
{
    int64_t segment = parameter(cell, "segment", 32768);
    if (segment < 1)
        segment = 1;
    if (bytes / segment)
        text_addf(script, "dd if=/dev/zero bs=%ld count=%ld 2>/dev/null; ", (long)segment,
                  (long)(bytes / segment));
    text_addf(script, "head -c %ld /dev/zero", (long)(bytes % segment));
    work->expects = (uint64_t)bytes;
}

static void make_bulk_down(const struct cell *cell, struct work *work, struct text *script)
{
    add_bytes(cell, parameter(cell, "bytes", 8 * MEBI), work, script);
}

static void make_bulk_up(const struct cell *cell, struct work *work, struct text *script)
{
    work->input_bytes = (size_t)parameter(cell, "bytes", 8 * MEBI);
    work->holds = false;
    text_addf(script, "[ $(wc -c) -eq %zu ] && echo ok", work->input_bytes);
    work->expects = 3;
}

static void make_throttled(const struct cell *cell, struct work *work, struct text *script)
{
    work->throttle = parameter(cell, "rate", 100000);
    add_bytes(cell, parameter(cell, "bytes", 2 * MEBI), work, script);
}

static void make_bursts(const struct cell *cell, struct work *work, struct text *script)
{
    int64_t count = parameter(cell, "count", 20), segment = parameter(cell, "segment", 4096);
    text_addf(script, "i=0; while [ $i -lt %ld ]; do head -c %ld /dev/zero; sleep 0.2; i=$((i+1)); done",
              (long)count, (long)segment);
    work->expects = (uint64_t)(count * segment);
}

/* The file is gone before it says so. A shell that is told to end ends there, and does not begin the next
 * file when the first is removed. */
static void make_disk(const struct cell *cell, struct work *work, struct text *script)
{
    int64_t bytes = parameter(cell, "bytes", 16 * MEBI), count = parameter(cell, "count", 8);
    if (count < 1)
        count = 1;
    text_addf(
        script,
        "f=$(mktemp /tmp/triphase-diagnose.XXXXXX) || exit 1; trap \"rm -f $f\" EXIT; "
        "trap \"exit 1\" HUP TERM INT PIPE; i=0; "
        "while [ $i -lt %ld ]; do dd if=/dev/zero of=$f bs=4096 count=%ld conv=fsync 2>/dev/null || exit 1; "
        "head -c 2048 /dev/zero; i=$((i+1)); done; rm -f $f; [ ! -e $f ] && echo ok",
        (long)count, (long)(bytes / count / 4096));
    work->expects = (uint64_t)(count * 2048 + 3);
    work->quiet_ns = 10 * NS_PER_S;
}

/* As a package manager does it: a process for each line or two. */
static void make_processes(const struct cell *cell, struct work *work, struct text *script)
{
    int64_t count = parameter(cell, "count", 200);
    text_addf(
        script,
        "i=0; while [ $i -lt %ld ]; do sh -c \"echo Unpacking part $i of a package over the one that is "
        "there ...\"; /bin/true; i=$((i+1)); done",
        (long)count);
    work->expects = (uint64_t)(count * 60);
    work->text = true;
}

static void make_channels(const struct cell *cell, struct work *work, struct text *script)
{
    int64_t count = parameter(cell, "count", 8), bytes = parameter(cell, "bytes", 65536);
    work->channels = count < 1 ? 1 : count > 64 ? 64 : (int)count;
    text_addf(script, "sleep 1; head -c %ld /dev/zero", (long)bytes);
    work->expects = (uint64_t)bytes;
    work->quiet_ns = NS_PER_S;
}

/* In double quotes, as one word of a sh: a script has no single ones. */
static void add_quoted(struct text *out, const char *script)
{
    text_add(out, "\"");
    for (const char *c = script; *c; c++)
        text_addf(out, "%s%c", strchr("\\\"$`", *c) ? "\\" : "", *c);
    text_add(out, "\"");
}

/* One that is installed and small. What apt fetched is the cache's as before; what is installed is the same.
 * Its output goes to descriptor 4, and descriptor 5 reads that again. Lists that may be old are fetched anew,
 * but not where there is nobody to fetch anything from: that is the host's own trouble, and told soon. */
static const char reinstall[] =
    "s=; [ $(id -u) -eq 0 ] || s=\"sudo -n\"; "
    "command -v apt-get >/dev/null || { echo no apt-get on this host >&2; exit 3; }; "
    "g() { $s env DEBIAN_FRONTEND=noninteractive RES_OPTIONS=\"timeout:3 attempts:1\" \"$@\" 5<&-; }; "
    "q=\"-o Acquire::Retries=0 -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15\"; "
    "r() { g apt-get -y $q -o DPkg::Lock::Timeout=60 -o Dpkg::Options::=--force-confold install --reinstall "
    "$1; }; "
    "n() { grep -q -e \"failure resolving\" -e \"ould not resolve\" -e \"ould not connect\" -e \"nable to "
    "connect\" /dev/fd/5; }; "
    "i() { dpkg -s $1 2>/dev/null | grep -q \"^Status: install ok installed\"; }; "
    "d() { grep -q \"^Setting up $1\" /dev/fd/5; }; "
    "for p in sensible-utils netbase hostname mawk ncurses-base; do i $p || continue; "
    "r $p; d $p || n || { g apt-get -qq $q update; n || r $p; }; i $p || g dpkg --configure -a; "
    "d $p && i $p && exit 0; echo $p is not reinstalled >&2; exit 4; done; exit 3";

/* A package manager that is ended in the middle, or whose output has nowhere to go, leaves a broken host:
 * it has a session and a file of its own, and goes on to its end whatever becomes of the connection, which
 * only follows. The file has no name any more when it begins, so that nothing has to remove it. A line
 * every few seconds tells a package manager that is silent, as one that waits for a mirror, from a connection
 * that is. */
static void make_package(const struct cell *cell, struct work *work, struct text *script)
{
    (void)cell;
    text_add(script, "f=$(mktemp /tmp/triphase-diagnose.XXXXXX) || exit 1; exec 4>$f 5<$f; rm -f $f; "
                     "o=; command -v setsid >/dev/null && o=setsid; $o sh -c ");
    add_quoted(script, reinstall);
    text_add(script, " </dev/null >&4 2>&1 4>&- & p=$!; "
                     "{ while sleep 4; kill -0 $p; do echo; done; } </dev/null >&4 2>/dev/null 5<&- & "
                     "tail -n +1 -s 0.2 -f --pid=$p <&5; wait $p");
    work->expects = 1;
    work->quiet_ns = 4 * NS_PER_S;
    work->text = true;
    work->goes_on = true;
}

static void make_idle_burst(const struct cell *cell, struct work *work, struct text *script)
{
    int64_t seconds = parameter(cell, "seconds", 30);
    text_addf(script, "sleep %ld; ", (long)seconds);
    add_bytes(cell, parameter(cell, "bytes", MEBI), work, script);
    work->quiet_ns = seconds * NS_PER_S;
}

static const struct kind kinds[] = {
    {"echo", make_echo, false},           {"idle", make_idle, false},
    {"trickle", make_trickle, false},     {"bulk-down", make_bulk_down, false},
    {"bulk-up", make_bulk_up, false},     {"throttled", make_throttled, false},
    {"bursts", make_bursts, false},       {"disk", make_disk, true},
    {"processes", make_processes, false}, {"channels", make_channels, false},
    {"package", make_package, true},      {"idle-burst", make_idle_burst, false},
};

static const struct kind *find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (text_is(kinds[i].name, name))
            return &kinds[i];
    return NULL;
}

bool work_changes(const char *name)
{
    const struct kind *kind = find(name);
    return kind && kind->changes;
}

/* It ends when the connection does: its stdin is open for as long as anybody is there. A shell gives what it
 * sends to the background another stdin, so that the watcher is given it by a number. What it ends is the
 * whole group, which is the session that sshd made for the command: a `sleep` outlives its shell. */
static void add_watched(struct text *out, const char *script)
{
    text_addf(out,
              "exec 3<&0; { %s; } & p=$!; { cat <&3 >/dev/null; kill 0; } >/dev/null 2>&1 & q=$!; "
              "wait $p; r=$?; kill $q; exit $r",
              script);
}

int work_of(const struct cell *cell, struct work *out, struct error *err)
{
    const struct kind *kind = find(cell->work);
    if (!kind)
        return error_set(err, ERROR_USAGE, "there is no work '%s'", cell->work ? cell->work : "");
    if (kind->changes && parameter(cell, "bytes", 0) > DISK_MOST)
        return error_set(err, ERROR_USAGE, "the work '%s' writes %d MiB at most on a host", kind->name,
                         DISK_MOST / MEBI);
    if (parameter(cell, "count", 0) > COUNT_MOST)
        return error_set(err, ERROR_USAGE, "the work '%s' takes a count of %d at most", kind->name,
                         COUNT_MOST);
    struct work work = {.channels = 1, .holds = true, .changes = kind->changes};
    AUTO_TEXT script = TEXT_INIT, watched = TEXT_INIT;
    kind->make(cell, &work, &script);
    work.holds = work.holds && !work.goes_on;
    if (work.holds)
        add_watched(&watched, text_string(&script));
    struct text command = TEXT_INIT;
    text_add(&command, "exec sh -c ");
    text_add_shell_word(&command, text_string(work.holds ? &watched : &script));
    work.command = text_take(&command);
    work.script = text_take(&script);
    *out = work;
    return 0;
}

void work_clear(struct work *work)
{
    free(work->command);
    free(work->script);
    *work = (struct work){0};
}
