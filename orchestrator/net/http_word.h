/* A text as a word of a URL's path or query, or of a form (RFC 3986, 2.3). Pure. */
#pragma once

/* Everything but letters, digits and "-_.~" by its percent code; malloc'ed. The text may be a secret: no
 * piece of it is left behind. */
char *http_word(const char *text);
