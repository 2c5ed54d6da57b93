/* A secret by its source. Its value is read only where it is handed over, and kept nowhere. */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include "format/node.h"
#include <stddef.h>
#include <stdint.h>

enum secret_kind { SECRET_NONE, SECRET_FILE, SECRET_ENV, SECRET_FD, SECRET_COMMAND };
struct secret {
    char *name; /* the variable it becomes (target.secrets), the id of a vault password, else NULL */
    enum secret_kind kind;
    char *where; /* path, or name of the environment variable */
    int fd;
    struct words command;
};

/* What is wrong with this node as a secret, malloc'ed and without a word of its value; NULL when it is
 * fine. */
char *secret_problem(const struct node *node);
/* From a node that secret_problem has passed. `name` may be NULL. The caller frees with secret_clear. */
void secret_from_node(const struct node *node, const char *name, struct secret *out);
void secret_clear(struct secret *secret);
/* Whether whoever started this process gave it this descriptor: its own are all close-on-exec. */
bool secret_is_given(int fd);
/* Whether its source is there, without reading or running it. ERROR_PROJECT: it is not. */
int secret_check(const struct secret *secret, const char *directory, struct error *err);
/* Whether it can be read without asking anybody: a variable of this process, or a regular file. */
bool secret_at_hand(const struct secret *secret, const char *directory);
/* Whether reading it may have to wait for somebody: a command, a file that is no regular one. */
bool secret_may_take_long(const struct secret *secret, const char *directory);
/* The secret's value, read now (file: at most 64 KiB, one trailing newline dropped; command: bounded 30
 * s). Relative paths and the command's folder are `directory`, `~/` is the invoking user's home.
 * malloc'ed, a NUL behind it; free with memory_free_secret. */
int secret_read(const struct secret *secret, const char *directory, char **out, size_t *length,
                struct error *err);
/* A value that another process read: the next secret_read of this very secret gives it, and it is kept no
 * longer than that. Copied. */
void secret_fetched(const struct secret *secret, const char *value, size_t length);
/* The same with another bound than 30 s. */
int secret_read_within(const struct secret *secret, const char *directory, int64_t bound_ns, char **out,
                       size_t *length, struct error *err);
