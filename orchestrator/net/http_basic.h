/* Basic authentication, as the line of a request's head. Pure. */
#pragma once

/* "Authorization: Basic …"; free with memory_free_secret. `password` NULL: an empty one. */
char *http_basic(const char *user, const char *password);
