/* How much faster than by itself a phase's Ansible is to be (key `accelerate` of a target and of a phase). */
#pragma once

enum accelerate {
    ACCELERATE_NONE,    /* ansible-playbook, started as it is */
    ACCELERATE_WARM,    /* in an interpreter that triphase readies */
    ACCELERATE_MITOGEN, /* there, by a strategy of mitogen's */
};

/* The words of the key's value, each at its place, ended by NULL; and one of them. */
const char *const *accelerate_names(void);
const char *accelerate_name(enum accelerate kind);
/* -1 for an unknown word. */
int accelerate_from(const char *name, enum accelerate *out);
