/* The API of Hetzner Cloud (v1), one blocking call at a time, for a process that may be killed at any
 * instant. Every call ends by the deadline that it was opened with. Nothing that it says holds the token. An
 * error's kind and its words are those of its class (cloud/failure.h). A root password of a reply is dropped
 * as soon as it came. */
#pragma once
#include "base/deadline.h"
#include "base/error.h"
#include "cloud/clock.h"
#include "cloud/failure.h"
#include "config/cloud_settings.h"
#include "format/json.h"

struct cloud_api;

/* Reads the token (settings' own, else HCLOUD_TOKEN; ERROR_PROJECT where there is none). `directory`: of the
 * project, for a secret in a file. */
int cloud_api_open(const struct cloud_settings *settings, const char *directory, struct deadline deadline,
                   struct cloud_api **out, struct error *err);
/* Wipes the token. A NULL api is fine. */
void cloud_api_close(struct cloud_api **api);
/* Who is told of waits: one line each, without an end. NULL: nobody. */
typedef void cloud_say(void *context, const char *line);
void cloud_api_tell(struct cloud_api *api, cloud_say *say, void *context);

/* `path` begins with a slash, and stands behind the endpoint as it is. `out` may be NULL; *out is NULL where
 * the answer has no body. `class` may be NULL; CLOUD_NONE on success.
 * What passes by itself is tried again until the deadline: after as long as the server asks for, else after
 * 1 s, 2 s … 60 s. For a get, put and delete that is too many requests, `conflict`, `locked`, maintenance,
 * trouble of the server's own (5xx, service_error…) and no answer at all. */
int cloud_api_get(struct cloud_api *api, const char *path, struct json **out, enum cloud_class *class,
                  struct error *err);
int cloud_api_put(struct cloud_api *api, const char *path, const struct json *body, struct json **out,
                  enum cloud_class *class, struct error *err);
/* Tried again only where the server did not act. Where it may have acted it fails as CLOUD_TRANSIENT: look
 * before it is posted again. */
int cloud_api_post(struct cloud_api *api, const char *path, const struct json *body, struct json **out,
                   enum cloud_class *class, struct error *err);
/* One that is not there (any more) is fine: *out is NULL then. */
int cloud_api_delete(struct cloud_api *api, const char *path, struct json **out, enum cloud_class *class,
                     struct error *err);

/* All of a listing, whole or not at all: each page is there, and they are as many as the server says there
 * are. `path` may have a query of its own; `member` is what the items stand in. */
int cloud_api_list(struct cloud_api *api, const char *path, const char *member, struct json **array,
                   enum cloud_class *class, struct error *err);

/* Until all actions of a reply (`action`, `actions`, `next_actions`) have ended well; at most 25 in a
 * request. One that fails gives its code's class, one that the server does not know CLOUD_OTHER. A NULL
 * reply has none. */
int cloud_api_await(struct cloud_api *api, const struct json *reply, enum cloud_class *class,
                    struct error *err);

int64_t cloud_api_now_ns(const struct cloud_api *api);   /* of the server: its last Date; 0: it told none */
int cloud_api_requests(const struct cloud_api *api);     /* so far */
int64_t cloud_api_received(const struct cloud_api *api); /* bytes of answers, so far */
/* A digest of endpoint and token with the salt, malloc'ed: tells whether it is the one that it was, and
 * nothing of the token. */
char *cloud_api_mark(const struct cloud_api *api, const char *salt);

/* For what waits on the same time, and tells the same one. */
struct cloud_clock *cloud_api_clock(struct cloud_api *api);
void cloud_api_say(const struct cloud_api *api, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Sets class and error; -1. `doing`: what was asked ("GET /servers"); the rest is what was answered: `status`
 * 0, `code` NULL, `words` NULL: not said. */
int cloud_api_fail(const struct cloud_failure *failure, const char *doing, int status, const char *code,
                   const char *words, enum cloud_class *class, struct error *err);
