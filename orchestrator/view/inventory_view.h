/* The rendered inventory, alone or with the evidence for how the host is reached. */
#pragma once
#include "format/json.h"

struct inventory_view {
    const char *target;
    const char *transport, *yaml; /* NULL: no way can be used, so that there is nothing but the evidence */
    const struct json *evidence;  /* of transport_choose */
    const struct json *tun;       /* of tun_json; NULL: not looked at */
    const struct json *looked;    /* of look_told; NULL: not looked at */
    bool made;                    /* the machine is there: the address is its own */
};

/* The document as it is (none without one); with `explain` the evidence before it, as comments, so that it
 * is still an inventory. -1 when stdout could not be written. */
int inventory_view_print(const struct inventory_view *view, bool explain);
int inventory_view_print_json(const struct inventory_view *view);
