/* Projects as `triphase init` lays them down, whose target `node` is a sandbox of the tree of agent
 * nodes (setup/node-tree.sh) or of another root: what a node fetches comes from the guest itself. On top
 * of lab.h; functions fail the test by themselves. */
#pragma once
#include "lab/lab.h"

/* Lines of `vars` of a target, each "      name: value\n": from where a host of that tree fetches what. */
extern const char node_of_the_tree[];
/* Where setup/node-tree.sh makes it, be it there or not; kept by the lab. */
const char *node_tree(void);
/* `root` NULL: the tree of agent nodes. `variables` further lines of `vars` of the target, each "
 * name: value\n"; they count above those that lead to what the tree has. Nothing is made yet. Skips the
 * test where no sandbox can be made. */
struct lab *node_lab(const char *root, const char *variables);
/* A phase called NAME before all others, whose tasks these are (YAML, "    - ansible.builtin…"). */
void node_phase_before(struct lab *lab, const char *name, const char *tasks);
/* `triphase WORDS…` (at most 8) to its end, at most `seconds`. */
struct lab_result node_run(struct lab *lab, double seconds, const char *word, ...) __attribute__((sentinel));
/* The same, and fails the test unless it ends with that code. */
struct lab_result node_expect(struct lab *lab, int code, const char *word, ...) __attribute__((sentinel));
/* Runs sh on the guest; its exit code in `code` (NULL: must be 0). stdout, malloc'ed. */
char *node_guest(struct lab *lab, const char *script, int *code);
/* Fails the test (and goes on) unless that is what the script says. */
void node_expect_guest(struct lab *lab, const char *script, const char *says);
/* Reboots the guest over ssh and waits until it answers as another boot and is up. */
void node_reboot(struct lab *lab);
/* "role: task" of the tasks that changed something in the last run, a line each. malloc'ed. */
char *node_changed(struct lab *lab);
