/* What a target says of a server that a cloud is to make: keys of the provider `hetzner`. */
#pragma once
#include "base/words.h"
#include "config/secret.h"
#include "format/node.h"
#include <stdbool.h>

/* Where a token is read from that nothing names. */
#define CLOUD_TOKEN_VARIABLE "HCLOUD_TOKEN"

struct cloud_settings {
    struct secret token; /* SECRET_NONE: HCLOUD_TOKEN */
    char *endpoint;      /* without a slash at its end; never NULL */
    char *server_type, *image;
    struct words locations; /* in order; empty: the cloud's choice */
    struct words ssh_keys;  /* of the account: names or ids, beside the machine's own */
    struct words firewalls; /* that are there: names or ids */
    /* Of a firewall of the machine's own: "tcp/22", "udp/51820", "icmp" from these networks; no rules: none
     * is made. */
    struct words firewall_in, firewall_from;
    struct words networks; /* names or ids */
    struct node *labels;   /* map of texts, or NULL */
    char *user_data;       /* absolute path, or NULL */
    bool ipv4, ipv6;
    char *placement_group; /* name or id, or NULL */
};

void cloud_settings_clear(struct cloud_settings *settings);
