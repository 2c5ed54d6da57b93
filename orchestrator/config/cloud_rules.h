/* What the texts of a target's cloud keys must be like. Each function says what is wrong (malloc'ed, without
 * the place), or NULL. */
#pragma once

/* A name or an id of something at the cloud. */
char *cloud_rules_name_problem(const char *text);
/* A URL of an API that is given a token: http is for this machine itself alone. */
char *cloud_rules_endpoint_problem(const char *text);
/* "tcp/22", "udp/8000-8100", "icmp", "esp", "gre" */
char *cloud_rules_port_problem(const char *text);
/* A network in CIDR notation, its host bits zero. */
char *cloud_rules_network_problem(const char *text);
char *cloud_rules_label_problem(const char *name);
char *cloud_rules_label_value_problem(const char *text);
