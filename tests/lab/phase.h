/* For tests of what becomes of one phase: a made static target whose playbook can be changed between runs,
 * and the row of the phase that ran last. */
#pragma once
#include "../lab/lab.h"

/* A static project that has been created once with a playbook that does nothing; `run host` after lab_play
 * runs what was given. Plays lie where the plan that was remembered does not look, so that each further run
 * costs one ansible-playbook and nothing else. `ansible` NULL: the one in PATH. */
struct lab *lab_phase_project(const char *ansible, const char *phase_keys);
/* The same with a hostile child in Ansible's place (with the environment given to lab_environment-like pairs
 * "NAME=VALUE", may be NULL): lab_hostility says what it does, as sh. $EVENTS is the event file, $REAL the
 * real ansible-playbook; `say KIND-AND-FIELDS` writes an event line with the next seq, `begin` a play with
 * one host, `finish` what ends a good record; $n counts the lines. */
struct lab *lab_hostile_project(const char *phase_keys, const char *environment);
void lab_hostility(struct lab *lab, const char *body);
/* A project of a static host (lab_static_project) with two phases, first and second, of the playbooks
 * playbooks/first.yml and playbooks/second.yml, which are the caller's to write. `ansible` NULL: the
 * pinned. */
struct lab *lab_two_phases(const char *ansible);
void lab_play(struct lab *lab, const char *playbook);
/* The playbook NAME.yml of tests/cases/FOLDER, with what lies beside it. */
void lab_play_case(struct lab *lab, const char *folder, const char *name);
/* The oldest Ansible's ansible-playbook; skips the test where the machine has none. */
const char *lab_old_ansible(void);
/* The newest (2.21), which setup/newest-ansible.sh makes. */
const char *lab_newest_ansible(void);
/* The folder of mitogen's strategies; skips the test where it is not there. */
const char *lab_mitogen(void);
/* Every phase of later commands asks for mitogen, the tests' own, by `accelerate`; skips likewise. */
void lab_use_mitogen(struct lab *lab);
/* The same of a new project with a target `box`, a sandbox of the recipe `work`, whose phases are the
 * caller's to write; skips likewise, and where no sandbox can be made. */
struct lab *lab_mitogen_sandbox(void);

/* A column of the row of the phase's attempt that began last, as text ("" for NULL). malloc'ed. */
char *lab_phase(struct lab *lab, const char *column);
int64_t lab_phase_number(struct lab *lab, const char *column);
/* A column of the last run. malloc'ed. */
char *lab_last_run(struct lab *lab, const char *column);
int64_t lab_last_run_number(struct lab *lab, const char *column);
/* Fails the test (and goes on) unless outcome and cause ("" any, "-" none) of the phase that ran last are
 * these and the command ended with that code. */
void lab_expect(struct lab *lab, const struct lab_result *result, const char *what, const char *outcome,
                const char *cause, int code);
/* Fails the test (and goes on) unless `report --explain` says that these rows of the tables fitted, for the
 * last phase of the run (NULL: the last one of `host`) and for the run. */
void lab_expect_rows(struct lab *lab, const char *what, const char *run, const char *of_phase,
                     const char *of_run);
/* Fails the test (and goes on) when any process of the last run is still there within
 * 1 s, or its rows say so. */
void lab_expect_nothing_left(struct lab *lab, const char *what);
