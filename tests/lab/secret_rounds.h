/* The whole way of secrets: tests/lab/secret_project.py, with real runs. */
#pragma once

/* One run of a project that tells so many quoted secrets in each place, all that triphase shows and
 * packs of it, and the search for what is left. SECRETS_SEED in the environment says which ones, else
 * the clock, and `further` that others are meant than before; what was taken stands in the message of
 * a failure and on stderr. */
void secret_rounds(int cases, int further);
