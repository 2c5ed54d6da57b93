/* A project of a test's own, in a folder of its own, with the built program driven from outside. Everything
 * it makes (folder, sshd, what the program made) is removed when the test process ends, however it ends: a
 * warden process forked first waits for that. Functions fail the test by themselves. */
#pragma once
#include "base/error.h"
#include "base/text.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lab; /* lives as long as the test */

/* Memory that lives as long as the test: named from one place it is no leak. Gives it back. */
void *lab_keep(void *memory);
/* An empty project folder; nothing in it yet. */
struct lab *lab_new(void);
const char *lab_folder(const struct lab *lab);
/* The i-th of this test, NULL behind the last one. */
struct lab *lab_at(size_t i);
/* Writes a file below the folder (folders are made), mode 0644, or 0755 when it
 * begins with #!. printf-like. */
void lab_write(struct lab *lab, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The files of tests/cases/NAME, over what is there; `below` the folder, "" for itself. */
void lab_case(struct lab *lab, const char *name, const char *below);
/* malloc'ed content of a file below the folder; fails the test when it is absent. */
char *lab_read(struct lab *lab, const char *path);
/* Its first line alone, without the end of it: a public key. */
char *lab_read_line(struct lab *lab, const char *path);
bool lab_exists(struct lab *lab, const char *path);

/* A real sshd of this test's own on a free port of 127.0.0.1, key login as the current user, HOME in the
 * lab's folder. Starts it once; gives its port. */
int lab_sshd(struct lab *lab);
/* Pid of that sshd's listener. */
pid_t lab_sshd_pid(const struct lab *lab);
/* A project whose target `host` is that sshd (provider static), with recipe `work`: one phase `work` per
 * playbook given (phases are called work, work2, …), whose YAML is `- hosts: recipe_work` playbooks as given.
 * `phase_keys` are further lines of YAML for each phase ("    deadline: 5s\n"), may be "". */
void lab_static_project(struct lab *lab, const char *phase_keys, const char *playbook);
/* The project of tests/cases/NAME, whose target `host` becomes that sshd by variables of the environment. */
void lab_static_case(struct lab *lab, const char *name);
/* Uses this ansible-playbook (absolute path) for the project instead of the one in PATH. */
void lab_ansible(struct lab *lab, const char *path);
/* A hostile child: a program that takes ansible-playbook's place for the phase itself (plan's own questions
 * still go to the real one). `body` is sh. $EVENTS is the event file, $REAL the real ansible-playbook. */
void lab_hostile_ansible(struct lab *lab, const char *body);

struct lab_result {
    int code;        /* exit code; 128 + signal */
    char *out, *err; /* kept by the lab */
    double seconds;
};
/* Runs `triphase -C <folder> WORDS…` to its end, within 120 s. */
struct lab_result lab_run(struct lab *lab, const char *word, ...) __attribute__((sentinel));
/* The same for what runs behind the test's end, where an assertion would be heard by nobody: -1 where it
 * could not be run. */
int lab_attempt(struct lab *lab, struct lab_result *result, struct error *err, const char *word, ...)
    __attribute__((sentinel));
/* The same from a shell that does `before` first ("ulimit -n 20"). */
struct lab_result lab_run_after(struct lab *lab, const char *before, const char *word, ...)
    __attribute__((sentinel));
/* The same in the background, stdout and stderr to files in the folder; `name` names them. */
pid_t lab_start(struct lab *lab, const char *name, const char *word, ...) __attribute__((sentinel));
/* Waits for it, at most `seconds`; exit code, or 128 + signal. */
int lab_wait(struct lab *lab, pid_t pid, double seconds);
/* Every later command runs by these words ("nsenter", …), NULL-ended; NULL: by none. */
void lab_within(struct lab *lab, const char *const *words);
/* An environment variable for every later command. NULL value: unset. */
void lab_environment(struct lab *lab, const char *name, const char *value);
/* What every later command sees of the wall clock ("+3h"); "": the true one. What it measures stays true. */
void lab_clock(struct lab *lab, const char *offset);

/* First column of the first row of a query on the project's store, as text ("" for
 * none or NULL). malloc'ed. */
char *lab_sql(struct lab *lab, const char *query);
int64_t lab_sql_number(struct lab *lab, const char *query);
/* Finished runs of that count, of the target of the only run that the store has: the i-th (from 1) began
 * after_ns + i * apart_ns behind the end of that one. Their ids begin with 01890000. */
void lab_add_runs(struct lab *lab, int count, int64_t after_ns, int64_t apart_ns);
/* Waits until a condition holds, at most `seconds`, looking every 10 ms; false when it never did. */
bool lab_until(double seconds, bool (*holds)(void *context), void *context);
/* Waits until the query's first column is not "" and not "0". */
bool lab_until_sql(struct lab *lab, double seconds, const char *query);
/* Waits until the file below the folder exists. */
bool lab_until_file(struct lab *lab, double seconds, const char *path);
/* Processes with NAME=VALUE in their environment or `needle` in their argv, other than this test's own. */
int lab_processes(const char *needle);
/* Pid of the worker of the run that has no end, 0 when there is none; and of its guard. */
pid_t lab_worker(struct lab *lab);
pid_t lab_guard(struct lab *lab);
/* A child of that worker by the begin of its name, 0 when there is none. */
pid_t lab_child(struct lab *lab, const char *name);
