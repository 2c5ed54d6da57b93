/* What lies beside the Ansible that was found: its version, its Python packages, programs that phases
 * require. */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include "config/config.h"

/* What puts one into the project, where it is found by itself. Debian's own pip refuses to install
 * outside such an environment. */
#define ANSIBLE_INSTALL_LINE                                                             \
    "apt-get install -y python3-venv && python3 -m venv .venv && .venv/bin/pip install " \
    "ansible-core==2.19.14"

/* Version of an ansible-playbook, e.g. "2.19.14": read from the release file beside its Python, else asked
 * (0.5 s). malloc'ed; NULL with an error. */
char *ansible_version(const char *ansible, struct error *err);
/* Another program of it, "ansible-inventory": in its folder, else in PATH. malloc'ed or NULL. */
char *ansible_find_beside(const struct project *project, const char *name);
/* Path of a program that a phase requires: <site-packages>/<package_file> of the configured Ansible, its
 * own folder, the project's list of places (config/programs.h). malloc'ed or NULL. */
char *ansible_find_required(const struct project *project, const struct requirement *requirement);
