/* Projects as `triphase init` lays them down, whose target `vault` is a sandbox with OpenBao on it. On top of
 * lab.h; functions fail the test by themselves. */
#pragma once
#include "format/json.h"
#include "lab/lab.h"

/* Laid down by the built program, nothing made yet; HOME is the lab's own. Skips the test where no sandbox
 * can be made or OpenBao's program is absent. */
struct lab *vault_lab(void);
/* `triphase WORDS…` (at most 8), at most `seconds`; for what takes longer than lab_run waits. */
struct lab_result vault_run(struct lab *lab, double seconds, const char *word, ...) __attribute__((sentinel));
/* The same, and fails the test unless it ends with that code. */
struct lab_result vault_expect(struct lab *lab, int code, const char *word, ...) __attribute__((sentinel));
/* Runs sh on the guest with `input` on its stdin (may be NULL); its exit code in `code` (NULL: must
 * be 0). stdout, malloc'ed. */
char *vault_guest(struct lab *lab, const char *script, const char *input, int *code);
/* Reboots the guest over ssh and waits until it answers as another boot. */
void vault_reboot(struct lab *lab);
/* Folder where the playbooks keep shares, token and certificate, below the lab's folder. malloc'ed. */
char *vault_state(struct lab *lab);
/* The kept init.json; json_free it. */
struct json *vault_kept(struct lab *lab);
/* Status of one request to the server's API, from this machine, over the kept certificate and no other; the
 * reply in `reply` (may be NULL). */
int vault_ask(struct lab *lab, const char *token, const char *method, const char *path, char **reply);
/* Fails the test unless the server says itself that it is unsealed and active. */
void vault_expect_active(struct lab *lab);
/* Names of the tasks that changed something in the last run, a line each. malloc'ed. */
char *vault_changed(struct lab *lab);
/* The kept admin token, without its newline; malloc'ed. */
char *vault_kept_token(struct lab *lab);
/* Fails the test unless the server has one admin token and one for snapshots and no other, there is no root
 * token anywhere, and nobody can begin one who is not root on the host. */
void vault_expect_tokens(struct lab *lab);
/* Status of a token's question about itself: 200 valid, 403 not. */
int vault_token_status(struct lab *lab, const char *token);
/* Waits until it is that; false when it never was. */
bool vault_until_token(struct lab *lab, double seconds, const char *token, int status);
/* A snapshot is laid aside on the guest, by hand; and comes into force again, on a host with another receipt,
 * soon after. `token` may do it. */
void vault_save(struct lab *lab, const char *token);
void vault_restore(struct lab *lab, const char *token);
/* The task `name` of a role's file fails from now on, as if the run had been cut off just before it. The
 * file's text before is given; malloc'ed. */
char *vault_cut_before(struct lab *lab, const char *file, const char *name);
