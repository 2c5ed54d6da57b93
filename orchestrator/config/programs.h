/* Where programs of the Python world are looked for: Ansible, and what a phase requires beside it. */
#pragma once

/* A colon-separated list like PATH, malloc'ed: an active virtual environment (VIRTUAL_ENV, which is in PATH),
 * the project's own `.venv/bin`, PATH, and the `.venv/bin` of the checkout that holds this program (what
 * `make demo` installs). `directory` is the project's and may be NULL, `program` the path of the running
 * program, NULL: there is no such checkout. Folders that are not there are left out. */
char *programs_path(const char *directory, const char *const *environment, const char *program);
/* Path of the running program, malloc'ed; NULL where the kernel does not tell. */
char *programs_own(void);
