/* What the doctor found, for people and as JSON. */
#pragma once
#include "base/facts.h"

/* -1 when stdout could not be written. `sandbox` tells whether the sandbox provider can work. */
int doctor_view_print(const struct facts *facts, bool sandbox);
int doctor_view_print_json(const struct facts *facts, bool sandbox);
