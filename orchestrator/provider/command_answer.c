#include "provider/command_answer.h"

#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/ssh_rules.h"
#include "config/text_rules.h"
#include "format/json_words.h"

#include <string.h>

enum { PORT_MOST = 65535 };

struct json *command_answer_parse(const char *bytes, size_t length, struct error *err)
{
    AUTO_ERROR why = ERROR_INIT;
    AUTO_JSON *answer = NULL;
    size_t blanks = 0;
    while (blanks < length && memchr(" \t\r\n", bytes[blanks], 4))
        blanks++;
    if (blanks == length) {
        error_set(err, ERROR_PROVIDER, "it answered nothing: one JSON object is to stand on its stdout");
        return NULL;
    }
    answer = json_parse(bytes, length, &why);
    if (!answer)
        error_set(err, ERROR_PROVIDER, "its answer is no JSON: %s", error_text(&why));
    else if (!json_is_object(answer))
        error_set(err, ERROR_PROVIDER, "its answer is no JSON object");
    return answer && json_is_object(answer) ? TAKE(answer) : NULL;
}

static int refuse(const char *member, const char *what, struct error *err)
{
    return error_set(err, ERROR_PROVIDER, "its answer's '%s' %s", member, what);
}

/* A member that nobody knows is a mistyped one. */
static int check_members(const struct json *object, const char *const *known, struct error *err)
{
    void *at = NULL;
    const char *key;
    for (struct json *value; json_each(object, &at, &key, &value);) {
        AUTO_FREE char *shown = text_shown(key);
        const char *near = text_nearest(key, known);
        if (!text_is_one_of(key, known))
            return error_set(err, ERROR_PROVIDER, "its answer has a member '%s', which is unknown%s%s%s",
                             shown, near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    }
    return 0;
}

typedef char *text_problem(const char *text);

static char *any_key_problem(const char *text)
{
    /* The text of a private key in place of its path would end up in the store. */
    return strstr(text, "PRIVATE KEY") ? xstrdup("is the text of a key: give the path of a file")
                                       : value_key_problem(text);
}

/* It is shown, at a terminal too. */
static char *shown_problem(const char *text)
{
    return value_has_control(text) ? value_about(text, "holds a control character") : NULL;
}

static const struct {
    const char *name;
    text_problem *problem;
    size_t at;
} texts[] = {
    {"address", ssh_rules_address_problem, offsetof(struct machine, address)},
    {"user", ssh_rules_user_problem, offsetof(struct machine, user)},
    {"key", any_key_problem, offsetof(struct machine, key)},
    {"jump", ssh_rules_jump_problem, offsetof(struct machine, jump)},
    {"python", value_python_problem, offsetof(struct machine, python)},
    {"reference", shown_problem, offsetof(struct machine, reference)},
};

static int check_texts(const struct json *answer, struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const struct json *value = json_get(answer, texts[i].name);
        const char *text = json_string(value, NULL);
        if (!value)
            continue;
        if (!text || !*text)
            return refuse(texts[i].name, "is no text", err);
        AUTO_FREE char *problem = texts[i].problem(text);
        if (problem)
            return refuse(texts[i].name, problem, err);
    }
    return json_get(answer, "address") ? 0 : refuse("address", "is missing", err);
}

static int check_host_keys(const struct json *keys, struct error *err)
{
    if (keys && (!json_is_array(keys) || !json_count(keys)))
        return refuse("host_keys", "is no list of public keys", err);
    for (size_t i = 0; i < json_count(keys); i++) {
        const char *key = json_string(json_at(keys, i), NULL);
        AUTO_FREE char *problem = key ? value_host_key_problem(key) : NULL;
        if (!key || problem)
            return refuse("host_keys", problem ? problem : "holds what is no text", err);
    }
    return 0;
}

static void take(struct json *answer, struct machine *machine)
{
    const struct json *keys = json_get(answer, "host_keys");
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        char **at = (char **)((char *)machine + texts[i].at);
        const char *text = json_get_string(answer, texts[i].name, NULL);
        if (!text)
            continue;
        bool is_path =
            texts[i].at == offsetof(struct machine, key) && !text_is(text, "agent") && machine->directory;
        free(*at);
        *at = is_path ? file_join(machine->directory, text) : xstrdup(text);
    }
    int64_t port = json_get_integer(answer, "port", 0);
    if (port)
        machine->port = (int)port;
    if (keys)
        words_clear(&machine->host_keys);
    json_words_add(keys, &machine->host_keys);
    if (!machine->resources)
        machine->resources = json_new_object();
    json_set(machine->resources, COMMAND_ANSWER, json_keep(answer));
}

int command_answer_made(struct json *answer, struct machine *machine, struct error *err)
{
    static const char *const known[] = {"address", "port",      "user",      "key",  "jump", "host_keys",
                                        "python",  "reference", "resources", "data", NULL};
    const struct json *port = json_get(answer, "port");
    int64_t number = json_integer(port, 0);
    if (check_members(answer, known, err) < 0 || check_texts(answer, err) < 0 ||
        check_host_keys(json_get(answer, "host_keys"), err) < 0)
        return -1;
    if (port && (!json_is_integer(port) || number < 1 || number > PORT_MOST))
        return refuse("port", "is no number from 1 to 65535", err);
    if (json_get(answer, "resources") && !json_is_object(json_get(answer, "resources")))
        return refuse("resources", "is no object", err);
    take(answer, machine);
    return 0;
}

int command_answer_state(const struct json *answer, enum command_state *out, struct error *err)
{
    static const char *const known[] = {"state", NULL};
    const char *state = json_get_string(answer, "state", "");
    if (check_members(answer, known, err) < 0)
        return -1;
    if (!text_is(state, "present") && !text_is(state, "absent"))
        return refuse("state", "is neither \"present\" nor \"absent\"", err);
    *out = text_is(state, "present") ? COMMAND_PRESENT : COMMAND_ABSENT;
    return 0;
}

static char *machine_problem(const char *text)
{
    return id_is(text) ? NULL : value_about(text, "is no id of a machine");
}

/* Text, or absent; null is as absent. */
static int take_text(const struct json *host, const char *member, text_problem *problem_of, char **out,
                     struct error *err)
{
    const struct json *value = json_get(host, member);
    const char *text = json_string(value, NULL);
    if (value && !json_is_null(value) && (!text || !*text))
        return refuse(member, "of a host is no text", err);
    AUTO_FREE char *problem = text ? problem_of(text) : NULL;
    if (problem)
        return refuse(member, problem, err);
    *out = xstrdup_or_null(text);
    return 0;
}

static int take_second(const struct json *object, const char *member, int64_t *out, struct error *err)
{
    enum { LAST = 4100000000 / 10 }; /* in tens, since an enum is an int */
    const struct json *value = json_get(object, member);
    int64_t second = json_integer(value, -1);
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_integer(value) || second < 0 || second / 10 > LAST)
        return refuse(member, "is no time: UNIX seconds", err);
    *out = second * NS_PER_S;
    return 0;
}

static int take_host(const struct json *host, struct listed *out, struct error *err)
{
    static const char *const known[] = {"reference", "project", "target",    "machine", "made",
                                        "expires",   "what",    "protected", NULL};
    const struct json *protected = json_get(host, "protected");
    if (!json_is_object(host))
        return refuse("hosts", "holds what is no object", err);
    if (check_members(host, known, err) < 0 ||
        take_text(host, "reference", shown_problem, &out->reference, err) < 0 ||
        take_text(host, "project", shown_problem, &out->project_id, err) < 0 ||
        take_text(host, "target", value_name_problem, &out->target, err) < 0 ||
        take_text(host, "machine", machine_problem, &out->machine, err) < 0 ||
        take_text(host, "what", shown_problem, &out->what, err) < 0 ||
        take_second(host, "made", &out->made_ns, err) < 0 ||
        take_second(host, "expires", &out->expires_ns, err) < 0)
        return -1;
    if (!out->reference)
        return refuse("hosts", "holds one without a reference", err);
    if (protected && !json_is_bool(protected))
        return refuse("protected", "of a host is neither true nor false", err);
    if (json_get_bool(host, "protected"))
        out->kept_by = xstrdup("its program says that it is protected");
    return 0;
}

int command_answer_hosts(const struct json *answer, struct listing *out, struct error *err)
{
    static const char *const known[] = {"hosts", "now", NULL};
    const struct json *hosts = json_get(answer, "hosts");
    AUTO_LISTING found = {0};
    if (check_members(answer, known, err) < 0 || take_second(answer, "now", &found.now_ns, err) < 0)
        return -1;
    if (!json_is_array(hosts))
        return refuse("hosts", "is no list", err);
    for (size_t i = 0; i < json_count(hosts); i++)
        if (take_host(json_at(hosts, i), listing_add(&found), err) < 0)
            return -1;
    *out = found;
    found = (struct listing){0};
    return 0;
}
