/* The class of one UNREACHABLE (CONTRACT.md, "Causes"), from what OpenSSH or Ansible said. */
#pragma once

/* "connect-timeout", "refused", … ; "other" where nothing known is said, NULL for an empty text. Static strings. */
const char *cause_of_text(const char *message);
