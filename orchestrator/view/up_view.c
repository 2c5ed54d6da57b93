#include "view/up_view.h"

#include "base/memory.h"
#include "base/text.h"
#include "format/json_words.h"
#include "tailnet/ready.h"
#include "view/table.h"

#include <string.h>
#include <unistd.h>

static void row(struct text *out, const char *name, const char *value)
{
    text_addf(out, "  %-10s ", name);
    text_add_printable(out, value, strlen(value));
    text_add_char(out, '\n');
}

static void add_notes(struct text *out, const struct table_look *look, const struct words *notes)
{
    for (size_t i = 0; i < notes->count; i++) {
        text_add(out, "  ");
        table_styled(out, look, TABLE_WARN, "note:");
        text_add_char(out, ' ');
        text_add_printable(out, notes->items[i], strlen(notes->items[i]));
        text_add_char(out, '\n');
    }
}

static const char *mode_of(const struct bring_up_end *end)
{
    return end->sight.status.tun ? "a TUN" : "userspace networking";
}

static char *daemon_text(const struct bring_up_end *end)
{
    if (!end->own)
        return xasprintf("tailscaled %s with %s, not started by triphase", end->sight.status.version,
                         mode_of(end));
    return xasprintf("tailscaled %s with %s, our own (process %d); 'triphase up --down' ends it",
                     end->sight.status.version, mode_of(end), (int)end->daemon.pid);
}

static char *peers_text(const struct tailnet_status *status)
{
    size_t online = 0;
    for (size_t i = 0; i < status->peer_count; i++)
        online += status->peers[i].online;
    return xasprintf("%zu, %zu of them connected", status->peer_count, online);
}

int up_view_print(const struct bring_up_end *end)
{
    struct table_look look = table_look_of(STDOUT_FILENO);
    const struct tailnet_status *status = &end->sight.status;
    AUTO_TEXT out = TEXT_INIT;
    AUTO_FREE char *addresses = words_join(&status->addresses, "  "),
                   *tags = words_join(&status->self.tags, "  "), *daemon = daemon_text(end),
                   *peers = peers_text(status);
    AUTO_FREE char *head = xasprintf("%s: %s", end->changed ? "joined" : "already there",
                                     *status->self.dns_name ? status->self.dns_name : status->self.host_name);
    table_styled(&out, &look, TABLE_GOOD, head);
    text_add_char(&out, '\n');
    row(&out, "addresses", addresses);
    row(&out, "tags", *tags ? tags : "none");
    row(&out, "tailnet", status->tailnet);
    row(&out, "control", ready_server_shown(end->sight.control_url));
    row(&out, "peers", peers);
    row(&out, "daemon", daemon);
    row(&out, "socket", end->socket);
    if (end->own && end->daemon.socks5) {
        AUTO_FREE char *proxy =
            xasprintf("127.0.0.1:%d (every user of this machine can use it)", end->daemon.socks5);
        row(&out, "SOCKS5", proxy);
    }
    add_notes(&out, &look, &end->notes);
    return table_print(&out);
}

static int print(const struct json *document)
{
    AUTO_FREE char *bytes = json_pretty(document);
    AUTO_TEXT out = TEXT_INIT;
    text_addf(&out, "%s\n", bytes);
    return table_print(&out);
}

int up_view_print_json(const struct bring_up_end *end)
{
    const struct tailnet_status *status = &end->sight.status;
    AUTO_JSON *document = json_new_object();
    AUTO_FREE char *proxy = end->daemon.socks5 ? xasprintf("127.0.0.1:%d", end->daemon.socks5) : NULL;
    json_set_integer(document, "version", 1);
    json_set_string(document, "state", status->state);
    json_set_bool(document, "changed", end->changed);
    json_set_bool(document, "own", end->own);
    json_set_string(document, "mode", status->tun ? "tun" : "userspace");
    json_set_string(document, "socket", end->socket);
    json_set(document, "pid", end->own ? json_new_integer(end->daemon.pid) : json_new_null());
    json_set_string(document, "socks5", proxy);
    json_set_string(document, "login_server", ready_server_shown(end->sight.control_url));
    json_set_string(document, "tailnet", status->tailnet);
    json_set_string(document, "name", status->self.dns_name);
    json_set(document, "addresses", json_words_array(&status->addresses));
    json_set(document, "tags", json_words_array(&status->self.tags));
    json_set_integer(document, "peers", (int64_t)status->peer_count);
    json_set_integer(document, "keys_made", end->made_keys);
    json_set(document, "notes", json_words_array(&end->notes));
    return print(document);
}

int up_view_print_down(const struct bring_down_end *end)
{
    struct table_look look = table_look_of(STDOUT_FILENO);
    AUTO_TEXT out = TEXT_INIT;
    if (end->nothing)
        text_add(&out,
                 "nothing of ours is there; a tailscaled that triphase did not start is left as it is\n");
    else if (end->had_node && !end->left.count)
        text_addf(&out, "%s is logged out, and our tailscaled is gone\n", end->name);
    else
        text_add(&out, "our tailscaled is gone\n");
    add_notes(&out, &look, &end->left);
    return table_print(&out);
}

int up_view_print_down_json(const struct bring_down_end *end)
{
    AUTO_JSON *document = json_new_object();
    json_set_integer(document, "version", 1);
    json_set_bool(document, "ended", !end->nothing);
    json_set_bool(document, "logged_out", end->had_node && !end->left.count);
    json_set_string(document, "name", end->name);
    json_set(document, "left", json_words_array(&end->left));
    return print(document);
}
