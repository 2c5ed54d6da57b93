/* What ssh may be given: one check for each kind of word, wherever it was written (a key of the project's
 * files, a variable, a machine's row). Each says what is wrong (malloc'ed, without the place), or NULL. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* A host's name or address, of IPv6 with its zone. */
char *ssh_rules_address_problem(const char *text);
char *ssh_rules_user_problem(const char *text);
/* A list of [user@]host[:port]. */
char *ssh_rules_jump_problem(const char *text);

/* Where an option is refused. In what is Ansible's own (ssh_args, ssh_common_args and ssh_extra_args of
 * ansible.cfg, of ANSIBLE_SSH_… and of variables) none is: those arguments are common in projects that ran
 * without triphase, and stand behind what triphase says, of which ssh takes the first value. */
enum ssh_option_bar {
    SSH_OPTION_NEVER,            /* in `ssh_options`, and in those of a machine's row */
    SSH_OPTION_NOT_BESIDE_AGENT, /* there too, but only beside `key_passphrase` */
};
struct ssh_option_rule {
    const char *name, *instead; /* how to say it; "" where there is no way */
    enum ssh_option_bar bar;
};
extern const struct ssh_option_rule ssh_option_rules[];
extern const size_t ssh_option_rule_count;

/* "Name=value" with a name that may be given; `beside_agent`: the target has a key_passphrase. */
char *ssh_rules_option_problem_of(const char *text, bool beside_agent);
/* Of a single option, about whose target nothing is known yet. */
char *ssh_rules_option_problem(const char *text);
