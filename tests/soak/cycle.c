/* Cycles in a row of a small real recipe in a sandbox: nothing is left of any round, and the process that
 * cycles grows neither in memory nor in descriptors. SOAK_CYCLES (50) rounds. */
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "lab/damage.h"
#include "lab/sandbox.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first rounds fill caches; a page here or there is the allocator's. The moment between two runs, when
 * the process holds least, is short: of some rounds together it is met. */
enum { WARM_UP = 2, SPAN = 8, GROWTH_KIB = 256, ROUND_BOUND_S = 120 };

struct use {
    int descriptors;
    long kib; /* anonymous memory */
};

#define NOTHING_SEEN ((struct use){1 << 20, 1L << 40})

static void lower(struct use *into, const struct use *from)
{
    into->descriptors = from->descriptors < into->descriptors ? from->descriptors : into->descriptors;
    into->kib = from->kib < into->kib ? from->kib : into->kib;
}

static int count_descriptors(pid_t pid)
{
    AUTO_FREE char *path = xasprintf("/proc/%ld/fd", (long)pid);
    DIR *folder = opendir(path);
    int count = 0;
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count ? count - 2 : 0;
}

static long anonymous_kib(pid_t pid)
{
    AUTO_FREE char *path = xasprintf("/proc/%ld/status", (long)pid);
    FILE *status = fopen(path, "re");
    char line[256];
    long kib = 0;
    while (status && fgets(line, sizeof line, status))
        if (text_starts(line, "RssAnon:"))
            kib = strtol(line + strlen("RssAnon:"), NULL, 10);
    if (status)
        fclose(status);
    return kib;
}

struct round {
    struct lab *lab;
    pid_t command;
    const char *over; /* query: the round is over */
    struct use least; /* seen in it: what a run needs for a while is none of its growth */
};

static bool is_over(void *context)
{
    struct round *round = context;
    struct use now = {count_descriptors(round->command), anonymous_kib(round->command)};
    if (now.descriptors > 0 && now.kib > 0)
        lower(&round->least, &now);
    return !damage_alive(round->command) || lab_sql_number(round->lab, round->over) != 0;
}

static struct lab *small_project(void)
{
    struct lab *lab = lab_new();
    lab_write(lab, "triphase.yml",
              "project: lab\ntargets:\n  box:\n    provider: sandbox\n    recipe: work\n");
    lab_write(lab, "phases/work.yml",
              "phases:\n  - name: install\n    playbook: playbooks/install.yml\n"
              "  - name: check\n    playbook: playbooks/check.yml\n");
    lab_write(
        lab, "playbooks/install.yml",
        "- hosts: recipe_work\n  tasks:\n    - name: unit\n      ansible.builtin.copy:\n        dest: "
        "/etc/systemd/system/lab.service\n        content: \"[Service]\\nExecStart=/bin/sleep infinity\\n\"\n"
        "        mode: \"0644\"\n    - name: service\n      ansible.builtin.systemd:\n        name: lab\n"
        "        state: started\n        daemon_reload: true\n");
    lab_write(lab, "playbooks/check.yml",
              "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - name: it runs\n      "
              "ansible.builtin.command: systemctl is-active lab\n      changed_when: false\n");
    return lab;
}

static void hold_nothing_left(struct lab *lab, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        AUTO_FREE char *query = xasprintf("SELECT id FROM machine ORDER BY id LIMIT 1 OFFSET %u", i);
        AUTO_FREE char *machine = lab_sql(lab, query);
        AUTO_FREE char *left = damage_left(machine);
        cr_assert(eq(str, left, ""), "round %u", i + 1);
    }
}

Test(soak_cycle, cycles_in_a_row_leave_nothing_and_do_not_grow, .timeout = 7200)
{
    rig_needed();
    const char *wanted = getenv("SOAK_CYCLES");
    unsigned rounds = wanted ? (unsigned)strtoul(wanted, NULL, 10) : 50;
    AUTO_FREE char *count = xasprintf("%u", rounds);
    struct lab *lab = small_project();
    int64_t start = moment_monotonic();
    pid_t command = lab_start(lab, "cycle", "cycle", "box", "-n", count, "--yes", NULL);
    cr_assert(lab_until_file(lab, 60, ".triphase/store.db"), "the cycle did not begin");
    struct use warm = NOTHING_SEEN, last = NOTHING_SEEN;
    for (unsigned i = 1; i <= rounds; i++) {
        AUTO_FREE char *over = xasprintf("SELECT count(*) >= %u FROM event WHERE kind = 'leftovers'", i);
        struct round round = {lab, command, over, NOTHING_SEEN};
        cr_assert(lab_until(ROUND_BOUND_S, is_over, &round), "round %u does not end", i);
        if (i > WARM_UP && i <= WARM_UP + SPAN)
            lower(&warm, &round.least);
        if (i + SPAN > rounds)
            lower(&last, &round.least);
    }
    int code = lab_wait(lab, command, 60);
    AUTO_FREE char *out = lab_read(lab, "cycle.out"), *said = lab_read(lab, "cycle.err");
    cr_assert(eq(int, code, 0), "%s%s", out, said);
    AUTO_FREE char *sum =
        xasprintf("%u ok, 0 not; UNREACHABLE 0, watchdogs 0, retries 0 (recovered 0), leftovers 0", rounds);
    cr_assert(strstr(out, sum) != NULL, "%s", out);
    hold_nothing_left(lab, rounds);
    double seconds = (double)(moment_monotonic() - start) / (double)NS_PER_S;
    fprintf(stderr,
            "%u rounds, %.0f s; descriptors %d in rounds %d to %d, %d in the last %d; anonymous memory %ld "
            "and %ld KiB\n%s",
            rounds, seconds, warm.descriptors, WARM_UP + 1, WARM_UP + SPAN, last.descriptors, SPAN, warm.kib,
            last.kib, strstr(out, "\nstep") ? strstr(out, "\nstep") : "");
    if (rounds < WARM_UP + 2 * SPAN)
        return;
    cr_assert(le(int, last.descriptors, warm.descriptors));
    cr_assert(last.kib <= warm.kib + GROWTH_KIB, "%ld KiB first, %ld KiB at the end", warm.kib, last.kib);
}
