/* Removing what a provider lists as this project's, past its time, and no store knows. */
#pragma once
#include "control/estate.h"

/* Each on its own, and what became of it noted with it; says so. `err` is the first failure's. */
int sweep_unknown(const struct project *project, struct estate *estate, struct error *err);
