#include "tailnet/bring_down.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/tailnet_place.h"
#include "process/program.h"
#include "tailnet/api.h"
#include "tailnet/daemon.h"
#include "tailnet/local_api.h"
#include "tailnet/minted.h"
#include "tailnet/news.h"
#include "tailnet/own_lock.h"
#include "tailnet/own_node.h"

#define ANSWER_BOUND  (5 * NS_PER_S)
#define START_BOUND   (20 * NS_PER_S)
#define STOP_BOUND    (12 * NS_PER_S)
#define CLEANUP_BOUND (10 * NS_PER_S)

void bring_down_end_clear(struct bring_down_end *end)
{
    free(end->name);
    words_clear(&end->left);
    *end = (struct bring_down_end){.name = NULL};
}

static void tell(const struct bring_down_order *order, const char *line)
{
    if (order->tell)
        order->tell(order->context, line);
}

/* No two devices of a tailnet share an address. */
static bool is_the_device(const struct tailnet_device *device, const struct tailnet_status *status)
{
    for (size_t i = 0; i < device->addresses.count; i++)
        if (words_have(&status->addresses, device->addresses.items[i]))
            return true;
    return false;
}

static int delete_by_api(struct tailnet_api *api, const struct tailnet_status *status, struct error *err)
{
    struct tailnet_device *devices = NULL;
    size_t count = 0;
    if (tailnet_api_devices(api, &devices, &count, err) < 0)
        return -1;
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        if (is_the_device(&devices[i], status))
            result = tailnet_api_delete_device(api, devices[i].id, err);
    tailnet_devices_free(&devices, count);
    return result;
}

/* A node that could not log out itself. */
static int delete_device(const struct bring_down_order *order, const struct tailnet_status *status,
                         struct deadline deadline, struct error *err)
{
    struct tailnet_api *api = NULL;
    if (order->settings &&
        tailnet_api_open(&order->settings->login, order->directory, deadline, &api, err) < 0)
        return -1;
    if (!api)
        return error_set(err, ERROR_PROJECT, "there are no credentials of an API that could remove it");
    int result = delete_by_api(api, status, err);
    tailnet_api_close(&api);
    return result;
}

static void log_out(const struct bring_down_order *order, const struct tailnet_status *status,
                    struct deadline deadline, struct bring_down_end *end)
{
    AUTO_ERROR why = ERROR_INIT, also = ERROR_INIT;
    end->had_node = status->addresses.count > 0;
    end->name = xstrdup(*status->self.dns_name ? status->self.dns_name : status->self.host_name);
    tell(order, "logging our own node out");
    if (own_node_log_out(deadline, &why) == 0 ||
        delete_device(order, status, deadline_in(ANSWER_BOUND), &also) == 0)
        return;
    words_addf(&end->left,
               "the device %s may stay in the tailnet until its inactivity is noticed: %s; %s. Remove it in "
               "the admin "
               "console, or with the control server's own command",
               end->name, error_text(&why), error_text(&also));
}

/* One that is gone or hangs is started once more on its state, without a TUN, only to log its node out. */
static int make_it_answer(const struct bring_down_order *order, struct tailnet_place_daemon *daemon,
                          bool runs, struct deadline deadline, struct error *err)
{
    AUTO_FREE char *program = file_find_program("tailscaled", NULL);
    struct daemon_order how = {.program = program};
    if (runs && daemon_await_answer(daemon, deadline))
        return 0;
    if (!program)
        return error_set(err, ERROR_MISSING, "the program tailscaled is not to be found in PATH");
    tell(order, "our own tailscaled does not answer: starting it once more, to log its node out");
    if (runs && daemon_stop(daemon, deadline_in(STOP_BOUND), err) < 0)
        return -1;
    return daemon_start(&how, deadline_earlier(deadline, deadline_in(START_BOUND)), daemon, err);
}

/* What it says once it has read its state. */
static int ask(struct deadline deadline, struct tailnet_status *status, struct error *err)
{
    AUTO_FREE char *socket = tailnet_place_socket();
    struct deadline bound = deadline_earlier(deadline, deadline_in(ANSWER_BOUND));
    static const char *const not_yet[] = {"NoState", "", NULL};
    AUTO_CLOSE int news = news_open(socket, bound);
    for (;;) {
        tailnet_status_clear(status);
        if (local_api_status(socket, false, bound, status, err) < 0)
            return -1;
        if (!text_is_one_of(status->state, not_yet) || deadline_over(bound))
            return 0;
        news_await(&news, bound);
    }
}

static void leave_tailnet(const struct bring_down_order *order, struct tailnet_place_daemon *daemon,
                          bool runs, struct deadline deadline, struct bring_down_end *end)
{
    AUTO_FREE char *state = tailnet_place_file("tailscaled.state");
    AUTO_TAILNET_STATUS status = {.state = NULL};
    AUTO_ERROR why = ERROR_INIT;
    if (!runs && !file_exists(state))
        return;
    if (make_it_answer(order, daemon, runs, deadline, &why) < 0 || ask(deadline, &status, &why) < 0)
        words_addf(&end->left, "whether its device is still in the tailnet is not known: %s",
                   error_text(&why));
    else
        log_out(order, &status, deadline, end);
}

/* What one with a TUN that was killed leaves: rules and routes, which another one that has a TUN now has
 * too. */
static void clean_up_after(const struct tailnet_place_daemon *daemon)
{
    AUTO_FREE char *program = file_find_program("tailscaled", NULL);
    if (program && daemon->tun && !daemon_tun_is_there())
        program_do(CLEANUP_BOUND, NULL, NULL, program, "--cleanup", NULL);
}

static int take_down(const struct bring_down_order *order, struct deadline deadline,
                     struct bring_down_end *end, struct error *err)
{
    struct tailnet_place_daemon daemon, was;
    enum daemon_life life;
    AUTO_ERROR left = ERROR_INIT;
    if (daemon_look(&daemon, &life, err) < 0)
        return -1;
    end->nothing = life == DAEMON_NONE;
    if (end->nothing)
        return 0;
    was = daemon;
    if (order->settings && minted_clean(order->settings, order->directory, deadline, &left) < 0)
        words_add(&end->left, error_text(&left));
    leave_tailnet(order, &daemon, life == DAEMON_RUNS, deadline, end);
    tell(order, "ending our own tailscaled");
    if (daemon_stop(&daemon, deadline_in(STOP_BOUND), err) < 0)
        return -1;
    clean_up_after(&was);
    return daemon_forget(err);
}

int bring_down(const struct bring_down_order *order, struct deadline deadline, struct bring_down_end *out,
               struct error *err)
{
    AUTO_CLOSE int lock = -1;
    AUTO_BRING_DOWN_END end = {.name = NULL};
    AUTO_FREE char *record = tailnet_place_file("daemon.json");
    /* Written before anything is started: where it is not, not even a lock is to be made. */
    if (!record || !file_exists(record)) {
        *out = (struct bring_down_end){.nothing = true};
        return 0;
    }
    if (tailnet_place_make(err) < 0 || own_lock_take(deadline, &lock, err) < 0 ||
        take_down(order, deadline, &end, err) < 0)
        return -1;
    *out = end;
    end = (struct bring_down_end){.name = NULL};
    return 0;
}
