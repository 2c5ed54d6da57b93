#include "cloud/failure.h"

#include "base/memory.h"
#include "base/text.h"

#include <string.h>

/* ERROR_PROJECT where the user's file or token is at fault: the stage is `invalid` then; the rest is
 * `failed`, and `leftover` where something was to be removed. */
static const struct cloud_class_facts classes[CLOUD_CLASSES] = {
    [CLOUD_NONE] = {"none", "nothing failed", "go on", ERROR_NONE},
    [CLOUD_CAPACITY] = {"capacity", "the cloud has no capacity for it now",
                        "give more places in `location`, another `server_type`, or try later",
                        ERROR_PROVIDER},
    [CLOUD_QUOTA] = {"quota", "a limit of the account is reached",
                     "remove what is not needed any more, or have the vendor raise the limit",
                     ERROR_PROVIDER},
    [CLOUD_CONFIGURATION] = {"configuration", "the cloud does not take what was asked for",
                             "put that right in triphase.yml", ERROR_PROJECT},
    [CLOUD_AUTH] = {"auth", "the token is not accepted for that",
                    "check `token` (or HCLOUD_TOKEN): it must be of the right project, permit writing and not"
                    " be revoked",
                    ERROR_PROJECT},
    [CLOUD_RATE] = {"rate-limit", "too many requests were made with this project's tokens",
                    "try again in a minute; what else asks with tokens of the same project counts too",
                    ERROR_PROVIDER},
    [CLOUD_TRANSIENT] = {"transient", "the cloud cannot do it now", "try again later", ERROR_PROVIDER},
    [CLOUD_ABSENT] = {"absent", "the cloud knows no such thing",
                      "it was removed meanwhile, or the token is of another project", ERROR_PROVIDER},
    [CLOUD_IN_USE] = {"in-use", "something uses it still", "remove what uses it first", ERROR_PROVIDER},
    [CLOUD_NOT_UNIQUE] = {"not-unique", "something else in the project is the same",
                          "rename or remove the other one", ERROR_PROJECT},
    [CLOUD_OTHER] = {"other", "the cloud refuses it", "see what it says", ERROR_PROVIDER},
};

static const struct {
    const char *code;
    enum cloud_class class;
    enum cloud_again again;
    const char *next; /* NULL: as its class */
} codes[] = {
    {"resource_unavailable", CLOUD_CAPACITY, CLOUD_AGAIN_NEVER, NULL},
    {"no_space_left_in_location", CLOUD_CAPACITY, CLOUD_AGAIN_NEVER, NULL},
    {"resource_limit_exceeded", CLOUD_QUOTA, CLOUD_AGAIN_NEVER, NULL},
    {"server_limit_exceeded", CLOUD_QUOTA, CLOUD_AGAIN_NEVER, NULL},
    {"invalid_input", CLOUD_CONFIGURATION, CLOUD_AGAIN_NEVER, NULL},
    {"json_error", CLOUD_CONFIGURATION, CLOUD_AGAIN_NEVER, NULL},
    {"unsupported_error", CLOUD_CONFIGURATION, CLOUD_AGAIN_NEVER, NULL},
    {"invalid_server_type", CLOUD_CONFIGURATION, CLOUD_AGAIN_NEVER, NULL},
    {"placement_error", CLOUD_CONFIGURATION, CLOUD_AGAIN_NEVER,
     "its placement group has no room for one more: use another one, or none"},
    {"primary_ip_assigned", CLOUD_CONFIGURATION, CLOUD_AGAIN_NEVER, NULL},
    {"private_net_only_server", CLOUD_CONFIGURATION, CLOUD_AGAIN_NEVER,
     "a firewall needs a server with a public address: give it `ipv4` or `ipv6`, or no firewall"},
    {"networks_overlap", CLOUD_CONFIGURATION, CLOUD_AGAIN_NEVER, NULL},
    {"no_subnet_available", CLOUD_CONFIGURATION, CLOUD_AGAIN_NEVER,
     "the network needs a subnet in the server's network zone"},
    {"unauthorized", CLOUD_AUTH, CLOUD_AGAIN_NEVER, NULL},
    {"forbidden", CLOUD_AUTH, CLOUD_AGAIN_NEVER, NULL},
    {"token_readonly", CLOUD_AUTH, CLOUD_AGAIN_NEVER, "give a token that permits writing"},
    {"rate_limit_exceeded", CLOUD_RATE, CLOUD_AGAIN_ALWAYS, NULL},
    {"conflict", CLOUD_TRANSIENT, CLOUD_AGAIN_ALWAYS, NULL},
    {"locked", CLOUD_TRANSIENT, CLOUD_AGAIN_ALWAYS, NULL},
    {"maintenance", CLOUD_TRANSIENT, CLOUD_AGAIN_ALWAYS, NULL},
    {"service_error", CLOUD_TRANSIENT, CLOUD_AGAIN_HARMLESS, NULL},
    {"bad_gateway", CLOUD_TRANSIENT, CLOUD_AGAIN_HARMLESS, NULL},
    {"timeout", CLOUD_TRANSIENT, CLOUD_AGAIN_HARMLESS, NULL},
    {"unavailable", CLOUD_TRANSIENT, CLOUD_AGAIN_HARMLESS, NULL},
    {"not_found", CLOUD_ABSENT, CLOUD_AGAIN_NEVER, NULL},
    {"resource_in_use", CLOUD_IN_USE, CLOUD_AGAIN_NEVER, NULL},
    {"must_be_unassigned", CLOUD_IN_USE, CLOUD_AGAIN_NEVER, NULL},
    {"uniqueness_error", CLOUD_NOT_UNIQUE, CLOUD_AGAIN_NEVER, NULL},
    {"protected", CLOUD_OTHER, CLOUD_AGAIN_NEVER, "take its protection away at the cloud"},
    {"deprecated_api_endpoint", CLOUD_OTHER, CLOUD_AGAIN_NEVER, "the API has changed: use a newer triphase"},
};

static const struct {
    int from, to;
    enum cloud_class class;
    enum cloud_again again;
} statuses[] = {
    {400, 400, CLOUD_CONFIGURATION, CLOUD_AGAIN_NEVER}, {401, 401, CLOUD_AUTH, CLOUD_AGAIN_NEVER},
    {403, 403, CLOUD_AUTH, CLOUD_AGAIN_NEVER},          {404, 404, CLOUD_ABSENT, CLOUD_AGAIN_NEVER},
    {409, 409, CLOUD_TRANSIENT, CLOUD_AGAIN_ALWAYS},    {412, 412, CLOUD_CAPACITY, CLOUD_AGAIN_NEVER},
    {422, 422, CLOUD_CONFIGURATION, CLOUD_AGAIN_NEVER}, {423, 423, CLOUD_TRANSIENT, CLOUD_AGAIN_ALWAYS},
    {429, 429, CLOUD_RATE, CLOUD_AGAIN_ALWAYS},         {500, 599, CLOUD_TRANSIENT, CLOUD_AGAIN_HARMLESS},
};

const struct cloud_class_facts *cloud_class_facts(enum cloud_class class)
{
    return &classes[class];
}

struct cloud_failure cloud_failure_of(enum cloud_class class)
{
    return (struct cloud_failure){class, CLOUD_AGAIN_NEVER, classes[class].next};
}

/* Said as wrong input, and yet it passes: for some minutes a type may not be had in a place of its own. */
static bool is_about_the_place(const char *code, const char *words)
{
    return text_is(code, "invalid_input") && words &&
           strcasestr(words, "unsupported location for server type");
}

struct cloud_failure cloud_failure_judge(int status, const char *code, const char *words)
{
    struct cloud_failure failure = cloud_failure_of(CLOUD_OTHER);
    if (is_about_the_place(code, words))
        return cloud_failure_of(CLOUD_CAPACITY);
    for (size_t i = 0; code && i < COUNT_OF(codes); i++)
        if (text_is(codes[i].code, code)) {
            failure = cloud_failure_of(codes[i].class);
            failure.again = codes[i].again;
            failure.next = codes[i].next ? codes[i].next : failure.next;
            return failure;
        }
    if (code && text_ends(code, "_limit_exceeded"))
        return cloud_failure_of(CLOUD_QUOTA);
    for (size_t i = 0; i < COUNT_OF(statuses); i++)
        if (status >= statuses[i].from && status <= statuses[i].to) {
            failure = cloud_failure_of(statuses[i].class);
            failure.again = statuses[i].again;
        }
    return failure;
}
