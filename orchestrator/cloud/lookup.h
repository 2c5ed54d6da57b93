/* What a file calls by name, as the cloud knows it. Each takes a name or an id. One that is not there is an
 * ERROR_PROJECT of the class CLOUD_CONFIGURATION that names the nearest there is, and the key of
 * triphase.yml. */
#pragma once
#include "base/words.h"
#include "cloud/api.h"

enum cloud_kind { CLOUD_SSH_KEY, CLOUD_FIREWALL, CLOUD_NETWORK, CLOUD_PLACEMENT_GROUP, CLOUD_KINDS };

int cloud_lookup(struct cloud_api *api, enum cloud_kind kind, const char *name_or_id, int64_t *id,
                 enum cloud_class *class, struct error *err);
/* The ids, an array in the order of the names; one request however many there are, none for none. */
int cloud_lookup_all(struct cloud_api *api, enum cloud_kind kind, const struct words *names_or_ids,
                     struct json **ids, enum cloud_class *class, struct error *err);

struct cloud_server_type {
    int64_t id;
    char *name, *architecture;
    /* Names of locations: where it is sold at all, and of these where it can be had now. Both empty: the
     * cloud does not say. */
    struct words offered, available;
    char *warning; /* it is to go; NULL: nothing */
};
int cloud_lookup_server_type(struct cloud_api *api, const char *name_or_id, struct cloud_server_type *out,
                             enum cloud_class *class, struct error *err);
void cloud_server_type_clear(struct cloud_server_type *type);
#define AUTO_CLOUD_SERVER_TYPE __attribute__((cleanup(cloud_server_type_clear))) struct cloud_server_type

struct cloud_image {
    int64_t id;
    char *type;    /* "system", "app", "snapshot", "backup" */
    char *warning; /* it is to go; NULL: nothing */
};
/* Names recur: the one of this architecture. Deprecated ones too. */
int cloud_lookup_image(struct cloud_api *api, const char *name_or_id, const char *architecture,
                       struct cloud_image *out, enum cloud_class *class, struct error *err);
void cloud_image_clear(struct cloud_image *image);
#define AUTO_CLOUD_IMAGE __attribute__((cleanup(cloud_image_clear))) struct cloud_image
