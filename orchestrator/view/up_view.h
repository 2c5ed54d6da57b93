/* What `up` found or made, and what `up --down` ended: for people and as JSON. -1 when stdout could not be
 * written. */
#pragma once
#include "tailnet/bring_down.h"
#include "tailnet/bring_up.h"

int up_view_print(const struct bring_up_end *end);
int up_view_print_json(const struct bring_up_end *end);
int up_view_print_down(const struct bring_down_end *end);
int up_view_print_down_json(const struct bring_down_end *end);
