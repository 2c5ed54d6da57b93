/* Rendering an inventory: a template filled in as a tree and written through libyaml's events, so that no
 * value can change the document's shape. Names in templates and their meaning:
 * docs/contract.md, "Templates". */
#pragma once
#include "base/error.h"
#include "config/config.h"
#include "event/machine.h"
#include "format/json.h"
#include "transport/ssh_options.h"

struct inventory_host {
    const struct target *target;
    const struct machine *machine;
    enum transport_kind transport;
    const struct ssh_arguments *ssh;
    const char *control_path; /* the full socket path; NULL: not known */
};

struct inventory_request {
    const struct project *project;
    struct inventory_host host;
    const struct inventory_host *peers; /* other targets, for delegation */
    size_t peer_count;
    const char *run; /* id; NULL: none */
    /* of async jobs, for every host, below all that the user says; NULL: Ansible's own choice */
    const char *async_directory;
    /* NULL: the project's inventory-templates/<transport>.yml, else the embedded one */
    const char *template_bytes;
    size_t template_length;
    const char *template_name; /* what faults call template_bytes */
};

/* The YAML text, malloc'ed. `expect` (may be NULL) gets {"<host>": {"ansible_host": …}}: every connection
 * variable of each host that is compared, null where neither it is rendered nor the user's inventories have
 * it. ERROR_PROJECT with a line per fault for a template or value that cannot be rendered. */
int inventory_render(const struct inventory_request *request, char **yaml_out, struct json **expect,
                     struct error *err);
